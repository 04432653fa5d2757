//! Who asks, and what for they may ask: an account with its password, or a token with its scopes.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    Parts,
    access::Door,
    credentials::{self, Credentials},
    error::Problem,
};
use crate::{
    account::{Attempt, Door as AccountDoor, Rejected, hashing::Password},
    clock,
    config::Settings,
    domain::{audit::Proof, tenant::TenantId},
    token::TokenError,
    visit::Call,
};

/// What a token has to be good for; WSO2's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    View,
    Update,
    /// Anybody who is signed in.
    Login,
    /// A tenant's whole configuration.
    Configure,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::View, Self::Update, Self::Login, Self::Configure];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "internal_idp_view",
            Self::Update => "internal_idp_update",
            Self::Login => "internal_login",
            Self::Configure => "apim:admin",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    pub name: String,
    pub tenant: TenantId,
    pub proof: Proof,
    scopes: Vec<Scope>,
}

impl Principal {
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let challenge =
            format!("Bearer realm=\"doorward\", error=\"insufficient_scope\", scope=\"{}\"", scope.as_str());
        let problem = Problem::new(
            StatusCode::FORBIDDEN,
            "Operation not permitted.",
            format!(
                "This needs the scope {}, or an account with an administrator's role (management.admin_roles).",
                scope.as_str()
            ),
        );
        Err(match HeaderValue::try_from(challenge) {
            Ok(challenge) => problem.with(header::WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        })
    }

    /// Its own tenant; from the super tenant, all.
    pub fn may_see(&self, tenant: &TenantId) -> bool {
        self.tenant == *tenant || self.tenant.is_super_tenant()
    }
}

pub async fn authenticate(
    site: &Parts,
    call: &Call,
    door: &Door,
    headers: &HeaderMap,
    settings: &Settings,
    now: u64,
) -> Result<Principal, Problem> {
    match credentials::read(headers, settings.limits.max_token_bytes) {
        Credentials::None | Credentials::Unusable => Err(unauthenticated(None)),
        Credentials::Basic { login, password } => {
            let credentials = headers.get(header::AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
            let Some(_turn) = site.turns.take(credentials).await else { return Err(Problem::unavailable()) };
            by_password(site, call, door, &login, &password, settings, now).await
        }
        Credentials::Bearer(token) => {
            let verified = site.tokens.verify_for(call.address.ip, &door.policy, &token, clock::now()).await;
            let verified = verified.map_err(bad_token)?;
            let user = &verified.user;
            let has = |scope: &Scope| user.scopes.iter().any(|held| held == scope.as_str());
            Ok(Principal {
                name: user.name.clone(),
                tenant: user.tenant.clone(),
                proof: Proof::Token(verified.of.clone()),
                scopes: Scope::ALL.into_iter().filter(has).collect(),
            })
        }
    }
}

async fn by_password(
    site: &Parts,
    call: &Call,
    door: &Door,
    login: &str,
    password: &Password,
    settings: &Settings,
    now: u64,
) -> Result<Principal, Problem> {
    let login = door.login(login);
    let attempt =
        Attempt { login: &login, password, address: call.address, device: None, door: AccountDoor::Api };
    match site.doors.sign_in(&door.policy, attempt, now).await {
        Ok(signed_in) => {
            let account = signed_in.account;
            let roles = &settings.management.admin_roles;
            let is_admin = account.roles.iter().any(|role| roles.contains(role));
            let scopes = if is_admin { Scope::ALL.to_vec() } else { vec![Scope::Login] };
            Ok(Principal { name: account.username, tenant: account.tenant, proof: Proof::Account, scopes })
        }
        Err(Rejected::Busy(refused)) => Err(busy(refused.retry_after)),
        Err(Rejected::Unavailable) => Err(Problem::unavailable()),
        // one answer for all of them: who does not have the password learns nothing about the account
        Err(_) => Err(unauthenticated(None)),
    }
}

fn bad_token(error: TokenError) -> Problem {
    match error {
        TokenError::Unavailable => Problem::unavailable(),
        error => unauthenticated(Some(&error)),
    }
}

fn unauthenticated(token: Option<&TokenError>) -> Problem {
    let problem = Problem::new(
        StatusCode::UNAUTHORIZED,
        "Unauthorized.",
        "Sign in with HTTP Basic, or with a token of a configured issuer. A bare name is one of the tenant that is asked \
         for: an administrator of all tenants writes NAME@carbon.super.",
    );
    let basic = HeaderValue::from_static("Basic realm=\"doorward\", charset=\"UTF-8\"");
    let bearer = match token {
        // the text of an error has no quotes in it
        Some(error) => HeaderValue::try_from(format!(
            "Bearer realm=\"doorward\", error=\"invalid_token\", error_description=\"{error}\""
        )),
        None => Ok(HeaderValue::from_static("Bearer realm=\"doorward\"")),
    };
    let problem = problem.with(header::WWW_AUTHENTICATE, basic);
    match bearer {
        Ok(bearer) => problem.with(header::WWW_AUTHENTICATE, bearer),
        Err(_) => problem,
    }
}

fn busy(retry_after: Duration) -> Problem {
    let seconds = retry_after.as_millis().div_ceil(1000).max(1);
    let problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many requests.",
        "Too many passwords wait to be looked at. Try again later.",
    );
    match HeaderValue::try_from(seconds.to_string()) {
        Ok(seconds) => problem.with(header::RETRY_AFTER, seconds),
        Err(_) => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tenant: &str) -> Principal {
        Principal {
            name: "admin".to_owned(),
            tenant: TenantId::parse(tenant).unwrap(),
            proof: Proof::Account,
            scopes: vec![Scope::Login],
        }
    }

    #[test]
    fn a_tenant_s_people_see_their_own_tenant_the_super_tenant_s_see_all() {
        for (who, tenant, sees) in [
            ("acme.com", "acme.com", true),
            ("acme.com", "beta.com", false),
            ("acme.com", "carbon.super", false),
            ("carbon.super", "acme.com", true),
            ("carbon.super", "carbon.super", true),
        ] {
            assert_eq!(of(who).may_see(&TenantId::parse(tenant).unwrap()), sees, "{who} {tenant}");
        }
    }

    #[test]
    fn a_scope_that_is_not_held_is_named() {
        assert_eq!(of("acme.com").needs(Scope::Login), Ok(()));
        for scope in [Scope::View, Scope::Update, Scope::Configure] {
            let response = of("acme.com").needs(scope).unwrap_err().into_response("id");
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            let challenge = response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
            assert!(challenge.contains(scope.as_str()), "{challenge}");
        }
    }
}
