//! Reads what is stored for a password, ours or another system's, and says how to verify it.
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
//! Who imports a hash chooses what it costs to verify, so the cost has bounds.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest, pbkdf2};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{Password, queue::Busy, salted};

/// No hash is verified that needs more memory.
pub const MOST_MEMORY_KIB: u32 = 128 * 1024;
/// Memory times passes, for argon2: 64 MiB, 16 times.
const MOST_ARGON_WORK: u64 = 1024 * 1024;
/// N·r·p: twice OWASP's advice.
const MOST_SCRYPT_WORK: u64 = 1 << 21;
const MOST_ITERATIONS: u32 = 3_000_000;
const MOST_BCRYPT: u32 = 15;
/// No form is longer.
const LONGEST: usize = 1024;
/// Of a hash that was cut shorter, too many passwords are the right one.
const SHORTEST_HASH: usize = 16;

/// How a stored password is verified.
pub enum Method {
    Argon2 { algorithm: Algorithm, version: Version, params: Params, salt: Vec<u8>, hash: Vec<u8> },
    Bcrypt(String),
    Scrypt { params: scrypt::Params, memory_kib: u32, salt: Vec<u8>, hash: Vec<u8> },
    Pbkdf2 { algorithm: pbkdf2::Algorithm, iterations: NonZeroU32, salt: Vec<u8>, hash: Vec<u8> },
    Salted { digest: &'static digest::Algorithm, salt: Vec<u8>, hash: Vec<u8> },
}

/// Why a text cannot be a stored password. It never says what the text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the hash has no form that is known here")]
    Unknown,
    #[error("the hash is damaged, unsalted or cut short")]
    Malformed,
    #[error("the hash asks for more memory or time than is given to one")]
    TooCostly,
}

impl Method {
    /// Reads a stored password; an import calls it to refuse what nobody could ever sign in with.
    pub fn parse(stored: &str) -> Result<Self, Unreadable> {
        if stored.len() > LONGEST {
            return Err(Unreadable::Malformed);
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
            return Err(Unreadable::Unknown);
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
            _ => Err(Unreadable::Unknown),
        }
    }

