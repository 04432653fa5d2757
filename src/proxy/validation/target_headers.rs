//! Request headers that replace the path, the method or the host of a request. An application that obeys one serves another
//! request than the one that was matched and evaluated, so none of them is ever forwarded.

/// Prefixes of names with `x-`, and the software that obeys them. `X-Request-Id` and `X-Requested-With` are not among them.
const X_PREFIXES: [(&str, &str); 24] = [
    ("x-original-", "Symfony, Zend, WordPress and Drupal on IIS; applications behind ingress-nginx"),
    ("x-rewrite-", "Symfony, Zend, Yii and WordPress: ISAPI_Rewrite of IIS"),
    ("x-override-", "rewriting gateways: X-Override-URL"),
    ("x-request-uri", "NewLife.Core (.NET), BlueKing (Django)"),
    ("x-request-url", "NewLife.Core (.NET)"),
    ("x-request-path", "Django and PHP applications behind a rewriting proxy"),
    ("x-forwarded", "Spring, Traefik, ProxyFix of Werkzeug: -Prefix, -Path, -Uri, -Method, -Host"),
    (
        "x-http-",
        "Rack, Symfony, Laravel, Jersey, ASP.NET, Spring: X-HTTP-Method-Override; X-HTTP-DestinationURL",
    ),
    ("x-method-override", "method-override of Express"),
    ("x-proxy-", "rewriting gateways: X-Proxy-URL, X-Proxy-Host, X-Proxy-Path"),
    ("x-script-name", "WSGI applications with the ReverseProxied middleware, Radicale, Klaus"),
    ("x-path-info", "WSGI and CGI applications behind a rewriting proxy"),
    ("x-ingress-path", "Home Assistant"),
    ("x-host", "PHP and Node.js applications behind a rewriting proxy"),
    ("x-matched-path", "Next.js in minimal mode, functions of Vercel"),
    ("x-invoke-", "Next.js"),
    ("x-middleware-", "Next.js: CVE-2025-29927"),
    ("x-now-route-", "Next.js in minimal mode"),
    ("x-ms-original-", "applications of Azure Static Web Apps"),
    ("x-waws-", "iisnode on Azure App Service"),
    ("x-apigateway-", "serverless-express: the whole event of the gateway, with its authorizer"),
    ("x-envoy-", "Envoy and applications in its mesh: X-Envoy-Original-Path"),
    ("x-sendfile-type", "Rack: CVE-2025-61780"),
    ("x-accel-", "Rack: CVE-2025-61780; nginx"),
];

/// Whole names. Gunicorn takes these from a trusted proxy, and a CGI program finds them under the names of its own variables.
const EXACT_NAMES: [(&str, &str); 3] =
    [("script-name", "Gunicorn"), ("path-info", "Gunicorn"), ("request-uri", "PHP applications on IIS")];

/// Whether a name in lower case replaces the target of a request.
pub fn replaces_target(name: &str) -> bool {
    match name.as_bytes().first() {
        Some(b'x') => X_PREFIXES.iter().any(|(start, _)| name.starts_with(start)),
        _ => EXACT_NAMES.iter().any(|(whole, _)| name == *whole),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::validation::fields::{Kind, kind};

    #[test]
    fn removes_every_header_that_replaces_the_target() {
        for (name, obeyed_by) in X_PREFIXES.iter().chain(&EXACT_NAMES) {
            assert_eq!(kind(name), Kind::ProxyOnly, "{name}");
            assert!(!obeyed_by.is_empty(), "{name}");
        }
        for name in ["x-request-id", "x-requested-with", "x-csrf-token", "x-api-key", "request-id", "path"] {
            assert_eq!(kind(name), Kind::Plain, "{name}");
        }
    }
}
