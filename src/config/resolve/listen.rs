//! Two listeners cannot share one address.

use std::net::{IpAddr, SocketAddr};

use crate::config::document_context::DocumentContext;
use crate::config::{
    document::KeyPath,
    model::{AdminSettings, ManagementSettings, ServerSettings},
};

pub fn reject_shared_addresses(
    server: &ServerSettings,
    admin: &AdminSettings,
    management: &ManagementSettings,
    scope: &mut DocumentContext<'_>,
) {
    let root = KeyPath::root();
    let at = |section: &str| root.name(section).name("listen");
    let (plain, encrypted) = (at("server"), root.name("server").name("tls").name("listen"));
    let several = |key: &KeyPath, listen: &[SocketAddr]| -> Vec<_> {
        listen.iter().enumerate().map(|(index, at)| (key.item(index), key.to_string(), *at)).collect()
    };
    let one = |section: &str, listen: Option<SocketAddr>| {
        listen.map(|listen| (at(section), at(section).to_string(), listen))
    };
    let mut taken = several(&plain, &server.listen);
    taken.extend(server.tls.iter().flat_map(|tls| several(&encrypted, &tls.listen)));
    taken.extend(one("management", management.listen));
    taken.extend(one("admin", admin.listen));
    for (index, second) in taken.iter().enumerate() {
        let Some(first) = taken.iter().take(index).find(|first| is_conflicting(first.2, second.2)) else {
            continue;
        };
        // reported at the configured address: a default is not in the file
        let (reported, other) = if scope.has_key(&second.0) { (second, first) } else { (first, second) };
        let message = if reported.2 == other.2 {
            format!("{} is also in {}", reported.2, other.1)
        } else {
            format!("{} is taken by {} in {}", reported.2, other.2, other.1)
        };
        scope.mistake(&reported.0, message, "write another port");
    }
}

/// Whether only one socket can listen at both. Whether `[::]` accepts IPv4 too depends on the system.
fn is_conflicting(one: SocketAddr, other: SocketAddr) -> bool {
    let any = |ip: IpAddr, other: IpAddr| ip.is_unspecified() && ip.is_ipv4() == other.is_ipv4();
    let (a, b) = (one.ip().to_canonical(), other.ip().to_canonical());
    // port 0 is another port each time
    one.port() != 0 && one.port() == other.port() && (a == b || any(a, b) || any(b, a))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use crate::config::load::parse;

    #[test]
    fn one_address_for_two_listeners_is_a_mistake() {
        let tls =
            |listen: &str| format!("tls = {{ listen = [{listen}], cert_file = \"c\", key_file = \"k\" }}");
        for (server, admin, management, expected) in [
            ("listen = [\"127.0.0.1:1\"]", "127.0.0.1:2", "127.0.0.1:3", &[][..]),
            (
                "listen = [\"127.0.0.1:1\"]",
                "127.0.0.1:1",
                "127.0.0.1:3",
                &["admin.listen: 127.0.0.1:1 is also in server.listen"],
            ),
            (
                "listen = [\"127.0.0.1:1\"]",
                "127.0.0.1:2",
                "127.0.0.1:1",
                &["management.listen: 127.0.0.1:1 is also in server.listen"],
            ),
            (
                "listen = [\"127.0.0.1:1\"]",
                "127.0.0.1:3",
                "127.0.0.1:3",
                &["admin.listen: 127.0.0.1:3 is also in management.listen"],
            ),
            ("listen = [\"127.0.0.1:0\"]", "127.0.0.1:0", "127.0.0.1:0", &[]),
            (
                "listen = [\"0.0.0.0:1\"]",
                "127.0.0.1:1",
                "off",
                &["admin.listen: 127.0.0.1:1 is taken by 0.0.0.0:1 in server.listen"],
            ),
            (
                "listen = [\"127.0.0.1:1\"]",
                "0.0.0.0:1",
                "off",
                &["admin.listen: 0.0.0.0:1 is taken by 127.0.0.1:1 in server.listen"],
            ),
            ("listen = [\"127.0.0.1:1\", \"127.0.0.2:1\"]", "127.0.0.3:1", "off", &[]),
            (
                "listen = [\"127.0.0.1:1\", \"127.0.0.1:1\"]",
                "off",
                "off",
                &["server.listen[1]: 127.0.0.1:1 is also in server.listen"],
            ),
            (
                "listen = [\"[::]:1\"]",
                "[::1]:1",
                "off",
                &["admin.listen: [::1]:1 is taken by [::]:1 in server.listen"],
            ),
            // these two are one address or two, as the system is set up
            ("listen = [\"[::]:1\"]", "0.0.0.0:1", "off", &[]),
            (
                "listen = [\"[::ffff:127.0.0.1]:1\"]",
                "127.0.0.1:1",
                "off",
                &["admin.listen: 127.0.0.1:1 is taken by [::ffff:127.0.0.1]:1 in server.listen"],
            ),
            (
                &tls("\"127.0.0.1:8080\""),
                "off",
                "off",
                &["server.tls.listen[0]: 127.0.0.1:8080 is taken by 0.0.0.0:8080 in server.listen"],
            ),
            (
                &format!("listen = [\"127.0.0.1:1\"]\n{}", tls("\"127.0.0.1:1\"")),
                "off",
                "off",
                &["server.tls.listen[0]: 127.0.0.1:1 is also in server.listen"],
            ),
            (
                &tls("\"127.0.0.1:2\""),
                "127.0.0.1:2",
                "off",
                &["admin.listen: 127.0.0.1:2 is also in server.tls.listen"],
            ),
            // the configured one is reported, not the default
            (
                "listen = [\"127.0.0.1:9901\"]",
                "",
                "off",
                &["server.listen[0]: 127.0.0.1:9901 is also in admin.listen"],
            ),
        ] {
            let admin =
                if admin.is_empty() { String::new() } else { format!("[admin]\nlisten = \"{admin}\"\n") };
            let text = format!(
                "[server]\n{server}\n{admin}[management]\nlisten = \"{management}\"\nclear_text = true\n\
                 [accounts]\nenabled = true\n[[portal.upstream]]\nurl = \"http://127.0.0.1:3000\"\n"
            );
            let mistakes = parse(&text, Path::new("d.toml"), &BTreeMap::new()).err().unwrap_or_default();
            let found: Vec<_> =
                mistakes.iter().map(|mistake| format!("{}: {}", mistake.key, mistake.message)).collect();
            assert_eq!(found, expected, "{text}");
        }
    }
}
