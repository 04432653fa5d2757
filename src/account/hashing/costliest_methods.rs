//! The costliest stored hash of each method, for calibration.

use super::hash_method::HashMethod;

#[derive(Default)]
pub struct CostliestMethods(Vec<HashMethod>);

impl CostliestMethods {
    /// Unreadable hashes are never verified, and cost nothing.
    pub fn add(&mut self, stored: &str) {
        let Ok(method) = HashMethod::parse(stored) else { return };
        match self.0.iter_mut().find(|known| known.is_kind_of(&method)) {
            Some(known) if known.work() < method.work() => *known = method,
            Some(_) => {}
            None => self.0.push(method),
        }
    }

    pub(super) fn into_methods(self) -> Vec<HashMethod> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(method: &HashMethod) -> &'static str {
        match method {
            HashMethod::Argon2 { .. } => "argon2",
            HashMethod::Bcrypt(_) => "bcrypt",
            HashMethod::Scrypt { .. } => "scrypt",
            HashMethod::Pbkdf2 { .. } => "pbkdf2",
            HashMethod::Salted { .. } => "salted digest",
        }
    }

    #[test]
    fn retains_the_costliest_hash_of_each_method() {
        let salted = "MDEyMzQ1Njc4OWFiY2RlZg$cBg8D2DungRB9k76szThf5ehfyBz991ay6PT8Srwk4M";
        let tail = "abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";
        let mut kinds = CostliestMethods::default();
        for stored in [
            format!("$2b$10${tail}"),
            format!("$2y$14${tail}"),
            format!("$2a$05${tail}"),
            format!("$pbkdf2-sha256$1000${salted}"),
            format!("{{PBKDF2-SHA256}}600000${salted}"),
            format!("$pbkdf2-sha512$2000${salted}"),
            format!("$scrypt$ln=15,r=8,p=1${salted}"),
            format!("$scrypt$ln=10,r=8,p=3${salted}"),
            format!("$argon2id$v=19$m=65536,t=3,p=4${salted}"),
            format!("$argon2i$v=19$m=65536,t=2,p=1${salted}"),
            "{SSHA}VtJJPXPvCfCWGkEI7kkQTL9vdXUwMTIzNDU2Nw==".to_owned(),
            "!".to_owned(),
        ] {
            kinds.add(&stored);
        }
        let kept: Vec<_> = kinds.into_methods().iter().map(|method| (name(method), method.work())).collect();
        assert_eq!(
            kept,
            [
                ("bcrypt", 1 << 14),
                ("pbkdf2", 600_000),
                ("pbkdf2", 2000),
                ("scrypt", 8 << 15),
                ("argon2", 3 * 65536),
                ("salted digest", 1),
            ]
        );
    }
}
