//! Parses stored password hashes, our own and those of other systems, and verifies passwords against them.
//!
//! | system | form |
//! | --- | --- |
//! | argon2 (any), version 1.3 or 1.0 | `$argon2id$v=19$m=…,t=…,p=…$salt$hash` |
//! | bcrypt | `$2a$…`, `$2b$…`, `$2y$…`: 60 characters |
//! | scrypt | `$scrypt$ln=…,r=…,p=…$salt$hash` |
//! | PBKDF2, PHC form | `$pbkdf2-sha256$i=…,l=…$salt$hash` (also `sha1`, `sha512`) |
//! | PBKDF2 of passlib | `$pbkdf2-sha256$iterations$salt$hash`; `$pbkdf2$…` is SHA-1 |
//! | PBKDF2 of LDAP | `{PBKDF2-SHA256}iterations$salt$hash`; `{PBKDF2}…` is SHA-1 |
//! | PBKDF2 of Django | `pbkdf2_sha256$iterations$salt$hash`, the salt as it is |
//! | LDAP directories | `{SSHA}…`, `{SSHA256}…`, `{SSHA384}…`, `{SSHA512}…` |
//! | WSO2's user store | `{wso2-sha256}UM_SALT_VALUE$UM_USER_PASSWORD` (also `wso2-sha512`) |
//!
//! The importer of a hash chooses its verification cost, so the cost is bounded.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest, pbkdf2};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Password, hash_queue::HashError, salted};

/// Maximum memory of a verification.
pub const MAX_MEMORY_KIB: u32 = 128 * 1024;
/// Memory times passes, for argon2: 64 MiB, 16 times.
const MAX_ARGON2_WORK: u64 = 1024 * 1024;
/// N·r·p: twice OWASP's advice.
const MAX_SCRYPT_WORK: u64 = 1 << 21;
const MAX_ITERATIONS: u32 = 3_000_000;
const MAX_BCRYPT_COST: u32 = 15;
/// No form is longer.
const MAX_STORED_BYTES: usize = 1024;
/// A shorter hash would match too many passwords.
const MIN_HASH_BYTES: usize = 16;

/// A parsed hash with its method.
pub enum HashMethod {
    Argon2 { algorithm: Algorithm, version: Version, params: Params, salt: Vec<u8>, hash: Vec<u8> },
    Bcrypt(String),
    Scrypt { params: scrypt::Params, memory_kib: u32, salt: Vec<u8>, hash: Vec<u8> },
    Pbkdf2 { algorithm: pbkdf2::Algorithm, iterations: NonZeroU32, salt: Vec<u8>, hash: Vec<u8> },
    Salted { digest: &'static digest::Algorithm, salt: Vec<u8>, hash: Vec<u8> },
}

/// Why a stored hash is rejected. Never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHash {
    #[error("the hash has an unknown format")]
    Unknown,
    #[error("the hash is damaged, unsalted or cut short")]
    Malformed,
    #[error("the hash needs more memory or time than is allowed")]
    TooCostly,
}

