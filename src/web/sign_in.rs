//! The sign-in page: shows the form, verifies it, and begins a session or reports an error.

use axum::{body::Body, extract::RawQuery};
use http::{Request, Response, header};

use super::{
    account::password,
    form::Form,
    page_request::{PageRequest, mark_refused, query_parameter, return_target},
    view::{ChangeReason, FormError, SignInView},
};
use crate::{
    account::{
        LoginChannel, LoginError, LoginOutcome, LoginRequest, LoginSuccess, PublicLoginError,
        hashing::Password,
    },
    domain::{own_path, return_address::ReturnAddress},
    session::{BeginSessionError, OwnCookie},
};

const CSRF_PURPOSE: &str = "sign-in";

/// Redirects a browser that has a session.
pub async fn show(request: PageRequest, RawQuery(query): RawQuery) -> Response<Body> {
    let to = return_target(&query_parameter(query.as_deref(), "to"));
    match request.current_session().await {
        Ok(Some(live)) if request.allows_users_of(&live.user.tenant) => request.redirect(
            &to.map_or_else(|| request.start_page(&request.policy.tenant), |to| to.as_str().to_owned()),
        ),
        Ok(_) => sign_in_form(&request, to.as_ref(), "", None),
        Err(unavailable) => unavailable,
    }
}

pub async fn submit(page_request: PageRequest, request: Request<Body>) -> Response<Body> {
    let submitted = match Form::read(&page_request.context, request).await {
        Ok(submitted) => submitted,
        Err(read_error) => return page_request.form_error_page(&read_error),
    };
    let to = return_target(submitted.field("to"));
    let login = submitted.field("username");
    let show_again = |error| sign_in_form(&page_request, to.as_ref(), login, Some(error));
    if !page_request.is_own_form(CSRF_PURPOSE, &submitted) {
        return show_again(FormError::FormExpired);
    }
    let password = Password::new(submitted.field("password"));
    if login.trim().is_empty() || password.is_empty() {
        return show_again(FormError::EmptyField);
    }
    match attempt_sign_in(&page_request, login, &password).await {
        Ok(LoginOutcome::Success(signed_in)) => begin_session(&page_request, &signed_in, to.as_ref()).await,
        Ok(LoginOutcome::MustChangePassword(account)) => {
            let reason = if account.must_change_password {
                ChangeReason::SetByAdministrator
            } else {
                ChangeReason::Expired
            };
            password::require_password_change(&page_request, login, reason, to.as_ref())
        }
        Err(rejected) => {
            let error = error(public_error(&page_request, &rejected), FormError::WrongCredentials);
            mark_refused(show_again(error), error)
        }
    }
}

pub async fn attempt_sign_in(
    request: &PageRequest,
    login: &str,
    password: &Password,
) -> Result<LoginOutcome, LoginError> {
    let attempt = LoginRequest {
        login,
        password,
        address: request.context.address,
        device: OwnCookie::Device.read(&request.headers, request.context.https),
        channel: LoginChannel::Form,
    };
    request.accounts.login.attempt(&request.policy, attempt, request.now).await
}

pub fn public_error(request: &PageRequest, rejected: &LoginError) -> PublicLoginError {
    rejected.public_error(&request.policy.rules.account_lock, request.now)
}

/// The error to show; `fallback` is the uniform one for every state that must not be disclosed.
pub fn error(public: PublicLoginError, fallback: FormError) -> FormError {
    match public {
        PublicLoginError::InvalidCredentials => fallback,
        PublicLoginError::Locked { remaining } => FormError::Locked { remaining },
        PublicLoginError::Disabled => FormError::Disabled,
        PublicLoginError::Busy(busy) => FormError::Busy { retry_after: busy.retry_after, cause: busy.cause },
        PublicLoginError::Unavailable => FormError::Unavailable,
    }
}

/// Begins a session with a new identifier and redirects to the return address.
pub async fn begin_session(
    request: &PageRequest,
    signed_in: &LoginSuccess,
    to: Option<&ReturnAddress>,
) -> Response<Body> {
    let old = request.session_secret();
    let agent = request.header_text(header::USER_AGENT);
    let new_session = signed_in.new_session(agent, request.context.address.ip, old.as_ref());
    let secret = match request.accounts.sessions.begin(new_session, request.now).await {
        Ok(secret) => secret,
        // the account changed meanwhile: the same result as for a later attempt
        Err(BeginSessionError::AccountChanged) => {
            return sign_in_form(request, to, "", Some(FormError::WrongCredentials));
        }
        Err(error @ (BeginSessionError::Store(_) | BeginSessionError::Random(_))) => {
            tracing::error!(%error, "failed to begin session");
            return request.unavailable();
        }
    };
    let account_tenant = &signed_in.account.tenant;
    let target = match to {
        // this tenant does not accept users of that one, and would ask for sign-in again
        _ if !request.allows_users_of(account_tenant) => request.start_page(account_tenant),
        Some(to) => to.as_str().to_owned(),
        None => request.start_page(&request.policy.tenant),
    };
    let mut response = request.redirect(&target);
    let https = request.context.https;
    let cookies =
        [OwnCookie::Session.set(&secret.value(), https), OwnCookie::Device.set(&signed_in.device, https)];
    for cookie in cookies.into_iter().flatten() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn sign_in_form(
    request: &PageRequest,
    to: Option<&ReturnAddress>,
    login: &str,
    error: Option<FormError>,
) -> Response<Body> {
    let Some((csrf, cookie)) = request.form_token(CSRF_PURPOSE) else { return request.unavailable() };
    let view = SignInView {
        action: &request.href(own_path::SIGN_IN, &[]),
        csrf: &csrf,
        to: to.map(ReturnAddress::as_str),
        login,
        error,
        allows_anonymous: request.policy.anonymous,
        has_other_tenants: request.context.several_tenants,
    };
    request.form_page(&view, cookie)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::account::hashing::{BusyCause, HasherBusy};

    #[test]
    fn public_errors_are_uniform_with_retry_time() {
        let (retry_after, cause) = (Duration::from_secs(2), BusyCause::ClientShare);
        let remaining = Some(Duration::from_mins(5));
        for (public, expected) in [
            (PublicLoginError::InvalidCredentials, FormError::WrongCredentials),
            (PublicLoginError::Unavailable, FormError::Unavailable),
            (PublicLoginError::Locked { remaining }, FormError::Locked { remaining }),
            (PublicLoginError::Disabled, FormError::Disabled),
            (
                PublicLoginError::Busy(HasherBusy { retry_after, cause }),
                FormError::Busy { retry_after, cause },
            ),
        ] {
            assert_eq!(error(public, FormError::WrongCredentials), expected, "{public:?}");
        }
    }
}
