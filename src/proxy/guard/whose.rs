//! Which names an attempt is counted on: the one in it, and those that were given before in the same session of the portal.

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderValue, header, request::Parts};

use super::{
    given::{GivenNames, Session, session},
    read::{self, Problem},
};
use crate::domain::{
    guard::{
        Guard,
        rule::{Attempt, Named},
    },
    tenant::TenantId,
};

/// The names of an attempt, and the session of the portal that it belongs to.
#[derive(Debug, Default, Clone)]
pub(super) struct Whose {
    pub names: Vec<String>,
    session: Option<Session>,
    /// Whether the request itself has no name, so that all names are those remembered for the session.
    is_remembered: bool,
    /// An attempt by its query alone: it may be any page of the sign-in.
    may_be_page: bool,
}

impl Whose {
    /// `in_it`: the name in the attempt itself, which the session has from now on.
    pub fn find(
        guard: &Guard,
        door: &TenantId,
        (given, client): (&GivenNames, Option<IpAddr>),
        (parts, body): (&Parts, &[u8]),
        in_it: Option<String>,
    ) -> Result<Self, Problem> {
        let Some(carrier) = &guard.name_from else {
            return Ok(Self { names: in_it.into_iter().collect(), ..Self::default() });
        };
        // lossy: one byte that is not ASCII must not hide all other cookies, which the portal may read
        let cookies =
            parts.headers.get(header::COOKIE).map(|cookies| String::from_utf8_lossy(cookies.as_bytes()));
        let value = carrier.in_request(&read::head(parts), cookies.as_deref().unwrap_or_default(), body)?;
        let session = value.map(|value| session(door, &carrier.to_text(), &value));
        let mut names = session.map(|session| given.of(&session)).unwrap_or_default();
        let is_remembered = in_it.is_none();
        let may_be_page = is_remembered && guard.may_be_page(parts.method.as_str(), !body.is_empty());
        if let Some(name) = in_it
            && !names.contains(&name)
        {
            if let Some(session) = session {
                given.give(client, session, std::slice::from_ref(&name))?;
            }
            names.push(name);
        }
        Ok(Self { names, session, is_remembered, may_be_page })
    }

    /// The attempt as it counts for its portal session. An attempt that has a name itself counts there only if the answer
    /// shows a failure, because the page may be the one that requests the name.
    pub fn in_session<'a>(&self, attempt: Attempt<'a>) -> Attempt<'a> {
        if self.is_remembered { attempt } else { Attempt { named: Named::Never, ..attempt } }
    }

    /// The portal session that the attempt belongs to, if the guard says how the portal carries it.
    pub fn session(&self) -> Option<&Session> {
        self.session.as_ref()
    }

    /// An attempt that may be a page counts for the names only where the answer shows a failure, as one without a name does.
    pub fn named(&self) -> Named {
        if self.may_be_page {
            return Named::Never;
        }
        match self.names.len() {
            0 => Named::Never,
            1 => Named::Once,
            _ => Named::Severally,
        }
    }

    /// Remembers the names for a new value of the session that the portal's answer sets. Fails if the names cannot be
    /// remembered; the client must then not get the answer, unless it shows a success.
    pub fn follow(
        &self,
        guard: &Guard,
        door: &TenantId,
        (given, client): (&GivenNames, Option<IpAddr>),
        answer: &HeaderMap,
    ) -> Result<(), Problem> {
        let Some(carrier) = guard.name_from.as_ref().filter(|_| !self.names.is_empty()) else {
            return Ok(());
        };
        let text = |value: &HeaderValue| value.to_str().ok().map(ToOwned::to_owned);
        let cookies: Vec<String> = answer.get_all(header::SET_COOKIE).iter().filter_map(text).collect();
        let location = answer.get(header::LOCATION).and_then(text);
        let Some(value) = carrier.in_answer(location.as_deref(), cookies.iter().map(String::as_str)) else {
            return Ok(());
        };
        let session = session(door, &carrier.to_text(), &value);
        if self.session != Some(session) {
            given.give(client, session, &self.names)?;
        }
        Ok(())
    }
}

/// A guard's names are its tenant's, and those of `deployment.toml` the default tenant's: one counter for each name, whichever tenant
/// a request chooses.
pub(super) fn door<'a>(guard: &Arc<Guard>, of_request: &'a TenantId, default: &'a TenantId) -> &'a TenantId {
    if guard.of_tenant { of_request } else { default }
}
