//! Parses a JSON Web Key Set (RFC 7517) into public keys for signature verification.

use aws_lc_rs::signature::{self, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use super::{ed25519, jws, roca};

/// An issuer in the middle of a rotation has two or three; a set of thousands is a mistake or an attack.
const MAX_KEYS: usize = 256;

/// Verifications at most for one token: each takes a client's request some 50 to 100 µs.
const MAX_CANDIDATES: usize = 5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no JSON Web Key Set")]
pub struct InvalidKeySet;

#[derive(Debug, Default)]
pub struct KeySet {
    keys: Vec<PublicKey>,
    /// Keys that were omitted, and why: for the log.
    pub skipped: Vec<SkippedKey>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedKey {
    pub key_id: String,
    pub reason: &'static str,
}

#[derive(Debug)]
struct PublicKey {
    id: Option<String>,
    /// The public numbers, by which two keys are compared.
    material: Vec<u8>,
    /// The key prepared for one algorithm each.
    checks: Vec<(Algorithm, ParsedPublicKey)>,
}

/// The keys that may verify a token.
#[derive(Debug)]
pub enum KeyMatch<'a> {
    /// The token names these keys: if none of them verifies it, no other key does.
    Named(Vec<&'a ParsedPublicKey>),
    /// Keys for the token's algorithm that it does not name, possibly none: `kid` is optional and a hint (RFC 7515 §4.1.4).
    /// If none verifies the token, the set may be out of date.
    Unnamed(Vec<&'a ParsedPublicKey>),
}

impl KeySet {
    /// Parses a set, or a single key. Unusable keys are omitted and do not affect the others.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidKeySet> {
        let Ok(Value::Object(document)) = serde_json::from_slice(json) else { return Err(InvalidKeySet) };
        let written = match document.get("keys") {
            Some(Value::Array(keys)) if keys.len() <= MAX_KEYS => keys.clone(),
            None if document.contains_key("kty") => vec![Value::Object(document)],
            _ => return Err(InvalidKeySet),
        };
        let mut set = Self::default();
        for key in &written {
            let id = key.get("kid").and_then(Value::as_str).unwrap_or_default();
            let read = key.as_object().ok_or("it is no object").and_then(read_key);
            match read {
                // published twice under one name: the same key
                Ok(key) if set.keys.iter().any(|known| known.is_same(&key)) => {}
                Ok(key) => set.keys.push(key),
                Err(reason) => set.skipped.push(SkippedKey { key_id: id.chars().take(64).collect(), reason }),
            }
        }
        Ok(set)
    }

    /// Keys with the token's `kid`; if no key has it, those without a `kid`; for a token without one, all.
    pub fn find(&self, key_id: Option<&str>, algorithm: Algorithm) -> KeyMatch<'_> {
        let Some(key_id) = key_id else { return KeyMatch::Unnamed(usable(self.keys.iter(), algorithm)) };
        let named = || self.keys.iter().filter(|key| key.id.as_deref() == Some(key_id));
        if named().next().is_some() {
            return KeyMatch::Named(usable(named(), algorithm));
        }
        KeyMatch::Unnamed(usable(self.keys.iter().filter(|key| key.id.is_none()), algorithm))
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Whether both sets hold the same keys under the same names for the same algorithms, in whatever order.
    pub fn has_same_keys(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.keys.iter().all(|key| other.keys.iter().any(|known| known.is_same(key)))
    }
}

fn usable<'k>(keys: impl Iterator<Item = &'k PublicKey>, algorithm: Algorithm) -> Vec<&'k ParsedPublicKey> {
    let checks = keys.filter_map(|key| key.checks.iter().find(|(known, _)| *known == algorithm));
    checks.map(|(_, check)| check).take(MAX_CANDIDATES).collect()
}

impl PublicKey {
    fn is_same(&self, other: &Self) -> bool {
        self.id == other.id
            && self.material == other.material
            && self.checks.iter().map(|(a, _)| a).eq(other.checks.iter().map(|(a, _)| a))
    }
}

