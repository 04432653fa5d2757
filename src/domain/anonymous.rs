//! Anonymous mode: whether anonymous requests may access the public pages of the portal.

/// WSO2's precedence: the setting of the tenant overrides the global one in both directions. `None` means
/// that the tenant's file has no `EnableAnonymous`. An unreadable file is not `None`: the caller retains
/// the last good policy, or rejects requests for the tenant.
pub fn is_anonymous_allowed(global: bool, tenant: Option<bool>) -> bool {
    tenant.unwrap_or(global)
}

/// `EnableAnonymous` written as a string, read as WSO2 reads it: "true" in any case is true, all else false.
pub fn parse_boolean(written: &str) -> bool {
    written.eq_ignore_ascii_case("true")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anonymous_mode_follows_its_truth_table() {
        for (global, tenant, allowed) in [
            (true, None, true),
            (true, Some(false), false),
            (true, Some(true), true),
            (false, None, false),
            (false, Some(true), true),
            (false, Some(false), false),
        ] {
            assert_eq!(is_anonymous_allowed(global, tenant), allowed, "global {global}, tenant {tenant:?}");
        }
    }

    #[test]
    fn strings_are_read_as_java_reads_them() {
        for (written, means) in
            [("true", true), ("TRUE", true), ("yes", false), ("1", false), (" true", false), ("", false)]
        {
            assert_eq!(parse_boolean(written), means, "{written:?}");
        }
    }
}
