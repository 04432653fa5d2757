//! The style sheet, the script, the icon, and the small sheet that carries a tenant's accent colour.

use std::sync::LazyLock;

use crate::{
    crypto::sha256,
    domain::{colour::Colour, own_path::ASSETS},
};

pub const STYLE: &str = include_str!("doorward.css");
pub const SCRIPT: &str = include_str!("doorward.js");
pub const ICON: &str = include_str!("doorward.svg");

/// The cards' grounds, light and dark, as the style sheet has them.
const CARD_LIGHT: Colour = Colour::WHITE;
const CARD_DARK: Colour = Colour::new(0x1c, 0x1f, 0x25);

/// A file name with its content's hash: the content of a name never changes, so it may be cached for ever.
fn content_hashed_name(stem: &str, content: &str, extension: &str) -> String {
    let tag: u64 =
        sha256(content.as_bytes()).iter().take(8).fold(0, |tag, byte| (tag << 8) | u64::from(*byte));
    format!("{stem}-{tag:016x}.{extension}")
}

static STYLE_NAME: LazyLock<String> = LazyLock::new(|| content_hashed_name("doorward", STYLE, "css"));
static SCRIPT_NAME: LazyLock<String> = LazyLock::new(|| content_hashed_name("doorward", SCRIPT, "js"));
static ICON_NAME: LazyLock<String> = LazyLock::new(|| content_hashed_name("doorward", ICON, "svg"));

pub fn style_href() -> String {
    format!("{ASSETS}{}", *STYLE_NAME)
}

pub fn script_href() -> String {
    format!("{ASSETS}{}", *SCRIPT_NAME)
}

pub fn icon_href() -> String {
    format!("{ASSETS}{}", *ICON_NAME)
}

/// Where the sheet of this accent colour is. `None` for what is no colour: the page keeps our own accent.
pub fn brand_href(accent: &str) -> Option<String> {
    let colour = Colour::parse(accent).ok()?.to_string();
    Some(format!("{ASSETS}brand/{}.css", colour.trim_start_matches('#')))
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    pub content_type: &'static str,
    pub content: std::borrow::Cow<'static, str>,
    pub cache_control: &'static str,
}

const CACHE_IMMUTABLE: &str = "public, max-age=31536000, immutable";
const CACHE_ONE_DAY: &str = "public, max-age=86400";

/// The file behind `/.doorward/assets/{name}`. An outdated hash gets today's content, uncached: a page of the
/// previous version, still open while replicas are replaced, is not left without its style.
pub fn find_asset(name: &str) -> Option<Asset> {
    let asset = |content_type, content: &'static str, current: bool| Asset {
        content_type,
        content: content.into(),
        cache_control: if current { CACHE_IMMUTABLE } else { "no-cache" },
    };
    match name.strip_prefix("doorward")?.rsplit_once('.')? {
        (_, "css") => Some(asset("text/css; charset=utf-8", STYLE, name == *STYLE_NAME)),
        (_, "js") => Some(asset("text/javascript; charset=utf-8", SCRIPT, name == *SCRIPT_NAME)),
        (_, "svg") => Some(asset("image/svg+xml", ICON, name == *ICON_NAME)),
        _ => None,
    }
}

/// The file behind `/.doorward/assets/brand/{name}`, for `name` = `rrggbb.css`.
pub fn find_brand_style(name: &str) -> Option<Asset> {
    let accent = Colour::parse(&format!("#{}", name.strip_suffix(".css")?)).ok()?;
    Some(Asset {
        content_type: "text/css; charset=utf-8",
        content: brand_style(accent).into(),
        cache_control: CACHE_ONE_DAY,
    })
}

/// A surface keeps the exact accent, with black or white on it; text and lines get the nearest colour that is
/// readable on the card.
fn brand_style(accent: Colour) -> String {
    let ink = accent.text_colour();
    let light = accent.readable_on(CARD_LIGHT);
    let dark = accent.readable_on(CARD_DARK);
    format!(
        ":root{{--accent:{accent};--on-accent:{ink};--accent-text:{light}}}\n\
         @media (prefers-color-scheme:dark){{:root{{--accent:{accent};--on-accent:{ink};--accent-text:{dark}}}}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_sheet_stays_small_and_loads_nothing() {
        assert!(STYLE.len() < 12 * 1024, "{} bytes", STYLE.len());
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
    }

    #[test]
    fn the_script_stays_tiny_and_makes_no_markup() {
        assert!(SCRIPT.len() < 2048, "{} bytes", SCRIPT.len());
        for forbidden in ["innerHTML", "eval", "fetch", "import", "cookie", "Storage"] {
            assert!(!SCRIPT.contains(forbidden), "{forbidden}");
        }
    }

    #[test]
    fn style_sheet_uses_the_colours_contrast_is_computed_for() {
        for ground in [CARD_LIGHT, CARD_DARK] {
            assert!(STYLE.contains(&format!("--card: {ground};")), "{ground}");
        }
    }

    /// Value of a custom property, light (first) and dark (second).
    fn property(name: &str) -> [Colour; 2] {
        let start = format!("--{name}: ");
        let mut found = STYLE.split(&start).skip(1).map(|rest| Colour::parse(&rest[..7]).unwrap());
        [found.next().unwrap(), found.next().unwrap()]
    }

    #[test]
    fn our_own_colours_are_readable() {
        for (text, ground) in [
            ("ink", "card"),
            ("ink", "tint"),
            ("ink-soft", "card"),
            ("ink-soft", "tint"),
            ("accent-text", "card"),
            ("accent-text", "tint"),
            ("on-accent", "accent"),
            ("bad", "card"),
            ("bad", "tint"),
            ("good", "card"),
            ("good", "tint"),
        ] {
            for (mode, (text_colour, ground_colour)) in
                ["light", "dark"].iter().zip(property(text).into_iter().zip(property(ground)))
            {
                let ratio = text_colour.contrast(ground_colour);
                assert!(ratio >= 4.5, "{text} on {ground}, {mode}: {ratio:.2}");
            }
        }
        for (line, ground) in property("line-strong").into_iter().zip(property("card")) {
            assert!(line.contrast(ground) >= 3.0, "the border of a field is seen");
        }
    }

    #[test]
    fn current_hash_is_immutable_and_old_hash_is_not_cached() {
        let name = style_href().rsplit('/').next().unwrap().to_owned();
        assert_eq!(find_asset(&name).unwrap().cache_control, CACHE_IMMUTABLE);
        let outdated = find_asset("doorward-0000000000000000.css").unwrap();
        assert_eq!((outdated.content.as_ref(), outdated.cache_control), (STYLE, "no-cache"));
        for unknown in ["", "doorward", "other.css", "../doorward.css", "doorward.html"] {
            assert_eq!(find_asset(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn a_brand_sheet_holds_colours_and_nothing_else() {
        let sheet = find_brand_style("ffeb3b.css").unwrap().content;
        assert!(sheet.contains("--accent:#ffeb3b") && sheet.contains("--on-accent:#000000"), "{sheet}");
        assert!(!sheet.contains("--accent-text:#ffeb3b;") && !sheet.contains("url"), "{sheet}");
        for hostile in ["", ".css", "fff.css", "ffeb3b", "ffeb3b.css}body{.css", "red.css", "#ffeb3b.css"] {
            assert_eq!(find_brand_style(hostile), None, "{hostile:?}");
        }
        assert_eq!(brand_href("#FFEB3B").as_deref(), Some("/.doorward/assets/brand/ffeb3b.css"));
        assert_eq!(brand_href("red"), None);
    }
}
