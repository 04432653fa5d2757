//! ROCA (CVE-2017-15361): RSA keys made by a flawed library can be factored, and are recognised by their modulus.

/// The primes that divide the flawed generator's constant at every key size.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103,
    107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Whether the modulus (big endian) is, modulo each of these primes, a power of 65537. Flawed keys always are; another
/// key is with a chance below one in a hundred million.
pub fn is_weak(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power_of_65537(remainder(modulus, *prime), *prime))
}

/// Whether one of these primes divides the modulus, which then is not the product of two large primes.
pub fn has_small_factor(modulus: &[u8]) -> bool {
    PRIMES.iter().any(|prime| remainder(modulus, *prime) == 0)
}

fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

fn is_power_of_65537(rest: u32, prime: u32) -> bool {
    let step = 65_537 % prime;
    let mut power = 1;
    // the powers repeat after at most `prime - 1` steps
    for _ in 0..prime {
        if power == rest {
            return true;
        }
        power = power * step % prime;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognizes_powers_of_the_generator() {
        for prime in PRIMES {
            assert!(is_power_of_65537(1, prime));
            assert!(is_power_of_65537(65_537 % prime, prime));
            assert!(!is_power_of_65537(0, prime));
        }
        // 65537 = 10 (mod 11), and 10 * 10 = 1: nothing else is a power of it
        assert!(!is_power_of_65537(2, 11));
    }

    #[test]
    fn ordinary_modulus_is_not_weak() {
        assert!(is_weak(&[1]));
        assert!(!is_weak(&[0x0c, 0xa1]));
    }
}
