//! All paths that lenient programs may read from one path. A rule that restricts a path applies to every
//! reading of it.

use std::sync::OnceLock;

use super::{PathShape, steps::STEPS};

/// Limits: a path with more readings, or with readings of more bytes in all, is ambiguous. They bound the time that a client can
/// make Doorward spend on a request.
const MAX_READINGS: usize = 64;
/// The limit for a path of more than `LONG` bytes.
const MAX_READINGS_OF_LONG: usize = 16;
const LONG: usize = 1024;
/// In addition to three times the length of the path.
const MAX_BYTES: usize = 8 * 1024;

/// Why the readings of a path are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownReadings {
    TooMany,
    /// One of them leaves the root by its `..` segments.
    AboveRoot,
}

/// A path with all its readings, which are computed at the first use.
pub struct Readings<'p> {
    path: &'p str,
    shape: PathShape,
    others: OnceLock<Result<Vec<String>, UnknownReadings>>,
}

impl<'p> Readings<'p> {
    pub fn of(path: &'p str) -> Self {
        Self::with_shape(path, PathShape::of(path).unwrap_or(PathShape::Structured))
    }

    /// `shape` is that of `path`.
    pub const fn with_shape(path: &'p str, shape: PathShape) -> Self {
        Self { path, shape, others: OnceLock::new() }
    }

    /// The path as it was sent.
    pub const fn path(&self) -> &'p str {
        self.path
    }

    pub const fn shape(&self) -> PathShape {
        self.shape
    }

    /// All readings but the path itself.
    pub fn others(&self) -> Result<&[String], UnknownReadings> {
        if self.shape == PathShape::Plain {
            return Ok(&[]);
        }
        match self.others.get_or_init(|| all_of(self.path)) {
            Ok(others) => Ok(others),
            Err(unknown) => Err(*unknown),
        }
    }

    /// Whether one of them `matches`, or they are not known.
    pub fn any(&self, matches: impl Fn(&str) -> bool) -> bool {
        matches(self.path)
            || self.others().ok().is_none_or(|others| others.iter().any(|reading| matches(reading)))
    }
}

/// All readings of `path` but the path itself.
pub fn all_of(path: &str) -> Result<Vec<String>, UnknownReadings> {
    if leaves_root(path) {
        return Err(UnknownReadings::AboveRoot);
    }
    let mut found: Vec<String> = Vec::new();
    let most = if path.len() > LONG { MAX_READINGS_OF_LONG } else { MAX_READINGS };
    let mut bytes_left = MAX_BYTES + 3 * path.len();
    let mut current = path.to_owned();
    for next in 0.. {
        for step in STEPS {
            let Some(reading) = step(&current) else { continue };
            if reading == path || found.contains(&reading) {
                continue;
            }
            if leaves_root(&reading) {
                return Err(UnknownReadings::AboveRoot);
            }
            let left = bytes_left.checked_sub(reading.len()).filter(|_| found.len() < most);
            bytes_left = left.ok_or(UnknownReadings::TooMany)?;
            found.push(reading);
        }
        let Some(reading) = found.get(next) else { break };
        current.clone_from(reading);
    }
    Ok(found)
}

