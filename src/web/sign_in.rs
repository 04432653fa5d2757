//! The sign-in page: shows the form, takes it, and lets in or says no.

use std::time::Duration;

use axum::{body::Body, extract::RawQuery};
use http::{Request, Response, header};

use super::{
    account::password,
    form::Form,
    guest::{Guest, SIGN_IN, mark_refused, parameter, target},
    view::{Reason, SignInView, Trouble},
};
use crate::{
    account::{Attempt, Door, Rejected, SignedIn, Told, hashing::Password},
    domain::return_address::ReturnAddress,
    session::{Cookie, NotBegun},
};

const PURPOSE: &str = "sign-in";

/// Whoever is signed in already goes on.
pub async fn show(guest: Guest, RawQuery(query): RawQuery) -> Response<Body> {
    let to = target(&parameter(query.as_deref(), "to"));
    match guest.live().await {
        Ok(Some(live)) if guest.welcomes(&live.user.tenant) => {
            guest.go(&to.map_or_else(|| guest.start(&guest.policy.tenant), |to| to.as_str().to_owned()))
        }
        Ok(_) => form(&guest, to.as_ref(), "", None),
        Err(unavailable) => unavailable,
    }
}

pub async fn submit(guest: Guest, request: Request<Body>) -> Response<Body> {
    let sent = match Form::read(&guest.visit, request).await {
        Ok(sent) => sent,
        Err(why) => return guest.not_read(&why),
    };
    let to = target(sent.field("to"));
    let login = sent.field("username");
    let again = |trouble| form(&guest, to.as_ref(), login, Some(trouble));
    if !guest.is_own_form(PURPOSE, &sent) {
        return again(Trouble::FormExpired);
    }
    let password = Password::new(sent.field("password"));
    if login.trim().is_empty() || password.is_empty() {
        return again(Trouble::Empty);
    }
    match try_door(&guest, login, &password).await {
        Ok(signed_in) => enter(&guest, &signed_in, to.as_ref()).await,
        Err(Rejected::PasswordExpired(account)) => {
            let reason = if account.must_change_password { Reason::Must } else { Reason::Expired };
            password::due(&guest, login, reason, to.as_ref())
        }
        Err(rejected) => {
            let trouble = trouble(told(&guest, &rejected), Trouble::Wrong);
            mark_refused(again(trouble), trouble)
        }
    }
}

pub async fn try_door(guest: &Guest, login: &str, password: &Password) -> Result<SignedIn, Rejected> {
    let attempt = Attempt {
        login,
        password,
        address: guest.visit.address,
        device: Cookie::Device.read(&guest.headers, guest.visit.https),
        door: Door::Form,
    };
    guest.doors.sign_in(&guest.policy, attempt, guest.now).await
}

pub fn told(guest: &Guest, rejected: &Rejected) -> Told {
    rejected.told(&guest.policy.rules.account_lock, guest.now)
}

/// What may be said; `wrong` is the sentence for whatever is nobody's business.
pub fn trouble(told: Told, wrong: Trouble) -> Trouble {
    match told {
        Told::WrongOrLocked | Told::MustChangePassword => wrong,
        Told::Locked { minutes } => Trouble::Locked { minutes },
        Told::Disabled => Trouble::Disabled,
        Told::Busy(busy) => Trouble::Busy { seconds: whole_seconds(busy.retry_after), cause: busy.cause },
        Told::Unavailable => Trouble::Unavailable,
    }
}

/// Rounded up: who comes back then is not too early.
pub fn whole_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}

/// Begins a session under a new name and sends the browser where it wanted to go.
pub async fn enter(guest: &Guest, signed_in: &SignedIn, to: Option<&ReturnAddress>) -> Response<Body> {
    let old = guest.session_secret();
    let agent = guest.text(header::USER_AGENT);
    let begun =
        guest.doors.begin_session(signed_in, agent, guest.visit.address.ip, old.as_ref(), guest.now).await;
    let secret = match begun {
        Ok(secret) => secret,
        // as if the attempt had come a moment later
        Err(NotBegun::Changed) => return form(guest, to, "", Some(Trouble::Wrong)),
        Err(NotBegun::Store(error)) => {
            tracing::error!(%error, "a session could not be begun");
            return guest.unavailable();
        }
    };
    let home = &signed_in.account.tenant;
    let target = match to {
        // this tenant would only ask to sign in once more
        _ if !guest.welcomes(home) => guest.start(home),
        Some(to) => to.as_str().to_owned(),
        None => guest.start(&guest.policy.tenant),
    };
    let mut response = guest.go(&target);
    let https = guest.visit.https;
    let cookies = [Cookie::Session.set(&secret.value(), https), Cookie::Device.set(&signed_in.device, https)];
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn form(guest: &Guest, to: Option<&ReturnAddress>, login: &str, trouble: Option<Trouble>) -> Response<Body> {
    let Some((csrf, cookie)) = guest.form_token(PURPOSE) else { return guest.unavailable() };
    let view = SignInView {
        action: &guest.href(SIGN_IN, &[]),
        csrf: &csrf,
        to: to.map(ReturnAddress::as_str),
        login,
        trouble,
        look_around: guest.policy.anonymous,
        choose_tenant: guest.visit.several_tenants,
    };
    guest.show(&view, cookie)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::hashing::{Busy, BusyCause};

    #[test]
    fn strangers_hear_one_sentence_and_when_to_come_back() {
        let cause = BusyCause::ClientShare;
        let busy = |ms| Told::Busy(Busy { retry_after: Duration::from_millis(ms), cause });
        for (told, said) in [
            (Told::WrongOrLocked, Trouble::Wrong),
            (Told::MustChangePassword, Trouble::Wrong),
            (Told::Unavailable, Trouble::Unavailable),
            (Told::Locked { minutes: Some(5) }, Trouble::Locked { minutes: Some(5) }),
            (Told::Disabled, Trouble::Disabled),
            (busy(0), Trouble::Busy { seconds: 1, cause }),
            (busy(1001), Trouble::Busy { seconds: 2, cause }),
        ] {
            assert_eq!(trouble(told, Trouble::Wrong), said, "{told:?}");
        }
    }
}
