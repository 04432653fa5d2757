//! What we add to a request on its way to the portal: whose portal it is, who asks, from where, under which id.
//!
//! Hygiene has taken every one of these names out of what the client sent, or `new` does, so none can stand twice. On
//! HTTP/1.1 they are written straight behind the client's own headers: a map would have to grow for them.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    answer::X_REQUEST_ID,
    headers::{IdentityHeaders, Origin},
    select::X_WSO2_TENANT,
};

pub struct Added {
    tenant: HeaderValue,
    request_id: HeaderValue,
    origin: Option<Arc<Origin>>,
    identity: Option<IdentityHeaders>,
}

impl Added {
    pub fn new(
        headers: &mut HeaderMap,
        tenant: HeaderValue,
        request_id: HeaderValue,
        origin: Option<Arc<Origin>>,
        identity: Option<IdentityHeaders>,
    ) -> Self {
        headers.remove(X_WSO2_TENANT);
        headers.remove(X_REQUEST_ID);
        Self { tenant, request_id, origin, identity }
    }

    /// As lines of an HTTP/1.1 head.
    pub fn write(&self, out: &mut Vec<u8>) {
        if let Some(origin) = &self.origin {
            out.extend_from_slice(origin.text());
        }
        self.others(|name, value| {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                out.extend_from_slice(part);
            }
        });
    }

    /// For HTTP/2.
    pub fn insert(&self, headers: &mut HeaderMap) {
        if let Some(origin) = &self.origin {
            origin.insert(headers);
        }
        self.others(|name, value| {
            headers.insert(name, value.clone());
        });
    }

    fn others(&self, mut each: impl FnMut(&HeaderName, &HeaderValue)) {
        each(&X_WSO2_TENANT, &self.tenant);
        each(&X_REQUEST_ID, &self.request_id);
        for (name, value) in self.identity.as_deref().into_iter().flatten() {
            each(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::forwarded::Client;

    #[test]
    fn the_same_on_both_protocols_and_each_once() {
        let client = Client { address: [203, 0, 113, 7].into(), https: true, host: None };
        let origin = Origin::new(&client, &HeaderValue::from_static("portal.example")).map(Arc::new);
        let mut headers = HeaderMap::new();
        headers.insert(X_WSO2_TENANT, HeaderValue::from_static("of-the-client"));
        headers.insert(X_REQUEST_ID, HeaderValue::from_static("of-the-client"));
        let value = HeaderValue::from_static;
        let added = Added::new(&mut headers, value("acme.com"), value("id-7"), origin, None);
        assert!(headers.is_empty(), "a client's own are gone: {headers:?}");
        let mut written = Vec::new();
        added.write(&mut written);
        added.insert(&mut headers);
        let mut lines: Vec<&str> = std::str::from_utf8(&written).unwrap().split_terminator("\r\n").collect();
        lines.sort_unstable();
        assert_eq!(
            lines,
            [
                "forwarded: for=203.0.113.7;host=\"portal.example\";proto=https",
                "x-forwarded-for: 203.0.113.7",
                "x-forwarded-host: portal.example",
                "x-forwarded-proto: https",
                "x-request-id: id-7",
                "x-wso2-tenant: acme.com",
            ]
        );
        let mut inserted: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        inserted.sort_unstable();
        assert_eq!(inserted, lines);
    }
}
