//! The device cookie: proof that this browser has signed in to this account before. Failed attempts with it are
//! counted separately, so that attackers elsewhere cannot lock out the owner. A browser keeps its id across logins,
//! and a password change invalidates all earlier cookies: a stolen cookie is useless without the new password.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Lockout;
use crate::domain::{account::Account, lockout::DeviceId, time::Timestamp};

/// Half a year, like the `Max-Age` of the cookie.
const MAX_AGE: Duration = Duration::from_hours(180 * 24);

impl Lockout {
    /// The value of the cookie after a login: the id of the browser, the time of issue, and a MAC over
    /// both, the account and the time of its password change.
    pub(super) fn device_cookie(&self, account: &Account, device: DeviceId, now: Timestamp) -> String {
        let number = URL_SAFE_NO_PAD.encode(device.bytes());
        let issued_at = now.as_seconds().to_string();
        let mac = URL_SAFE_NO_PAD.encode(self.device_cookie_mac(account, &number, &issued_at));
        format!("{number}.{issued_at}.{mac}")
    }

    /// The id of the browser, if the cookie was issued for this account.
    pub(super) fn verify_device_cookie(
        &self,
        cookie: &str,
        account: &Account,
        now: Timestamp,
    ) -> Option<DeviceId> {
        let mut parts = cookie.split('.');
        let (number, issued_at, mac) = (parts.next()?, parts.next()?, parts.next()?);
        let mac = URL_SAFE_NO_PAD.decode(mac).ok().filter(|_| parts.next().is_none())?;
        let expected = self.device_cookie_mac(account, number, issued_at);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected, &mac).ok()?;
        let age = now.saturating_since(Timestamp::from_seconds(issued_at.parse().ok()?));
        let random: [u8; 16] = URL_SAFE_NO_PAD.decode(number).ok()?.try_into().ok()?;
        (age <= MAX_AGE).then(|| DeviceId::new(random))
    }

    fn device_cookie_mac(&self, account: &Account, number: &str, given_out: &str) -> [u8; 32] {
        let password = account.password_changed_at.as_millis().to_string();
        self.keyed_hash(&["device", account.id.as_str(), &password, number, given_out])
    }
}
