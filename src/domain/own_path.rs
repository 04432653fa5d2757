//! Paths of Doorward's own pages, in front of every portal. The portal gets no request for them.

/// Every page is below it.
pub const PREFIX: &str = "/.doorward/";
/// Style sheets, scripts and icons.
pub const ASSETS: &str = "/.doorward/assets/";
pub const TENANTS: &str = "/.doorward/tenants";
pub const SIGN_IN: &str = "/.doorward/sign-in";
pub const SIGN_OUT: &str = "/.doorward/sign-out";
pub const SIGNED_OUT: &str = "/.doorward/signed-out";
pub const ACCOUNT: &str = "/.doorward/account";
pub const SESSIONS: &str = "/.doorward/account/sessions";
pub const PASSWORD: &str = "/.doorward/account/password";

/// Where password managers send users who want to change a password
/// (<https://w3c.github.io/webappsec-change-password-url/>).
pub const CHANGE_PASSWORD: &str = "/.well-known/change-password";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_own_page_is_below_the_prefix() {
        for path in [ASSETS, TENANTS, SIGN_IN, SIGN_OUT, SIGNED_OUT, ACCOUNT, SESSIONS, PASSWORD] {
            assert!(path.starts_with(PREFIX), "{path}");
        }
    }
}
