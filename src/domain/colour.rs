//! Colours and their contrast, by the rules of WCAG 2: checks whether an accent colour can carry text.

use std::fmt;

/// An opaque colour in sRGB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
}

/// Minimum contrast of text to its background (WCAG 2.2, 1.4.3 AA).
pub const TEXT_CONTRAST: f64 = 4.5;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a colour is written as #rrggbb, with six hexadecimal digits")]
pub struct BadColour;

impl Colour {
    pub const WHITE: Self = Self::new(255, 255, 255);
    pub const BLACK: Self = Self::new(0, 0, 0);

    pub const fn new(red: u8, green: u8, blue: u8) -> Self {
        Self { red, green, blue }
    }

    /// Reads `#rrggbb`, in either case.
    pub fn parse(written: &str) -> Result<Self, BadColour> {
        let digits = written.strip_prefix('#').ok_or(BadColour)?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(BadColour);
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).map_err(|_| BadColour)?.to_be_bytes();
        Ok(Self::new(red, green, blue))
    }

    /// Relative luminance, 0 (black) to 1 (white).
    pub fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.0722f64.mul_add(linear(self.blue), 0.2126f64.mul_add(linear(self.red), 0.7152 * linear(self.green)))
    }

    /// Contrast ratio, 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Black or white: the one with the higher contrast to this colour.
    #[must_use]
    pub fn text_colour(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }

    /// This colour, moved towards black or white in small steps until it can be read as text on `ground`.
    #[must_use]
    pub fn readable_on(self, ground: Self) -> Self {
        let goal = ground.text_colour();
        (0..=32u8)
            .map(|step| self.blend(goal, step))
            .find(|colour| colour.contrast(ground) >= TEXT_CONTRAST)
            .unwrap_or(goal)
    }

    /// `step` of 32 parts of `other`.
    fn blend(self, other: Self, step: u8) -> Self {
        let mix = |from: u8, to: u8| {
            let sum =
                u16::from(from) * u16::from(32 - step.min(32)) + u16::from(to) * u16::from(step.min(32));
            u8::try_from(sum / 32).unwrap_or(u8::MAX)
        };
        Self::new(mix(self.red, other.red), mix(self.green, other.green), mix(self.blue, other.blue))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn colour(written: &str) -> Colour {
        Colour::parse(written).unwrap()
    }

    #[test]
    fn contrast_follows_wcag() {
        for (a, b, ratio) in [
            ("#000000", "#ffffff", 21.0),
            ("#ffffff", "#ffffff", 1.0),
            ("#777777", "#ffffff", 4.48),
            ("#767676", "#ffffff", 4.54),
            ("#ff0000", "#ffffff", 4.00),
            ("#0000ff", "#ffffff", 8.59),
        ] {
            let measured = colour(a).contrast(colour(b));
            assert!((measured - ratio).abs() < 0.01, "{a} on {b}: {measured}");
            assert!((measured - colour(b).contrast(colour(a))).abs() < 1e-9, "the order does not matter");
        }
    }

    #[test]
    fn a_colour_that_reads_well_is_left_alone() {
        assert_eq!(colour("#0b57d0").readable_on(Colour::WHITE), colour("#0b57d0"));
        assert_ne!(colour("#ffeb3b").readable_on(Colour::WHITE), colour("#ffeb3b"));
    }

    #[test]
    fn what_is_no_colour_is_refused() {
        for written in
            ["", "#", "#fff", "0b57d0", "#0b57d", "#0b57d00", "#0b57dg", "#+b57d0", "red", "#é57d0"]
        {
            assert_eq!(Colour::parse(written), Err(BadColour), "{written:?}");
        }
    }

    proptest! {
        #[test]
        fn every_accent_can_be_made_readable(accent: [u8; 3], ground: [u8; 3]) {
            let accent = Colour::new(accent[0], accent[1], accent[2]);
            let ground = Colour::new(ground[0], ground[1], ground[2]);
            prop_assert!(accent.readable_on(ground).contrast(ground) >= TEXT_CONTRAST);
            prop_assert!(accent.text_colour().contrast(accent) >= TEXT_CONTRAST);
        }

        #[test]
        fn writing_and_reading_agree(red: u8, green: u8, blue: u8) {
            let written = Colour::new(red, green, blue);
            prop_assert_eq!(Colour::parse(&written.to_string()), Ok(written));
        }
    }
}
