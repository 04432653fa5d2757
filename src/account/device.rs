//! The device cookie: proof that this browser has signed in to this account before. Wrong passwords there are counted
//! apart, so that strangers who guess elsewhere cannot lock the owner out. A browser keeps its number from sign-in to sign-in,
//! and a changed password makes all cookies of before void: whoever has stolen one has to know the new password, too.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::Lockout;
use crate::domain::{account::Account, lockout::DeviceId};

/// As long as the browser keeps it: half a year.
const TRUSTED_SECONDS: u64 = 180 * 24 * 3600;

impl Lockout {
    /// What the cookie holds after a sign-in: the browser's number, when it was given out, and a seal over both, the account
    /// and its password's date.
    pub(super) fn device_cookie(&self, account: &Account, device: DeviceId, now: u64) -> String {
        let number = URL_SAFE_NO_PAD.encode(device.bytes());
        let given_out = (now / 1000).to_string();
        let seal = URL_SAFE_NO_PAD.encode(self.seal(account, &number, &given_out));
        format!("{number}.{given_out}.{seal}")
    }

    /// The browser a cookie speaks of, if we gave it out for this account.
    pub(super) fn device(&self, cookie: &str, account: &Account, now: u64) -> Option<DeviceId> {
        let mut parts = cookie.split('.');
        let (number, given_out, seal) = (parts.next()?, parts.next()?, parts.next()?);
        let seal = URL_SAFE_NO_PAD.decode(seal).ok().filter(|_| parts.next().is_none())?;
        let expected = self.seal(account, number, given_out);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected, &seal).ok()?;
        let age = (now / 1000).saturating_sub(given_out.parse().ok()?);
        let random: [u8; 16] = URL_SAFE_NO_PAD.decode(number).ok()?.try_into().ok()?;
        (age <= TRUSTED_SECONDS).then(|| DeviceId::new(random))
    }

    fn seal(&self, account: &Account, number: &str, given_out: &str) -> [u8; 32] {
        let password = account.password_changed_at.to_string();
        self.keyed(&["device", account.id.as_str(), &password, number, given_out])
    }
}
