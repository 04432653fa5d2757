//! Ed25519 public keys under which every signature verifies, and encodings that RFC 8032 §5.1.3 does not allow.

/// The least significant byte of p = 2^255 - 19; all other bytes but the last are 0xff.
const P_LOW: u8 = 0xed;

/// The y coordinates of the eight points of small order, little endian, without the sign of x. The points of order 1, 2 and 4
/// are found by `is_zero_or_one` and `is_minus_one`; these are the two of order 8.
const ORDER_8: [[u8; 32]; 2] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5,
        0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a,
        0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// Whether a point is of small order (a signature under it proves nothing) or its y coordinate is not below p.
pub fn is_weak(point: &[u8]) -> bool {
    let Ok(mut y) = <[u8; 32]>::try_from(point) else { return true };
    let [low, middle @ .., high] = &mut y;
    *high &= 0x7f;
    let (low, high) = (*low, *high);
    let (zeros, ones) = (middle.iter().all(|byte| *byte == 0), middle.iter().all(|byte| *byte == 0xff));
    let is_zero_or_one = zeros && high == 0 && low <= 1;
    // p - 1, which is -1, and everything from p on
    let is_minus_one_or_not_canonical = ones && high == 0x7f && low >= P_LOW - 1;
    is_zero_or_one || is_minus_one_or_not_canonical || ORDER_8.contains(&y)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoding(low: u8, middle: u8, high: u8) -> [u8; 32] {
        let mut point = [middle; 32];
        (point[0], point[31]) = (low, high);
        point
    }

    #[test]
    fn rejects_points_of_small_order_and_non_canonical_ones() {
        let mut weak = vec![
            ("order 4", encoding(0, 0, 0)),
            ("the identity", encoding(1, 0, 0)),
            ("order 2", encoding(0xec, 0xff, 0x7f)),
            ("0 written as p", encoding(0xed, 0xff, 0x7f)),
            ("1 written as p + 1", encoding(0xee, 0xff, 0x7f)),
            ("2 written as p + 2", encoding(0xef, 0xff, 0x7f)),
            ("2^255 - 1", encoding(0xff, 0xff, 0x7f)),
        ];
        weak.extend(ORDER_8.map(|point| ("order 8", point)));
        for (what, mut point) in weak {
            assert!(is_weak(&point), "{what}");
            point[31] |= 0x80;
            assert!(is_weak(&point), "{what}, with the sign of x");
        }
        assert!(is_weak(&[9; 31]) && is_weak(&[]));
        // RFC 8032 §5.1: the base point; §7.1: the key of the first test vector
        let vector = [
            0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
            0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
        ];
        assert!(!is_weak(&encoding(0x58, 0x66, 0x66)) && !is_weak(&vector));
        assert!(!is_weak(&encoding(0xeb, 0xff, 0x7f)) && !is_weak(&encoding(2, 0, 0)));
    }
}