impl HashMethod {
    /// Parses a stored hash; an import calls it to reject hashes that could never be verified.
    pub fn parse(stored: &str) -> Result<Self, InvalidHash> {
        if stored.len() > MAX_STORED_BYTES {
            return Err(InvalidHash::Malformed);
        }
        if let Some((scheme, value)) = stored.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            return match scheme.to_ascii_uppercase().as_str() {
                "PBKDF2" | "PBKDF2-SHA1" => modular(pbkdf2::PBKDF2_HMAC_SHA1, value),
                "PBKDF2-SHA256" => modular(pbkdf2::PBKDF2_HMAC_SHA256, value),
                "PBKDF2-SHA512" => modular(pbkdf2::PBKDF2_HMAC_SHA512, value),
                _ if scheme.starts_with("wso2-") => salted::wso2(scheme, value),
                upper => salted::ldap(upper, value),
            };
        }
        let Some((name, value)) = stored.strip_prefix('$').unwrap_or(stored).split_once('$') else {
            return Err(InvalidHash::Unknown);
        };
        match (stored.starts_with('$'), name) {
            (true, "argon2id" | "argon2i" | "argon2d") => argon2(stored),
            (true, "2a" | "2b" | "2y") => bcrypt(stored),
            (true, "scrypt") => scrypt(value),
            (true, "pbkdf2" | "pbkdf2-sha1") => modular(pbkdf2::PBKDF2_HMAC_SHA1, value),
            (true, "pbkdf2-sha256") => modular(pbkdf2::PBKDF2_HMAC_SHA256, value),
            (true, "pbkdf2-sha512") => modular(pbkdf2::PBKDF2_HMAC_SHA512, value),
            (false, "pbkdf2_sha1") => django(pbkdf2::PBKDF2_HMAC_SHA1, value),
            (false, "pbkdf2_sha256") => django(pbkdf2::PBKDF2_HMAC_SHA256, value),
            _ => Err(InvalidHash::Unknown),
        }
    }

    /// Whether both use the same method, with any cost.
    pub(super) fn is_kind_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pbkdf2 { algorithm: one, .. }, Self::Pbkdf2 { algorithm: other, .. }) => one == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// The cost of a verification, relative to the same method.
    pub(super) fn work(&self) -> u64 {
        match self {
            Self::Argon2 { params, .. } => {
                u64::from(params.m_cost()).saturating_mul(u64::from(params.t_cost()))
            }
            Self::Bcrypt(stored) => {
                stored.parse().map_or(0, |parts: bcrypt::HashParts| 1_u64 << parts.get_cost().min(31))
            }
            Self::Scrypt { params, .. } => {
                let lanes = u64::from(params.r()).saturating_mul(u64::from(params.p()));
                lanes.saturating_mul(1_u64 << params.log_n().min(31))
            }
            Self::Pbkdf2 { iterations, .. } => u64::from(iterations.get()),
            Self::Salted { .. } => 1,
        }
    }

    pub(super) fn memory_kib(&self) -> u32 {
        match self {
            Self::Argon2 { params, .. } => params.m_cost(),
            Self::Scrypt { memory_kib, .. } => *memory_kib,
            Self::Bcrypt(_) | Self::Pbkdf2 { .. } | Self::Salted { .. } => 0,
        }
    }

    /// Compares the normalised password.
    pub(super) fn matches_normalized(&self, password: &Password) -> Result<bool, HashError> {
        self.matches(password.normalized().as_bytes())
    }

    pub(super) fn matches_any_spelling(&self, password: &Password) -> Result<bool, HashError> {
        for spelling in password.spellings() {
            if self.matches(spelling.as_bytes())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn matches(&self, password: &[u8]) -> Result<bool, HashError> {
        let same = |made: &[u8], hash: &[u8]| verify_slices_are_equal(made, hash).is_ok();
        Ok(match self {
            Self::Argon2 { algorithm, version, params, salt, hash } => {
                let mut made = vec![0; hash.len()];
                let argon = Argon2::new(*algorithm, *version, params.clone());
                argon.hash_password_into(password, salt, &mut made).map_err(HashError::Argon2)?;
                same(&made, hash)
            }
            // bcrypt uses only the first 72 bytes
            Self::Bcrypt(stored) => bcrypt::verify(password, stored).unwrap_or(false),
            Self::Scrypt { params, salt, hash, .. } => {
                let mut made = vec![0; hash.len()];
                scrypt::scrypt(password, salt, params, &mut made).is_ok() && same(&made, hash)
            }
            Self::Pbkdf2 { algorithm, iterations, salt, hash } => {
                pbkdf2::verify(*algorithm, *iterations, salt, password, hash).is_ok()
            }
            Self::Salted { digest, salt, hash } => {
                same(salted::compute(digest, password, salt).as_ref(), hash)
            }
        })
    }
}

fn argon2(stored: &str) -> Result<HashMethod, InvalidHash> {
    let parsed = PasswordHash::new(stored).map_err(|_| InvalidHash::Malformed)?;
    let params = Params::try_from(&parsed).map_err(|_| InvalidHash::Malformed)?;
    let version = match parsed.version {
        Some(number) => Version::try_from(number).map_err(|_| InvalidHash::Malformed)?,
        None => Version::V0x10,
    };
    let algorithm = Algorithm::new(parsed.algorithm.as_str()).map_err(|_| InvalidHash::Unknown)?;
    let (Some(salt), Some(hash)) = (parsed.salt, parsed.hash) else { return Err(InvalidHash::Malformed) };
    if !params.keyid().is_empty() || !params.data().is_empty() {
        return Err(InvalidHash::Unknown);
    }
    let work = u64::from(params.m_cost()).saturating_mul(u64::from(params.t_cost()));
    if params.m_cost() > MAX_MEMORY_KIB || work > MAX_ARGON2_WORK || params.p_cost() > 64 {
        return Err(InvalidHash::TooCostly);
    }
    let (salt, hash) = (salt.as_ref().to_vec(), checked(hash.as_ref().to_vec())?);
    Ok(HashMethod::Argon2 { algorithm, version, params, salt, hash })
}

fn bcrypt(stored: &str) -> Result<HashMethod, InvalidHash> {
    let parts: bcrypt::HashParts = stored.parse().map_err(|_| InvalidHash::Malformed)?;
    match parts.get_cost() {
        4..=MAX_BCRYPT_COST => Ok(HashMethod::Bcrypt(stored.to_owned())),
        16.. => Err(InvalidHash::TooCostly),
        _ => Err(InvalidHash::Malformed),
    }
}

fn scrypt(value: &str) -> Result<HashMethod, InvalidHash> {
    let [numbers, salt, hash] = parts(value)?;
    let (log_n, r, p) = (number(numbers, "ln")?, number(numbers, "r")?, number(numbers, "p")?);
    let n = 1_u64.checked_shl(log_n).filter(|_| log_n < 32).ok_or(InvalidHash::TooCostly)?;
    let work = n.saturating_mul(u64::from(r)).saturating_mul(u64::from(p));
    // 128·N·r bytes, and as much for each lane's block
    let lanes = u64::from(r).saturating_mul(u64::from(p));
    let memory_kib = n.saturating_mul(u64::from(r)).saturating_add(lanes).saturating_mul(128) / 1024;
    let memory_kib = u32::try_from(memory_kib).map_err(|_| InvalidHash::TooCostly)?;
    if work > MAX_SCRYPT_WORK || memory_kib > MAX_MEMORY_KIB + 1024 {
        return Err(InvalidHash::TooCostly);
    }
    let log_n = u8::try_from(log_n).map_err(|_| InvalidHash::TooCostly)?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| InvalidHash::Malformed)?;
    Ok(HashMethod::Scrypt { params, memory_kib, salt: base64(salt)?, hash: checked(base64(hash)?)? })
}

