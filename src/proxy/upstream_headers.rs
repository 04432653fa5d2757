//! Headers added to a request before it is forwarded: tenant, user, client address, request id.
//!
//! Validation has removed these names from the client's headers, or `new` does, so none can occur twice. On
//! HTTP/1.1 they are written directly after the client's own headers: a map would have to grow for them.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    headers::{ForwardingHeaders, IdentityHeaders},
    refusal::X_REQUEST_ID,
    tenant_selection::X_WSO2_TENANT,
};

pub struct UpstreamHeaders {
    tenant: Option<HeaderValue>,
    request_id: HeaderValue,
    origin: Option<Arc<ForwardingHeaders>>,
    identity: Option<IdentityHeaders>,
}

impl UpstreamHeaders {
    pub fn new(
        headers: &mut HeaderMap,
        tenant: Option<HeaderValue>,
        request_id: HeaderValue,
        origin: Option<Arc<ForwardingHeaders>>,
        identity: Option<IdentityHeaders>,
    ) -> Self {
        headers.remove(X_WSO2_TENANT);
        headers.remove(X_REQUEST_ID);
        Self { tenant, request_id, origin, identity }
    }

    /// As lines of an HTTP/1.1 head.
    pub fn write_http1(&self, out: &mut Vec<u8>) {
        if let Some(origin) = &self.origin {
            out.extend_from_slice(origin.http1_lines());
        }
        self.for_each_other_header(|name, value| {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                out.extend_from_slice(part);
            }
        });
    }

    /// For HTTP/2.
    pub fn insert_into(&self, headers: &mut HeaderMap) {
        if let Some(origin) = &self.origin {
            origin.insert(headers);
        }
        self.for_each_other_header(|name, value| {
            headers.insert(name, value.clone());
        });
    }

    fn for_each_other_header(&self, mut each: impl FnMut(&HeaderName, &HeaderValue)) {
        if let Some(tenant) = &self.tenant {
            each(&X_WSO2_TENANT, tenant);
        }
        each(&X_REQUEST_ID, &self.request_id);
        for (name, value) in self.identity.as_deref().into_iter().flatten() {
            each(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::forwarded::ResolvedClient;

    #[test]
    fn writes_each_header_once_on_both_protocols() {
        let client = ResolvedClient { address: [203, 0, 113, 7].into(), https: true, host: None };
        let origin =
            ForwardingHeaders::new(&client, &HeaderValue::from_static("portal.example")).map(Arc::new);
        let mut headers = HeaderMap::new();
        headers.insert(X_WSO2_TENANT, HeaderValue::from_static("of-the-client"));
        headers.insert(X_REQUEST_ID, HeaderValue::from_static("of-the-client"));
        let value = HeaderValue::from_static;
        let upstream_headers =
            UpstreamHeaders::new(&mut headers, Some(value("acme.com")), value("id-7"), origin, None);
        assert!(headers.is_empty(), "the client's own are removed: {headers:?}");
        let mut written = Vec::new();
        upstream_headers.write_http1(&mut written);
        upstream_headers.insert_into(&mut headers);
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