/// Whether the `..` segments lead above the root, however empty segments are counted.
fn leaves_root(path: &str) -> bool {
    let mut depth = 0_usize;
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(above) => depth = above,
                None => return true,
            },
            _ => depth += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_readings_of_lenient_programs() {
        for (path, reading) in [
            ("/public/%ef%bc%8e%ef%bc%8e/portal/secret", "/portal/secret"),
            ("/public/%e2%80%a4%e2%80%a4/secret", "/secret"),
            ("/public/%e2%80%a5/secret", "/secret"),
            ("/public%ef%bc%8f..%ef%bc%8fsecret", "/secret"),
            ("/public/..%e2%81%84secret", "/secret"),
            ("/public/%c0%ae%c0%ae/secret", "/secret"),
            ("/public/%e0%80%ae%f0%80%80%ae/secret", "/secret"),
            ("/public%c0%af..%c0%afsecret", "/secret"),
            ("/public/%u002e%u002e/secret", "/secret"),
            ("/public/%uff0e%uff0e/secret", "/secret"),
            ("/public/%252e%252e/secret", "/secret"),
            ("/public/%25252e%25252e/secret", "/secret"),
            ("/public/../secret", "/secret"),
            ("/public/%2e%2e/secret", "/secret"),
            ("/public/..%2fsecret", "/secret"),
            ("/public/..;/secret", "/secret"),
            ("/public/..;x=1/secret", "/secret"),
            ("/public/..%3bx=1/secret", "/secret"),
            ("/secret;jsessionid=1", "/secret"),
            ("/secret;/x", "/secret"),
            ("/public\\..\\secret", "/secret"),
            ("/public/..%5csecret", "/secret"),
            ("/public%c2%a5..%c2%a5secret", "/secret"),
            ("//secret", "/secret"),
            ("/public//..//secret//..//secret", "/secret"),
            ("//public/secret", "/secret"),
            ("/\\public/secret", "/secret"),
            ("///public/secret", "/secret"),
            ("/%2fpublic/secret", "/secret"),
            ("/./secret/.", "/secret/"),
            ("/secret%20", "/secret"),
            ("/secret.%20", "/secret"),
            ("/secret+", "/secret"),
            ("/secret%a0", "/secret"),
            ("/sec%ffret", "/secret"),
            ("/public/..%c0%af/secret", "/secret"),
            ("/s%c3%a9cr%65t", "/secret"),
            ("/secret::$DATA", "/secret"),
            ("/secret:$i30:$INDEX_ALLOCATION/x", "/secret/x"),
            ("/index.php/secret", "/secret"),
            ("/app/Index.PHP/secret", "/app/secret"),
            ("/a%2ecgi/secret/x", "/secret/x"),
            ("/(S(0ab1))/secret", "/secret"),
            ("/(A(x)S(y))/secret/x", "/secret/x"),
            ("/secret%3a%3a$DATA", "/secret"),
            ("/sec%09ret", "/secret"),
            ("/public/.%09./secret", "/secret"),
            ("/secret%2500.png", "/secret"),
            ("/secret%3fx", "/secret"),
            ("/secret%23", "/secret"),
            ("/%ef%bd%93%ef%bd%85%ef%bd%83ret", "/secret"),
            ("/%c5%bfecret", "/secret"),
            ("/ſecret", "/secret"),
            ("/sec%e2%80%8bret", "/secret"),
            ("/adm%c4%b1n", "/admin"),
            // decoded twice, as bytes
            ("/%%65f%bd%93ecret", "/secret"),
            // each program knows some of the encodings only
            ("/t%65ams/a%2Fb", "/teams/a%2Fb"),
            ("/teams/a%u002fb%2fsecret", "/teams/a%u002fb/secret"),
            ("/teams/a%c0%afb%2fsecret", "/teams/a%C0%AFb/secret"),
            ("/teams/a%c0%afb%2fsecret", "/teams/a/b%2fsecret"),
        ] {
            let found = all_of(path).unwrap();
            assert!(found.iter().any(|found| found == reading), "{path}: {found:?}");
        }
    }

    #[test]
    fn ordinary_paths_have_few_readings() {
        for (path, readings) in [
            ("/", &[][..]),
            ("/devportal/apis/0ab/overview", &[]),
            ("/a.b/c..d/e/", &[]),
            ("/.well-known/x", &[]),
            ("/caf%C3%A9/x", &["/café/x", "/cafe/x"]),
            ("/%E3%81%AF/%ED%95%9C", &["/は/한"]),
            ("/a%20b", &["/a b"]),
            ("/wiki/C%2B%2Bx", &["/wiki/C++x"]),
            ("/@acme%2fhello", &["/@acme/hello"]),
            ("/job/release%252F1.12", &["/job/release%2F1.12", "/job/release/1.12"]),
            ("/a;jsessionid=1/b", &["/a/b", "/a"]),
            ("/100%", &[]),
            ("/secret.", &["/secret"]),
            ("/secret../x", &["/secret/x"]),
            ("/wiki/C%23", &["/wiki/C#", "/wiki/C"]),
        ] {
            assert_eq!(all_of(path).unwrap(), readings, "{path}");
            assert_eq!(Readings::of(path).others().unwrap(), readings, "{path}");
        }
        for path in [
            "/api/vhosts/%2F/permissions",
            "/a%20b/c;jsessionid=1/d%2Fe//f",
            "/files/C%3A%5CUsers%5Cx%20y%5Cz.txt",
            "/p/%D0%9F%D1%80%D0%B8%D0%B2%D0%B5%D1%82,%20%D0%BC%D0%B8%D1%80/%3F",
        ] {
            assert!(all_of(path).is_ok(), "{path}");
        }
    }

    #[test]
    fn attack_path_with_too_many_readings() {
        let deep = format!("/{}2e/x", "%25".to_owned() + &"25".repeat(100));
        let mixed = "/%20a%3b%5c%2e%23/%2e%2e/%ef%bc%8e%25252f%c0%af//b%20.;/a%255cx".repeat(3);
        for path in [deep, mixed, format!("/{}/%{}41", "a".repeat(1100), "25".repeat(20))] {
            assert_eq!(all_of(&path), Err(UnknownReadings::TooMany), "{path}");
            assert!(Readings::of(&path).any(|_| false), "{path}");
        }
    }

    #[test]
    fn attack_path_that_leaves_the_root() {
        for path in [
            "/..",
            "/../etc/passwd",
            "/a/../../etc/passwd",
            "/%2e%2e/etc",
            "/a/..%2f../etc",
            "/a/..;/..;x/etc",
            "/a\\..\\..\\etc",
            "/a//../../etc",
            "/..%252f",
            "/%u002e%u002e/etc",
        ] {
            assert_eq!(all_of(path), Err(UnknownReadings::AboveRoot), "{path}");
        }
    }

    /// Encodes `path` in forms that lenient programs undo.
    fn obfuscated(path: &str, how: &[u8]) -> String {
        how.iter().fold(path.to_owned(), |path, how| match how {
            0 => path.replace('e', "%65"),
            1 => path.replace('%', "%25"),
            2 => path.replacen('/', "//", 2),
            3 => format!("/public/..{path}"),
            4 => format!("{path};v=1"),
            5 => path.replacen("/a", "\\a", 1),
            6 => path.replace('a', "%ef%bd%81"),
            7 => path.replace("..", "%ef%bc%8e%c0%ae"),
            8 => format!("//host{path}"),
            9 => path.replacen("/b", "%2fb", 1),
            _ => format!("{path}%20"),
        })
    }

    proptest! {
        #[test]
        fn finds_the_plain_path_among_the_readings(
            segments in prop::collection::vec("[a-e]{1,3}", 1..4),
            how in prop::collection::vec(0_u8..11, 0..3),
        ) {
            let plain = format!("/{}", segments.join("/"));
            let sent = obfuscated(&plain, &how);
            if let Ok(found) = all_of(&sent) {
                prop_assert!(sent == plain || found.contains(&plain), "{} {:?}", sent, found);
            }
        }

        /// So the strictest reading of a path is at least as strict as the strictest reading of each of them.
        #[test]
        fn readings_of_a_reading_are_readings_of_the_path(path in "/[a-c%2e5fF;\\\\/. \u{ff0e}\u{2044}c0aebfu]{0,24}") {
            if let Ok(found) = all_of(&path) {
                prop_assert!(found.len() <= MAX_READINGS && !found.contains(&path));
                for reading in &found {
                    let again = all_of(reading);
                    prop_assert!(again.is_ok(), "{} {}", path, reading);
                    for other in again.unwrap() {
                        prop_assert!(other == path || found.contains(&other), "{} {} {}", path, reading, other);
                    }
                }
            }
        }

        #[test]
        fn a_plain_path_has_one_reading(path in "/[ -~é\u{ff0e}]{0,24}") {
            if PathShape::of(&path) == Ok(PathShape::Plain) {
                prop_assert_eq!(all_of(&path), Ok(Vec::new()), "{}", path);
            }
        }
    }
}
