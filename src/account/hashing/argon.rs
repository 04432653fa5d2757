//! Our own hashes: argon2id at one cost.

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

use super::{
    queue::Busy,
    stored::{MOST_MEMORY_KIB, Method},
};
use crate::account::hashing::Password;

const SALT: usize = 16;
const OUTPUT: usize = 32;

/// What one hash costs. The default is OWASP's first choice: 19 MiB, 2 passes, 1 lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
}

impl Default for Cost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "argon2id needs at least 8 KiB of memory a lane and one iteration, and may have {} MiB; this is {} KiB, {} \
     iterations, {} lanes",
    MOST_MEMORY_KIB / 1024, .0.memory_kib, .0.iterations, .0.parallelism
)]
pub struct BadCost(Cost);

pub(super) struct Argon {
    cost: Cost,
    params: Params,
}

impl Argon {
    pub(super) fn new(cost: Cost) -> Result<Self, BadCost> {
        let Cost { memory_kib, iterations, parallelism } = cost;
        let params =
            Params::new(memory_kib, iterations, parallelism, Some(OUTPUT)).map_err(|_| BadCost(cost))?;
        // what we make, we must also be willing to verify
        if memory_kib > MOST_MEMORY_KIB || parallelism > 64 {
            Err(BadCost(cost))
        } else {
            Ok(Self { cost, params })
        }
    }

    pub(super) fn cost(&self) -> Cost {
        self.cost
    }

    pub(super) fn hash(&self, password: &Password) -> Result<String, Busy> {
        let mut salt = [0; SALT];
        rand::fill(&mut salt).map_err(|_| Busy::soon())?;
        let mut output = [0; OUTPUT];
        self.fill(password.normal().as_bytes(), &salt, &mut output)?;
        let (start, (salt, output)) =
            (self.form().0, (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output)));
        Ok(format!("{start}{salt}${output}"))
    }

    /// One hash of nothing, for nobody.
    pub(super) fn spend(&self) -> Result<(), Busy> {
        let mut output = [0; OUTPUT];
        self.fill(b"nobody's password", &[0; SALT], &mut output)?;
        std::hint::black_box(output);
        Ok(())
    }

    /// What the hashes that we make today begin with, and how long they are.
    pub(super) fn form(&self) -> (String, usize) {
        let Cost { memory_kib, iterations, parallelism } = self.cost;
        let start = format!("$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}$");
        // salt and output in base64 without padding, and `$` between
        let length = start.len() + (SALT * 4).div_ceil(3) + 1 + (OUTPUT * 4).div_ceil(3);
        (start, length)
    }

    /// Whether we would make the same hash today.
    pub(super) fn made(&self, method: &Method) -> bool {
        matches!(method, Method::Argon2 { algorithm: Algorithm::Argon2id, version: Version::V0x13, params, salt, hash }
            if salt.len() >= SALT && hash.len() == OUTPUT && params.m_cost() == self.cost.memory_kib
                && params.t_cost() == self.cost.iterations && params.p_cost() == self.cost.parallelism)
    }

    fn fill(&self, password: &[u8], salt: &[u8], output: &mut [u8]) -> Result<(), Busy> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
            .hash_password_into(password, salt, output)
            .map_err(|problem| {
                tracing::error!(%problem, "argon2id");
                Busy::soon()
            })
    }
}