/// `iterations$salt$hash`, the iterations as a number or as `i=…`.
fn modular(algorithm: pbkdf2::Algorithm, value: &str) -> Result<HashMethod, InvalidHash> {
    let [numbers, salt, hash] = parts(value)?;
    let iterations = if numbers.contains('=') { number(numbers, "i")? } else { decimal(numbers)? };
    pbkdf2(algorithm, iterations, base64(salt)?, base64(hash)?)
}

fn django(algorithm: pbkdf2::Algorithm, value: &str) -> Result<HashMethod, InvalidHash> {
    let [iterations, salt, hash] = parts(value)?;
    pbkdf2(algorithm, decimal(iterations)?, salt.as_bytes().to_vec(), base64(hash)?)
}

fn pbkdf2(
    algorithm: pbkdf2::Algorithm,
    iterations: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
) -> Result<HashMethod, InvalidHash> {
    if iterations > MAX_ITERATIONS {
        return Err(InvalidHash::TooCostly);
    }
    let iterations = NonZeroU32::new(iterations).ok_or(InvalidHash::Malformed)?;
    if salt.is_empty() {
        return Err(InvalidHash::Malformed);
    }
    Ok(HashMethod::Pbkdf2 { algorithm, iterations, salt, hash: checked(hash)? })
}

fn parts(value: &str) -> Result<[&str; 3], InvalidHash> {
    let parts: Vec<&str> = value.split('$').collect();
    parts.try_into().map_err(|_| InvalidHash::Malformed)
}

/// The number behind `name=` in `a=1,b=2`.
fn number(numbers: &str, name: &str) -> Result<u32, InvalidHash> {
    let find =
        |pair: &'_ str| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| decimal(value));
    numbers.split(',').find_map(find).unwrap_or(Err(InvalidHash::Malformed))
}

fn decimal(text: &str) -> Result<u32, InvalidHash> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(InvalidHash::Malformed);
    }
    // a number that overflows is too costly, not malformed
    text.parse().map_err(|_| InvalidHash::TooCostly)
}

fn checked(hash: Vec<u8>) -> Result<Vec<u8>, InvalidHash> {
    if (MIN_HASH_BYTES..=64).contains(&hash.len()) { Ok(hash) } else { Err(InvalidHash::Malformed) }
}

/// Base64 with or without padding, also as passlib writes it, with `.` for `+`.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, InvalidHash> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    TOLERANT.decode(text.replace('.', "+")).map_err(|_| InvalidHash::Malformed)
}