fn read_key(jwk: &Map<String, Value>) -> Result<PublicKey, &'static str> {
    let text = |name: &str| match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err("a member that has to be text is not"),
    };
    let number = |name: &str| match jwk.get(name) {
        Some(Value::String(text)) => {
            URL_SAFE_NO_PAD.decode(text).map_err(|_| "a number of it is not base64url")
        }
        _ => Err("a number of it is missing"),
    };
    if text("use")?.is_some_and(|purpose| purpose != "sig") {
        return Err("it is not for signatures (use)");
    }
    let verifies = |ops: &Value| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify"));
    if jwk.get("key_ops").is_some_and(|ops| !verifies(ops)) {
        return Err("it is not for verifying (key_ops)");
    }
    let algorithm = text("alg")?;
    let (material, checks) = match (text("kty")?, text("crv")?) {
        // a published private key cannot be trusted
        (Some("RSA" | "EC" | "OKP"), _) if jwk.contains_key("d") => {
            return Err("its private part is published");
        }
        (Some("RSA"), _) => read_rsa_key(&number("n")?, &number("e")?, algorithm)?,
        (Some("EC"), Some("P-256")) => {
            let point = uncompressed_point(&number("x")?, &number("y")?, 32)?;
            read_point_key(&signature::ECDSA_P256_SHA256_FIXED, Algorithm::ES256, point, algorithm)?
        }
        (Some("EC"), Some("P-384")) => {
            let point = uncompressed_point(&number("x")?, &number("y")?, 48)?;
            read_point_key(&signature::ECDSA_P384_SHA384_FIXED, Algorithm::ES384, point, algorithm)?
        }
        (Some("OKP"), Some("Ed25519")) => {
            let point = number("x")?;
            if point.len() != 32 {
                return Err("its point has the wrong length");
            }
            if ed25519::is_weak(&point) {
                return Err("its point has small order or is not canonical");
            }
            read_point_key(&signature::ED25519, Algorithm::EdDSA, point, algorithm)?
        }
        (Some("oct"), _) => return Err("it is a shared secret"),
        _ => return Err("its type or curve is not supported"),
    };
    Ok(PublicKey { id: text("kid")?.map(str::to_owned), material, checks })
}

type PreparedChecks = (Vec<u8>, Vec<(Algorithm, ParsedPublicKey)>);

const NOT_FOR_ITS_ALGORITHM: &str = "its type does not match its algorithm";

fn read_rsa_key(n: &[u8], e: &[u8], algorithm: Option<&str>) -> Result<PreparedChecks, &'static str> {
    let known: [(Algorithm, &'static RsaParameters); 6] = [
        (Algorithm::RS256, &signature::RSA_PKCS1_2048_8192_SHA256),
        (Algorithm::RS384, &signature::RSA_PKCS1_2048_8192_SHA384),
        (Algorithm::RS512, &signature::RSA_PKCS1_2048_8192_SHA512),
        (Algorithm::PS256, &signature::RSA_PSS_2048_8192_SHA256),
        (Algorithm::PS384, &signature::RSA_PSS_2048_8192_SHA384),
        (Algorithm::PS512, &signature::RSA_PSS_2048_8192_SHA512),
    ];
    let (n, e) = (without_leading_zeros(n), without_leading_zeros(e));
    let bits = n.first().map_or(0, |top| n.len() * 8 - top.leading_zeros() as usize);
    if !(2048..=8192).contains(&bits) {
        return Err("an RSA key has 2048 to 8192 bits");
    }
    // exponent 1 accepts every signature; an even one is no RSA key
    if matches!(e, [] | [1]) || e.last().is_some_and(|low| low % 2 == 0) {
        return Err("its exponent is invalid");
    }
    if n.last().is_some_and(|low| low % 2 == 0) || roca::has_small_factor(n) {
        return Err("its modulus has a small factor");
    }
    if roca::is_weak(n) {
        return Err("it is weak (ROCA, CVE-2017-15361)");
    }
    let components = RsaPublicKeyComponents { n, e };
    let mut checks = Vec::new();
    for (name, parameters) in known {
        if algorithm.is_none_or(|wanted| jws::algorithm(wanted) == Some(name)) {
            let parsed = components.to_parsed_public_key(parameters).map_err(|_| "it is no RSA key")?;
            checks.push((name, parsed));
        }
    }
    if checks.is_empty() {
        return Err(NOT_FOR_ITS_ALGORITHM);
    }
    Ok(([n, &[0], e].concat(), checks))
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// An uncompressed point; RFC 7518 requires both coordinates in full length.
fn uncompressed_point(x: &[u8], y: &[u8], length: usize) -> Result<Vec<u8>, &'static str> {
    if x.len() != length || y.len() != length {
        return Err("its point has the wrong length");
    }
    Ok([&[4], x, y].concat())
}

fn read_point_key(
    check: &'static dyn signature::VerificationAlgorithm,
    name: Algorithm,
    point: Vec<u8>,
    algorithm: Option<&str>,
) -> Result<PreparedChecks, &'static str> {
    if algorithm.is_some_and(|wanted| jws::algorithm(wanted) != Some(name)) {
        return Err(NOT_FOR_ITS_ALGORITHM);
    }
    // parsing also checks that the point lies on the curve
    let parsed = ParsedPublicKey::new(check, &point).map_err(|_| "its point is not on the curve")?;
    Ok((point, vec![(name, parsed)]))
}

#[cfg(test)]
mod tests;
