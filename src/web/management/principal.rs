//! Authentication and scopes of a caller: an account with its password, or a token with its scopes.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use super::{
    ManagementParts,
    access::AuthenticationTenant,
    credentials::{self, Credentials},
    error::ApiProblem,
};
use crate::{
    account::{LoginChannel, LoginError, LoginOutcome, LoginRequest, LoginSuccess, hashing::Password},
    config::Settings,
    domain::{audit::ActorCredential, tenant::TenantId, time::Timestamp},
    http::{
        retry_after,
        www_authenticate::{self, BearerError, REALM},
    },
    token::TokenError,
    web_context::ApiContext,
};

/// The scopes of the API, by WSO2's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiScope {
    View,
    Update,
    /// Any authenticated caller.
    Login,
    /// A tenant's whole configuration.
    Configure,
}

impl ApiScope {
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
    pub proof: ActorCredential,
    scopes: Vec<ApiScope>,
}

impl Principal {
    pub fn require_scope(&self, scope: ApiScope) -> Result<(), ApiProblem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        let challenge =
            www_authenticate::bearer(REALM, Some(BearerError::InsufficientScope(&scope.as_str())));
        Err(ApiProblem::new(
            StatusCode::FORBIDDEN,
            "Operation not permitted.",
            format!(
                "This needs the scope {}, or an account with an administrator's role (management.admin_roles).",
                scope.as_str()
            ),
        )
        .with_challenge(challenge))
    }

    /// Its own tenant; from the super tenant, all.
    pub fn has_access_to(&self, tenant: &TenantId) -> bool {
        self.tenant == *tenant || self.tenant.is_super_tenant()
    }
}

/// The inputs of the authentication of a request, besides its credentials.
#[derive(Clone, Copy)]
pub struct Authentication<'a> {
    pub parts: &'a ManagementParts,
    pub context: &'a ApiContext,
    pub tenant: &'a AuthenticationTenant,
    pub settings: &'a Settings,
    pub now: Timestamp,
}

impl Authentication<'_> {
    pub async fn authenticate(self, headers: &HeaderMap) -> Result<Principal, ApiProblem> {
        match credentials::read_credentials(headers, self.settings.limits.max_token_bytes) {
            Credentials::None | Credentials::Unusable => Err(unauthenticated(None)),
            Credentials::Basic { login, password } => {
                let credentials = headers.get(header::AUTHORIZATION).map_or(&[][..], HeaderValue::as_bytes);
                let Some(_permit) = self.parts.credential_locks.acquire(credentials).await else {
                    return Err(ApiProblem::unavailable());
                };
                self.by_password(&login, &password).await
            }
            Credentials::Bearer(token) => self.by_token(&token).await,
        }
    }

    async fn by_token(self, token: &str) -> Result<Principal, ApiProblem> {
        let (client, now) = (self.context.address.ip, self.now);
        let verified = self.parts.services.tokens.verify_for(client, &self.tenant.policy, token, now).await;
        let verified = verified.map_err(token_problem)?;
        let user = &verified.user;
        let has = |scope: &ApiScope| user.scopes.iter().any(|held| held == scope.as_str());
        Ok(Principal {
            name: user.name.clone(),
            tenant: user.tenant.clone(),
            proof: ActorCredential::Token(verified.source.clone()),
            scopes: ApiScope::ALL.into_iter().filter(has).collect(),
        })
    }

    async fn by_password(self, login: &str, password: &Password) -> Result<Principal, ApiProblem> {
        let login = self.tenant.qualified_login(login);
        let attempt = LoginRequest {
            login: &login,
            password,
            address: self.context.address,
            device: None,
            channel: LoginChannel::Api,
        };
        match self.parts.services.login.attempt(&self.tenant.policy, attempt, self.now).await {
            Ok(LoginOutcome::Success(LoginSuccess { account, .. })) => {
                let roles = &self.settings.management.admin_roles;
                let is_admin = account.roles.iter().any(|role| roles.contains(role));
                let scopes = if is_admin { ApiScope::ALL.to_vec() } else { vec![ApiScope::Login] };
                Ok(Principal {
                    name: account.username,
                    tenant: account.tenant,
                    proof: ActorCredential::Account,
                    scopes,
                })
            }
            Err(LoginError::Busy(refused)) => Err(too_many_requests(refused.retry_after)),
            Err(LoginError::Store(_) | LoginError::Random(_)) => Err(ApiProblem::unavailable()),
            // one response for all of them: a wrong password must not disclose the state of the account
            Ok(LoginOutcome::MustChangePassword(_)) | Err(_) => Err(unauthenticated(None)),
        }
    }
}

fn token_problem(error: TokenError) -> ApiProblem {
    match error {
        TokenError::Unavailable => ApiProblem::unavailable(),
        error => unauthenticated(Some(&error)),
    }
}

fn unauthenticated(token: Option<&TokenError>) -> ApiProblem {
    let error = token.map(|error| BearerError::InvalidToken(error));
    ApiProblem::new(
        StatusCode::UNAUTHORIZED,
        "Unauthorized.",
        "Sign in with HTTP Basic, or with a token of a configured issuer. A bare name is one of the tenant that is asked \
         for: an administrator of all tenants writes NAME@carbon.super.",
    )
    .with_challenge(www_authenticate::basic(REALM))
    .with_challenge(www_authenticate::bearer(REALM, error))
}

fn too_many_requests(wait: Duration) -> ApiProblem {
    let problem = ApiProblem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "Too many requests.",
        "Too many passwords are waiting to be verified. Try again later.",
    );
    problem.with_header(header::RETRY_AFTER, retry_after::header_value(wait))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tenant: &str) -> Principal {
        Principal {
            name: "admin".to_owned(),
            tenant: TenantId::parse(tenant).unwrap(),
            proof: ActorCredential::Account,
            scopes: vec![ApiScope::Login],
        }
    }

    #[test]
    fn only_super_tenant_principals_access_all_tenants() {
        for (who, tenant, sees) in [
            ("acme.com", "acme.com", true),
            ("acme.com", "beta.com", false),
            ("acme.com", "carbon.super", false),
            ("carbon.super", "acme.com", true),
            ("carbon.super", "carbon.super", true),
        ] {
            assert_eq!(of(who).has_access_to(&TenantId::parse(tenant).unwrap()), sees, "{who} {tenant}");
        }
    }

    #[test]
    fn a_scope_that_is_not_held_is_named() {
        assert_eq!(of("acme.com").require_scope(ApiScope::Login), Ok(()));
        for scope in [ApiScope::View, ApiScope::Update, ApiScope::Configure] {
            let response = of("acme.com").require_scope(scope).unwrap_err().into_response("id");
            assert_eq!(response.status(), StatusCode::FORBIDDEN);
            let challenge = response.headers()[header::WWW_AUTHENTICATE].to_str().unwrap();
            assert!(challenge.contains(scope.as_str()), "{challenge}");
        }
    }
}