    /// What a list of accounts calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Argon2 { .. } => "argon2",
            Self::Bcrypt(_) => "bcrypt",
            Self::Scrypt { .. } => "scrypt",
            Self::Pbkdf2 { .. } => "pbkdf2",
            Self::Salted { .. } => "salted digest",
        }
    }

    /// Whether both differ in nothing but how much work they are.
    pub(super) fn is_kind_of(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Pbkdf2 { algorithm: one, .. }, Self::Pbkdf2 { algorithm: other, .. }) => one == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// How much work it is to verify, compared with others of its kind.
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

    /// In the form in which we hash.
    pub(super) fn matches_normal(&self, password: &Password) -> Result<bool, Busy> {
        self.matches(password.normal().as_bytes())
    }

    pub(super) fn matches_any_spelling(&self, password: &Password) -> Result<bool, Busy> {
        for spelling in password.spellings() {
            if self.matches(spelling.as_bytes())? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn matches(&self, password: &[u8]) -> Result<bool, Busy> {
        let same = |made: &[u8], hash: &[u8]| verify_slices_are_equal(made, hash).is_ok();
        Ok(match self {
            Self::Argon2 { algorithm, version, params, salt, hash } => {
                let mut made = vec![0; hash.len()];
                let argon = Argon2::new(*algorithm, *version, params.clone());
                argon.hash_password_into(password, salt, &mut made).map_err(|problem| {
                    tracing::error!(%problem, "argon2");
                    Busy::soon()
                })?;
                same(&made, hash)
            }
            // it looks at 72 bytes and no more, as it did where the hash was made
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

fn argon2(stored: &str) -> Result<Method, Unreadable> {
    let parsed = PasswordHash::new(stored).map_err(|_| Unreadable::Malformed)?;
    let params = Params::try_from(&parsed).map_err(|_| Unreadable::Malformed)?;
    let version = match parsed.version {
        Some(number) => Version::try_from(number).map_err(|_| Unreadable::Malformed)?,
        None => Version::V0x10,
    };
    let algorithm = Algorithm::new(parsed.algorithm.as_str()).map_err(|_| Unreadable::Unknown)?;
    let (Some(salt), Some(hash)) = (parsed.salt, parsed.hash) else { return Err(Unreadable::Malformed) };
    if !params.keyid().is_empty() || !params.data().is_empty() {
        return Err(Unreadable::Unknown);
    }
    let work = u64::from(params.m_cost()).saturating_mul(u64::from(params.t_cost()));
    if params.m_cost() > MOST_MEMORY_KIB || work > MOST_ARGON_WORK || params.p_cost() > 64 {
        return Err(Unreadable::TooCostly);
    }
    let (salt, hash) = (salt.as_ref().to_vec(), checked(hash.as_ref().to_vec())?);
    Ok(Method::Argon2 { algorithm, version, params, salt, hash })
}

fn bcrypt(stored: &str) -> Result<Method, Unreadable> {
    let parts: bcrypt::HashParts = stored.parse().map_err(|_| Unreadable::Malformed)?;
    match parts.get_cost() {
        4..=MOST_BCRYPT => Ok(Method::Bcrypt(stored.to_owned())),
        16.. => Err(Unreadable::TooCostly),
        _ => Err(Unreadable::Malformed),
    }
}

fn scrypt(value: &str) -> Result<Method, Unreadable> {
    let [numbers, salt, hash] = parts(value)?;
    let (log_n, r, p) = (number(numbers, "ln")?, number(numbers, "r")?, number(numbers, "p")?);
    let n = 1_u64.checked_shl(log_n).filter(|_| log_n < 32).ok_or(Unreadable::TooCostly)?;
    let work = n.saturating_mul(u64::from(r)).saturating_mul(u64::from(p));
    // 128·N·r bytes, and as much for each lane's block
    let lanes = u64::from(r).saturating_mul(u64::from(p));
    let memory_kib = n.saturating_mul(u64::from(r)).saturating_add(lanes).saturating_mul(128) / 1024;
    let memory_kib = u32::try_from(memory_kib).map_err(|_| Unreadable::TooCostly)?;
    if work > MOST_SCRYPT_WORK || memory_kib > MOST_MEMORY_KIB + 1024 {
        return Err(Unreadable::TooCostly);
    }
    let log_n = u8::try_from(log_n).map_err(|_| Unreadable::TooCostly)?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| Unreadable::Malformed)?;
    Ok(Method::Scrypt { params, memory_kib, salt: base64(salt)?, hash: checked(base64(hash)?)? })
}

/// `iterations$salt$hash`, the iterations as a number or as `i=…`.
fn modular(algorithm: pbkdf2::Algorithm, value: &str) -> Result<Method, Unreadable> {
    let [numbers, salt, hash] = parts(value)?;
    let iterations = if numbers.contains('=') { number(numbers, "i")? } else { decimal(numbers)? };
    pbkdf2(algorithm, iterations, base64(salt)?, base64(hash)?)
}

fn django(algorithm: pbkdf2::Algorithm, value: &str) -> Result<Method, Unreadable> {
    let [iterations, salt, hash] = parts(value)?;
    pbkdf2(algorithm, decimal(iterations)?, salt.as_bytes().to_vec(), base64(hash)?)
}

fn pbkdf2(
    algorithm: pbkdf2::Algorithm,
    iterations: u32,
    salt: Vec<u8>,
    hash: Vec<u8>,
) -> Result<Method, Unreadable> {
    if iterations > MOST_ITERATIONS {
        return Err(Unreadable::TooCostly);
    }
    let iterations = NonZeroU32::new(iterations).ok_or(Unreadable::Malformed)?;
    if salt.is_empty() {
        return Err(Unreadable::Malformed);
    }
    Ok(Method::Pbkdf2 { algorithm, iterations, salt, hash: checked(hash)? })
}

fn parts(value: &str) -> Result<[&str; 3], Unreadable> {
    let parts: Vec<&str> = value.split('$').collect();
    parts.try_into().map_err(|_| Unreadable::Malformed)
}

/// The number behind `name=` in `a=1,b=2`.
fn number(numbers: &str, name: &str) -> Result<u32, Unreadable> {
    let find =
        |pair: &'_ str| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| decimal(value));
    numbers.split(',').find_map(find).unwrap_or(Err(Unreadable::Malformed))
}

fn decimal(text: &str) -> Result<u32, Unreadable> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Unreadable::Malformed);
    }
    // more digits than fit are a number all the same
    text.parse().map_err(|_| Unreadable::TooCostly)
}

fn checked(hash: Vec<u8>) -> Result<Vec<u8>, Unreadable> {
    if (SHORTEST_HASH..=64).contains(&hash.len()) { Ok(hash) } else { Err(Unreadable::Malformed) }
}

/// Base64 with or without padding, also as passlib writes it, with `.` for `+`.
pub(super) fn base64(text: &str) -> Result<Vec<u8>, Unreadable> {
    const TOLERANT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    TOLERANT.decode(text.replace('.', "+")).map_err(|_| Unreadable::Malformed)
}
