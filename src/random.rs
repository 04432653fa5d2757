//! Random bytes from the operating system: ids of accounts, sessions and devices, and secrets.

use aws_lc_rs::rand;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random numbers")]
pub struct RandomUnavailable;

pub fn random_bytes<const SIZE: usize>() -> Result<[u8; SIZE], RandomUnavailable> {
    let mut bytes = [0; SIZE];
    rand::fill(&mut bytes).map_err(|_| RandomUnavailable)?;
    Ok(bytes)
}
