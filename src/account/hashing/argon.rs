//! Doorward's own password hashes: argon2id with one set of parameters.

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

use super::{
    hash_method::{HashMethod, MAX_MEMORY_KIB},
    hash_queue::HashError,
};
use crate::{account::hashing::Password, crypto::random_bytes, domain::account::HashFormat};

const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;

/// The cost parameters of one hash. The default is OWASP's first choice: 19 MiB, 2 passes, 1 lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argon2Cost {
    pub memory_kib: u32,
    pub iterations: u32,
    pub parallelism: u32,
}

impl Default for Argon2Cost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "argon2id needs at least 8 KiB of memory a lane and one iteration, and may have {} MiB; this is {} KiB, {} \
     iterations, {} lanes",
    MAX_MEMORY_KIB / 1024, .0.memory_kib, .0.iterations, .0.parallelism
)]
pub struct InvalidArgon2Cost(Argon2Cost);

pub(super) struct Argon2Hasher {
    cost: Argon2Cost,
    params: Params,
}

impl Argon2Hasher {
    pub(super) fn new(cost: Argon2Cost) -> Result<Self, InvalidArgon2Cost> {
        let Argon2Cost { memory_kib, iterations, parallelism } = cost;
        let params = Params::new(memory_kib, iterations, parallelism, Some(HASH_BYTES))
            .map_err(|_| InvalidArgon2Cost(cost))?;
        // the limits for verification apply to new hashes as well
        if memory_kib > MAX_MEMORY_KIB || parallelism > 64 {
            Err(InvalidArgon2Cost(cost))
        } else {
            Ok(Self { cost, params })
        }
    }

    pub(super) fn cost(&self) -> Argon2Cost {
        self.cost
    }

    pub(super) fn hash(&self, password: &Password) -> Result<String, HashError> {
        let salt: [u8; SALT_BYTES] = random_bytes()?;
        let mut output = [0; HASH_BYTES];
        self.fill(password.normalized().as_bytes(), &salt, &mut output)?;
        let (salt, output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
        Ok(format!("{}{salt}${output}", self.hash_format().prefix))
    }

    /// Computes one hash without a password, to equalise timing.
    pub(super) fn hash_dummy(&self) -> Result<(), HashError> {
        let mut output = [0; HASH_BYTES];
        self.fill(b"dummy password", &[0; SALT_BYTES], &mut output)?;
        std::hint::black_box(output);
        Ok(())
    }

    /// The form of hashes with the current parameters.
    pub(super) fn hash_format(&self) -> HashFormat {
        let Argon2Cost { memory_kib, iterations, parallelism } = self.cost;
        let prefix = format!("$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}$");
        // salt and output in base64 without padding, and `$` between
        let length = prefix.len() + (SALT_BYTES * 4).div_ceil(3) + 1 + (HASH_BYTES * 4).div_ceil(3);
        HashFormat { prefix, length }
    }

    /// Whether a hash has the current parameters.
    pub(super) fn is_current(&self, method: &HashMethod) -> bool {
        matches!(method, HashMethod::Argon2 { algorithm: Algorithm::Argon2id, version: Version::V0x13, params, salt, hash }
            if salt.len() >= SALT_BYTES && hash.len() == HASH_BYTES && params.m_cost() == self.cost.memory_kib
                && params.t_cost() == self.cost.iterations && params.p_cost() == self.cost.parallelism)
    }

    fn fill(&self, password: &[u8], salt: &[u8], output: &mut [u8]) -> Result<(), HashError> {
        Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone())
            .hash_password_into(password, salt, output)
            .map_err(HashError::Argon2)
    }
}
