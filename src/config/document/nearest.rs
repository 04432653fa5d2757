//! The known word nearest to a mistyped one.

/// Keys that had another name before.
const RENAMED: [(&str, &str); 1] = [("tell", "show_failure_reason")];

/// `None` when nothing is near enough to be what was meant.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    if let Some((_, new)) = RENAMED.iter().find(|(old, new)| *old == written && known.contains(new)) {
        return Some(new);
    }
    let written = written.to_ascii_lowercase().replace('-', "_");
    // a slip in three letters
    let length = written.chars().count();
    let tolerance = length.div_ceil(3).clamp(1, 4);
    known
        .into_iter()
        // the difference in length is a lower bound of the distance
        .filter(|word| word.chars().count().abs_diff(length) <= tolerance)
        .map(|word| (strsim::levenshtein(&written, &word.to_ascii_lowercase()), word))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_only_close_matches() {
        let known = ["listen", "workers", "public_url", "trusted_proxies"];
        assert_eq!(nearest("lsiten", known), Some("listen"));
        assert_eq!(nearest("publicUrl", known), Some("public_url"));
        assert_eq!(nearest("trusted-proxies", known), Some("trusted_proxies"));
        assert_eq!(nearest("colour", known), None);
    }

    #[test]
    fn suggests_the_new_name_of_a_renamed_key() {
        assert_eq!(nearest("tell", ["enabled", "show_failure_reason"]), Some("show_failure_reason"));
        assert_eq!(nearest("tell", ["enabled"]), None);
    }
}
