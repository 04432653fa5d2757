//! Password change: by a signed-in user, or required at sign-in.

use axum::{body::Body, extract::RawQuery};
use http::{Request, Response, header};

use super::rules;
use crate::{
    account::{
        LoginOutcome, NewPasswordError, PasswordChangeError, PasswordChangeRequest, PasswordChanged,
        hashing::Password,
    },
    domain::{own_path, page::StatusPage, password::Violation, return_address::ReturnAddress},
    session::OwnCookie,
    web::{
        form::Form,
        page_request::{PageRequest, mark_refused, query_parameter, return_target},
        sign_in::{attempt_sign_in, begin_session, error, public_error},
        view::{ChangeReason, FormError, Notice, PasswordView, RuleLine},
    },
};

const CSRF_PURPOSE: &str = "password";

/// Content of the page besides its rules.
struct PasswordFormState<'a> {
    login: &'a str,
    signed_in: bool,
    reason: Option<ChangeReason>,
    to: Option<&'a ReturnAddress>,
    failure: Option<FormError>,
}

pub async fn show(request: PageRequest, RawQuery(query): RawQuery) -> Response<Body> {
    let to = return_target(&query_parameter(query.as_deref(), "to"));
    match request.current_session().await {
        // the tenant of the account determines the rules
        Ok(Some(live)) if live.user.tenant != request.policy.tenant => {
            request.redirect(&format!("{}?tenant={}", own_path::PASSWORD, live.user.tenant.as_str()))
        }
        Ok(live) => {
            let login = live.as_ref().map_or("", |live| live.user.name.as_str());
            let (signed_in, to) = (live.is_some(), to.as_ref());
            let state = PasswordFormState { login, signed_in, reason: None, to, failure: None };
            password_page(&request, &state, &rules::requirements(&request.policy.rules.password_policy))
        }
        Err(unavailable) => unavailable,
    }
}

/// The password was correct, but has to be changed before a session begins.
pub fn require_password_change(
    request: &PageRequest,
    login: &str,
    reason: ChangeReason,
    to: Option<&ReturnAddress>,
) -> Response<Body> {
    let state = PasswordFormState { login, signed_in: false, reason: Some(reason), to, failure: None };
    password_page(request, &state, &rules::requirements(&request.policy.rules.password_policy))
}

pub async fn submit(page_request: PageRequest, request: Request<Body>) -> Response<Body> {
    let form = match Form::read(&page_request.context, request).await {
        Ok(form) => form,
        Err(read_error) => return page_request.form_error_page(&read_error),
    };
    let live = match page_request.current_session().await {
        Ok(live) => live,
        Err(unavailable) => return unavailable,
    };
    let to = return_target(form.field("to"));
    let login = live.as_ref().map_or(form.field("username"), |live| live.user.name.as_str());
    let policy = &page_request.policy.rules.password_policy;
    let show_again = |failure, rules: &[RuleLine]| {
        let (signed_in, to) = (live.is_some(), to.as_ref());
        password_page(
            &page_request,
            &PasswordFormState { login, signed_in, reason: None, to, failure: Some(failure) },
            rules,
        )
    };
    if !page_request.is_own_form(CSRF_PURPOSE, &form) {
        return show_again(FormError::FormExpired, &rules::requirements(policy));
    }
    if live.as_ref().is_some_and(|live| live.user.tenant != page_request.policy.tenant) {
        return page_request.page(&StatusPage::ExpiredForm);
    }
    let (current, new) = (Password::new(form.field("current")), Password::new(form.field("new")));
    if login.trim().is_empty() || current.is_empty() || new.is_empty() {
        return show_again(FormError::EmptyPassword, &rules::requirements(policy));
    }
    if new.expose() != form.field("again") {
        return show_again(FormError::PasswordsDiffer, &rules::requirements(policy));
    }
    let change = PasswordChangeRequest {
        login,
        current: &current,
        new: &new,
        address: page_request.context.address,
        device: OwnCookie::Device.read(&page_request.headers, page_request.context.https),
        retained_session: live.as_ref().map(|live| &live.session.hash),
    };
    let changed =
        page_request.accounts.passwords.change(&page_request.policy, change, page_request.now).await;
    let failure = match changed {
        Ok(done) if live.is_some() => return redirect_to_account(&page_request, &done),
        Ok(_) => return sign_in_with_new_password(&page_request, login, &new, to.as_ref()).await,
        Err(PasswordChangeError::CurrentPassword(rejected)) => {
            error(public_error(&page_request, &rejected), FormError::WrongCurrentPassword)
        }
        Err(PasswordChangeError::Unchanged) => {
            return show_again(FormError::PolicyViolated, &rules::same_password_requirements(policy));
        }
        Err(PasswordChangeError::NewPassword(NewPasswordError::Policy { first, all })) => {
            return show_again(policy_error(&first), &rules::evaluated_requirements(policy, &first, &all));
        }
        Err(PasswordChangeError::NewPassword(NewPasswordError::Busy(busy))) => {
            FormError::Busy { retry_after: busy.retry_after, cause: busy.cause }
        }
        Err(
            error @ (PasswordChangeError::NewPassword(NewPasswordError::Store(_))
            | PasswordChangeError::Store(_)
            | PasswordChangeError::Random(_)),
        ) => {
            tracing::error!(%error, "failed to change password");
            FormError::Unavailable
        }
    };
    mark_refused(show_again(failure, &rules::requirements(policy)), failure)
}

const fn policy_error(violation: &Violation) -> FormError {
    match violation {
        Violation::Broken(_) => FormError::PolicyViolated,
        Violation::Unchecked => FormError::CheckUnavailable,
        Violation::Misconfigured => FormError::PolicyMisconfigured,
    }
}

/// The session continues, and the browser gets a device cookie.
fn redirect_to_account(request: &PageRequest, done: &PasswordChanged) -> Response<Body> {
    let mut response =
        request.redirect(&request.href(own_path::ACCOUNT, &[("done", Notice::PasswordChanged.word())]));
    if let Some(cookie) = OwnCookie::Device.set(&done.device, request.context.https) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Without a session, signs in with the new password.
async fn sign_in_with_new_password(
    request: &PageRequest,
    login: &str,
    new: &Password,
    to: Option<&ReturnAddress>,
) -> Response<Body> {
    if let Ok(LoginOutcome::Success(signed_in)) = attempt_sign_in(request, login, new).await {
        begin_session(request, &signed_in, to).await
    } else {
        let to = to.map(|to| ("to", to.as_str()));
        request.redirect(&request.href(own_path::SIGN_IN, to.as_slice()))
    }
}

fn password_page(request: &PageRequest, state: &PasswordFormState<'_>, rules: &[RuleLine]) -> Response<Body> {
    let Some((csrf, cookie)) = request.form_token(CSRF_PURPOSE) else { return request.unavailable() };
    let PasswordFormState { login, signed_in, reason, to, failure: error } = *state;
    let back = request.href(if signed_in { own_path::ACCOUNT } else { own_path::SIGN_IN }, &[]);
    let view = PasswordView {
        action: &request.href(own_path::PASSWORD, &[]),
        csrf: &csrf,
        to: to.map(ReturnAddress::as_str),
        login,
        signed_in,
        reason,
        rules,
        passwordrules: &request.policy.rules.password_policy.passwordrules(),
        error,
        back: &back,
    };
    request.form_page(&view, cookie)
}
