//! The known word nearest to a mistyped one.

/// `None` when nothing is near enough to be what was meant.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let written = written.to_ascii_lowercase().replace('-', "_");
    // a slip in three letters
    let length = written.chars().count();
    let tolerance = length.div_ceil(3).clamp(1, 4);
    known
        .into_iter()
        // the difference in length is a lower bound of the distance
        .filter(|word| word.chars().count().abs_diff(length) <= tolerance)
        .map(|word| (edit_distance(&written, &word.to_ascii_lowercase()), word))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Levenshtein's distance, one row at a time.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (to, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = *cell;
            left = replaced.min(*cell + 1).min(left + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, steps) in
            [("", "", 0), ("a", "", 1), ("", "ab", 2), ("kitten", "sitting", 3), ("lsiten", "listen", 2)]
        {
            assert_eq!(edit_distance(a, b), steps, "{a} {b}");
        }
    }

    #[test]
    fn suggests_only_close_matches() {
        let known = ["listen", "workers", "public_url", "trusted_proxies"];
        assert_eq!(nearest("lsiten", known), Some("listen"));
        assert_eq!(nearest("publicUrl", known), Some("public_url"));
        assert_eq!(nearest("trusted-proxies", known), Some("trusted_proxies"));
        assert_eq!(nearest("colour", known), None);
    }
}
