//! Web origins (RFC 6454).

/// The serialised origin of a host with scheme `https` or `http`: in lower case, without the scheme's default port, as browsers send
/// it in `Origin`.
pub fn serialize(https: bool, host: &str) -> String {
    let (scheme, default_port) = if https { ("https", ":443") } else { ("http", ":80") };
    format!("{scheme}://{}", host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_port_is_not_part_of_an_origin() {
        for (https, host, origin) in [
            (true, "portal.test", "https://portal.test"),
            (true, "Portal.Test:443", "https://portal.test"),
            (true, "portal.test:8443", "https://portal.test:8443"),
            (true, "portal.test:80", "https://portal.test:80"),
            (false, "portal.test:80", "http://portal.test"),
            (false, "portal.test:443", "http://portal.test:443"),
            (true, "[2001:DB8::1]:443", "https://[2001:db8::1]"),
            (true, "[2001:db8::443]", "https://[2001:db8::443]"),
        ] {
            assert_eq!(serialize(https, host), origin, "{https} {host}");
        }
    }
}
