//! User names that an attempt is counted on: the one in it, and those that were entered before in the same session of the portal.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderValue, header, request::Parts};

use super::{
    read::{self, UnreadableLogin},
    session_names::{PortalSessionHash, SessionNames, hash_session},
};
use crate::domain::{
    guard::{
        LoginGuard,
        rule::{GuardedAttempt, NameCount},
    },
    tenant::TenantId,
};

/// The names of an attempt, and the session of the portal that it belongs to.
#[derive(Debug, Default, Clone)]
pub(super) struct AttemptNames {
    pub names: Vec<String>,
    session: Option<PortalSessionHash>,
    /// Whether the request itself has no name, so that all names are those remembered for the session.
    is_remembered: bool,
    /// An attempt by its query alone: it may be any page of the sign-in.
    may_be_page: bool,
}

/// The names that are remembered for portal sessions.
#[derive(Clone, Copy)]
pub(super) struct RememberedNames<'a> {
    pub sessions: &'a SessionNames,
    /// The tenant for which names without a tenant are counted.
    pub counting_tenant: &'a TenantId,
    /// The address in whose share a portal session counts that gets a name, if one does.
    pub client: Option<IpAddr>,
}

impl AttemptNames {
    /// `given_name`: the name in the attempt itself, which is added to the session.
    pub fn find(
        guard: &LoginGuard,
        remembered: RememberedNames<'_>,
        parts: &Parts,
        body: &[u8],
        given_name: Option<String>,
    ) -> Result<Self, UnreadableLogin> {
        let Some(carrier) = &guard.name_carrier else {
            return Ok(Self { names: given_name.into_iter().collect(), ..Self::default() });
        };
        // lossy: one byte that is not ASCII must not hide all other cookies, which the portal may read
        let cookies =
            parts.headers.get(header::COOKIE).map(|cookies| String::from_utf8_lossy(cookies.as_bytes()));
        let value = carrier.value_in_request(
            &read::request_head(parts),
            cookies.as_deref().unwrap_or_default(),
            body,
        )?;
        let RememberedNames { sessions, counting_tenant, client } = remembered;
        let session = value.map(|value| hash_session(counting_tenant, &carrier.to_text(), &value));
        let mut names = session.map(|session| sessions.get(&session)).unwrap_or_default();
        let is_remembered = given_name.is_none();
        let may_be_page = is_remembered && guard.may_be_page(parts.method.as_str(), !body.is_empty());
        if let Some(name) = given_name
            && !names.contains(&name)
        {
            if let Some(session) = session {
                sessions.add(client, session, std::slice::from_ref(&name))?;
            }
            names.push(name);
        }
        Ok(Self { names, session, is_remembered, may_be_page })
    }

    /// The attempt as it counts for its portal session. An attempt that has a name itself counts there only if the answer
    /// shows a failure, because the page may be the one that requests the name.
    pub fn in_session<'a>(&self, attempt: GuardedAttempt<'a>) -> GuardedAttempt<'a> {
        if self.is_remembered { attempt } else { GuardedAttempt { names: NameCount::Unnamed, ..attempt } }
    }

    /// The portal session that the attempt belongs to, if the guard says how the portal carries it.
    pub fn session(&self) -> Option<&PortalSessionHash> {
        self.session.as_ref()
    }

    /// An attempt that may be a page counts for the names only where the answer shows a failure, as one without a name does.
    pub fn name_count(&self) -> NameCount {
        if self.may_be_page {
            return NameCount::Unnamed;
        }
        match self.names.len() {
            0 => NameCount::Unnamed,
            1 => NameCount::One,
            _ => NameCount::Several,
        }
    }

    /// Remembers the names for a new value of the session that the portal's answer sets. Fails if the names cannot be
    /// remembered; the client must then not get the answer, unless it shows a success.
    pub fn follow_session(
        &self,
        guard: &LoginGuard,
        remembered: RememberedNames<'_>,
        response_headers: &HeaderMap,
    ) -> Result<(), UnreadableLogin> {
        let Some(carrier) = guard.name_carrier.as_ref().filter(|_| !self.names.is_empty()) else {
            return Ok(());
        };
        let text = |value: &HeaderValue| value.to_str().ok().map(ToOwned::to_owned);
        let cookies: Vec<String> =
            response_headers.get_all(header::SET_COOKIE).iter().filter_map(text).collect();
        let location = response_headers.get(header::LOCATION).and_then(text);
        let Some(value) = carrier.value_in_response(location.as_deref(), cookies.iter().map(String::as_str))
        else {
            return Ok(());
        };
        let RememberedNames { sessions, counting_tenant, client } = remembered;
        let session = hash_session(counting_tenant, &carrier.to_text(), &value);
        if self.session != Some(session) {
            sessions.add(client, session, &self.names)?;
        }
        Ok(())
    }
}

/// A tenant guard counts for its tenant, a guard of `deployment.toml` for the default tenant: one counter for each name, whichever
/// tenant a request selects.
pub(super) fn counting_tenant<'a>(
    guard: &Arc<LoginGuard>,
    of_request: &'a TenantId,
    default: &'a TenantId,
) -> &'a TenantId {
    if guard.is_tenant_defined { of_request } else { default }
}
