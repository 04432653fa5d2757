//! Parses the `Accept-Language` header.

use std::cmp::Ordering;

/// The primary subtags in order of preference. `*` is any language.
pub fn preferred_languages(accept_language: &str) -> Vec<&str> {
    let mut wishes: Vec<(&str, f32)> = accept_language
        .split(',')
        .take(32) // bounds the work for an oversized header
        .filter_map(|wish| {
            let mut parts = wish.split(';');
            let range = parts.next()?.trim();
            let weight = parts
                .find_map(|parameter| parameter.trim().strip_prefix("q="))
                .map_or(Some(1.0), |written| written.trim().parse::<f32>().ok().filter(|q| q.is_finite()))?;
            let primary = range.split('-').next().unwrap_or(range);
            (weight > 0.0 && !primary.is_empty()).then_some((primary, weight))
        })
        .collect();
    // stable: among equals the first one written wins
    wishes.sort_by(|(_, a), (_, b)| b.partial_cmp(a).unwrap_or(Ordering::Equal));
    wishes.into_iter().map(|(primary, _)| primary).collect()
}
