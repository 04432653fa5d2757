//! Changing one's own password, signed in or, where it is due, on the way in.

use axum::{body::Body, extract::RawQuery};
use http::{Request, Response, header};

use super::rules;
use crate::{
    account::{ChangeError, ChangePassword, Changed, hashing::Password},
    domain::{page::Page, password::Violation, return_address::ReturnAddress},
    session::Cookie,
    web::{
        form::Form,
        guest::{ACCOUNT, Guest, PASSWORD, SIGN_IN, mark_refused, parameter, target},
        sign_in::{enter, told, trouble, try_door, whole_seconds},
        view::{Notice, PasswordView, Reason, RuleLine, Trouble},
    },
};

const PURPOSE: &str = "password";

/// What the page shows besides its rules.
struct Asking<'a> {
    login: &'a str,
    signed_in: bool,
    reason: Option<Reason>,
    to: Option<&'a ReturnAddress>,
    trouble: Option<Trouble>,
}

pub async fn show(guest: Guest, RawQuery(query): RawQuery) -> Response<Body> {
    let to = target(&parameter(query.as_deref(), "to"));
    match guest.live().await {
        // whose password it is says which rules it has to meet
        Ok(Some(live)) if live.user.tenant != guest.policy.tenant => {
            guest.go(&format!("{PASSWORD}?tenant={}", live.user.tenant.as_str()))
        }
        Ok(live) => {
            let login = live.as_ref().map_or("", |live| live.user.name.as_str());
            let (signed_in, to) = (live.is_some(), to.as_ref());
            let asking = Asking { login, signed_in, reason: None, to, trouble: None };
            page(&guest, &asking, &rules::asked(&guest.policy.rules.password_policy))
        }
        Err(unavailable) => unavailable,
    }
}

/// The password was right, and has to be changed before it opens the door.
pub fn due(guest: &Guest, login: &str, reason: Reason, to: Option<&ReturnAddress>) -> Response<Body> {
    let asking = Asking { login, signed_in: false, reason: Some(reason), to, trouble: None };
    page(guest, &asking, &rules::asked(&guest.policy.rules.password_policy))
}

pub async fn submit(guest: Guest, request: Request<Body>) -> Response<Body> {
    let sent = match Form::read(&guest.visit, request).await {
        Ok(sent) => sent,
        Err(why) => return guest.not_read(&why),
    };
    let live = match guest.live().await {
        Ok(live) => live,
        Err(unavailable) => return unavailable,
    };
    let to = target(sent.field("to"));
    let login = live.as_ref().map_or(sent.field("username"), |live| live.user.name.as_str());
    let policy = &guest.policy.rules.password_policy;
    let again = |trouble, rules: &[RuleLine]| {
        let (signed_in, to) = (live.is_some(), to.as_ref());
        page(&guest, &Asking { login, signed_in, reason: None, to, trouble: Some(trouble) }, rules)
    };
    if !guest.is_own_form(PURPOSE, &sent) {
        return again(Trouble::FormExpired, &rules::asked(policy));
    }
    if live.as_ref().is_some_and(|live| live.user.tenant != guest.policy.tenant) {
        return guest.page(&Page::StaleForm);
    }
    let (current, new) = (Password::new(sent.field("current")), Password::new(sent.field("new")));
    if login.trim().is_empty() || current.is_empty() || new.is_empty() {
        return again(Trouble::EmptyPassword, &rules::asked(policy));
    }
    if new.expose() != sent.field("again") {
        return again(Trouble::Differs, &rules::asked(policy));
    }
    let change = ChangePassword {
        login,
        current: &current,
        new: &new,
        address: guest.visit.address,
        device: Cookie::Device.read(&guest.headers, guest.visit.https),
        keep: live.as_ref().map(|live| &live.session.hash),
    };
    let trouble = match guest.doors.change_password(&guest.policy, change, guest.now).await {
        Ok(done) if live.is_some() => return stays(&guest, &done),
        Ok(_) => return enters(&guest, login, &new, to.as_ref()).await,
        Err(ChangeError::Rejected(rejected)) => trouble(told(&guest, &rejected), Trouble::WrongCurrent),
        Err(ChangeError::Same) => return again(Trouble::Refused, &rules::same(policy)),
        Err(ChangeError::Policy { first, all }) => {
            return again(refused(&first), &rules::judged(policy, &first, &all));
        }
        Err(ChangeError::Busy(busy)) => {
            Trouble::Busy { seconds: whole_seconds(busy.retry_after), cause: busy.cause }
        }
        Err(ChangeError::Store(error)) => {
            tracing::error!(%error, "a password could not be changed");
            Trouble::Unavailable
        }
    };
    mark_refused(again(trouble, &rules::asked(policy)), trouble)
}

const fn refused(violation: &Violation) -> Trouble {
    match violation {
        Violation::Broken(_) => Trouble::Refused,
        Violation::Unchecked => Trouble::Unchecked,
        Violation::Misconfigured => Trouble::Misconfigured,
    }
}

/// Whoever is signed in stays so, in a browser that stays known.
fn stays(guest: &Guest, done: &Changed) -> Response<Body> {
    let mut response = guest.go(&guest.href(ACCOUNT, &[("done", Notice::PasswordChanged.word())]));
    if let Some(cookie) = Cookie::Device.set(&done.device, guest.visit.https) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Whoever was not is let in with the new password.
async fn enters(guest: &Guest, login: &str, new: &Password, to: Option<&ReturnAddress>) -> Response<Body> {
    if let Ok(signed_in) = try_door(guest, login, new).await {
        enter(guest, &signed_in, to).await
    } else {
        let to = to.map(|to| ("to", to.as_str()));
        guest.go(&guest.href(SIGN_IN, to.as_slice()))
    }
}

fn page(guest: &Guest, asking: &Asking<'_>, rules: &[RuleLine]) -> Response<Body> {
    let Some((csrf, cookie)) = guest.form_token(PURPOSE) else { return guest.unavailable() };
    let Asking { login, signed_in, reason, to, trouble } = *asking;
    let back = guest.href(if signed_in { ACCOUNT } else { SIGN_IN }, &[]);
    let view = PasswordView {
        action: &guest.href(PASSWORD, &[]),
        csrf: &csrf,
        to: to.map(ReturnAddress::as_str),
        login,
        signed_in,
        reason,
        rules,
        passwordrules: &guest.policy.rules.password_policy.passwordrules(),
        trouble,
        back: &back,
    };
    guest.show(&view, cookie)
}
