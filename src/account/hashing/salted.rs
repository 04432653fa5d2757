//! Salted digests: `{SSHA…}` of LDAP directories, and WSO2's salted SHA-256. They are fast to brute-force, so replaced at the first success.

use aws_lc_rs::digest::{self, Algorithm};

use super::hash_method::{HashMethod, InvalidHash, base64};

/// LDAP: `{SSHA}` and base64 of the digest of password and salt, with the salt behind it.
pub(super) fn ldap(scheme: &str, value: &str) -> Result<HashMethod, InvalidHash> {
    let digest = match scheme {
        "SSHA" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "SSHA256" => &digest::SHA256,
        "SSHA384" => &digest::SHA384,
        "SSHA512" => &digest::SHA512,
        _ => return Err(InvalidHash::Unknown),
    };
    let bytes = base64(value)?;
    let (hash, salt) = bytes.split_at_checked(digest.output_len()).ok_or(InvalidHash::Malformed)?;
    method(digest, salt, hash)
}

/// WSO2's user store keeps `UM_USER_PASSWORD` = base64(SHA-256(password + salt)), where the salt goes in as the very
/// text of `UM_SALT_VALUE`. Both columns are imported as `{wso2-sha256}UM_SALT_VALUE$UM_USER_PASSWORD`.
pub(super) fn wso2(scheme: &str, value: &str) -> Result<HashMethod, InvalidHash> {
    let digest = match scheme {
        "wso2-sha256" => &digest::SHA256,
        "wso2-sha512" => &digest::SHA512,
        _ => return Err(InvalidHash::Unknown),
    };
    let (salt, hash) = value.split_once('$').ok_or(InvalidHash::Malformed)?;
    method(digest, salt.as_bytes(), &base64(hash)?)
}

fn method(digest: &'static Algorithm, salt: &[u8], hash: &[u8]) -> Result<HashMethod, InvalidHash> {
    // an unsalted digest is reversible with a rainbow table
    if salt.is_empty() || hash.len() != digest.output_len() {
        return Err(InvalidHash::Malformed);
    }
    Ok(HashMethod::Salted { digest, salt: salt.to_vec(), hash: hash.to_vec() })
}

pub(super) fn compute(algorithm: &'static Algorithm, password: &[u8], salt: &[u8]) -> digest::Digest {
    let mut context = digest::Context::new(algorithm);
    context.update(password);
    context.update(salt);
    context.finish()
}
