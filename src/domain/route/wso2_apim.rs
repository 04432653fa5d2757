//! Portal profile `wso2-apim`: the routes of the devportal of WSO2 API Manager.
//!
//! The same server also runs the publisher, the admin portal, the management console and the gateway. They
//! are not part of the developer portal: anonymous requests never reach them, independently of the
//! anonymous mode, and these rules enforce it even if an operator configures a laxer fallback. (An
//! authenticated user still has to sign in there.)

use super::{AccessLevel, Route, RouteKind, RouteRule};

/// Bases of the portal's REST API; `*` is the version.
const REST: [&str; 2] = ["/api/am/devportal/*", "/api/am/store/*"];

/// Always open: the portal needs them to display its sign-in.
const REST_OPEN: [&str; 3] = ["settings", "tenants", "swagger.yaml"];

/// WSO2's allow-list for anonymous requests, GET and HEAD. APIs and API products have the children below too.
const REST_PUBLIC: [&str; 8] = [
    "swagger.json",
    "tags",
    "search",
    "api-categories",
    "throttling-policies/*",
    "throttling-policies/*/*",
    "tiers/*",
    "tiers/*/*",
];

const REST_COLLECTIONS: [&str; 3] = ["apis", "api-products", "mcp-servers"];

const REST_CHILDREN: [&str; 11] = [
    "swagger",
    "wsdl",
    "graphql-schema",
    "comments",
    "comments/*",
    "comments/*/replies",
    "documents",
    "documents/*",
    "documents/*/content",
    "thumbnail",
    "ratings",
];

/// Paths of the identity provider that sign-in needs, also below `/t/{tenant}`.
const SIGN_IN: [&str; 6] = [
    "/oauth2/**",
    "/oidc/**",
    "/commonauth",
    "/authenticationendpoint/**",
    "/accountrecoveryendpoint/**",
    "/logincontext",
];

pub fn rules() -> Vec<RouteRule> {
    use AccessLevel::{Anonymous, Open, SignedIn};
    use RouteKind::{Api, Asset, Page, Wso2Api};
    const READ: &[&str] = &["GET"];
    const ANY: &[&str] = &[];
    let mut rules = vec![
        // the user interface: a single-page application and its assets
        RouteRule::new(ANY, "/devportal/**", Anonymous, Page),
        RouteRule::new(READ, "/devportal/site/public/**", Open, Asset),
        RouteRule::new(ANY, "/devportal/services/**", Open, Page),
        RouteRule::new(READ, "/favicon.ico", Open, Asset),
        RouteRule::new(READ, "/robots.txt", Open, Asset),
        // the root redirects to an application
        RouteRule::new(READ, "/", Anonymous, Page),
        // the other applications of the server
        RouteRule::new(ANY, "/publisher/**", SignedIn, Page),
        RouteRule::new(ANY, "/admin/**", SignedIn, Page),
        RouteRule::new(ANY, "/carbon/**", SignedIn, Page),
        RouteRule::new(ANY, "/t/*/carbon/**", SignedIn, Page),
        RouteRule::new(ANY, "/services/**", SignedIn, Api),
        RouteRule::new(ANY, "/t/*/services/**", SignedIn, Api),
        RouteRule::new(ANY, "/api/**", SignedIn, Wso2Api),
        RouteRule::new(ANY, "/t/*/api/**", SignedIn, Wso2Api),
        // a tenant's APIs in the gateway
        RouteRule::new(ANY, "/t/*/**", SignedIn, Api),
    ];
    for path in SIGN_IN {
        rules.push(RouteRule::new(ANY, path, Open, Page));
        rules.push(RouteRule::new(ANY, &format!("/t/*{path}"), Open, Page));
    }
    for base in REST {
        let mut rest = |methods: &[&str], path: &str, access| {
            rules.push(RouteRule::new(methods, &format!("{base}/{path}"), access, Wso2Api));
        };
        // a CORS preflight never carries a token and never gets data
        rest(&["OPTIONS"], "**", Open);
        for path in REST_OPEN {
            rest(READ, path, Open);
        }
        // anonymous requests may read while anonymous mode is on; writing needs a user
        for path in REST_PUBLIC {
            rest(READ, path, Anonymous);
        }
        for collection in REST_COLLECTIONS {
            rest(READ, collection, Anonymous);
            rest(READ, &format!("{collection}/*"), Anonymous);
            for child in REST_CHILDREN {
                rest(READ, &format!("{collection}/*/{child}"), Anonymous);
            }
        }
    }
    rules
}

/// All other paths need a user.
pub fn fallback() -> Route {
    Route::fallback(AccessLevel::SignedIn, RouteKind::Page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::route::RouteTable;

    fn table() -> RouteTable {
        RouteTable::compile(&rules(), fallback()).unwrap()
    }

    fn assert_access(access: AccessLevel, kind: RouteKind, requests: &[&str]) {
        let table = table();
        for request in requests {
            let (method, path) = request.split_once(' ').unwrap();
            let route = table.classify(method, path);
            assert_eq!((route.access, route.kind), (access, kind), "{request} by {}", route.rule);
        }
    }

    #[test]
    fn pages_follow_the_anonymous_mode() {
        assert_access(
            AccessLevel::Anonymous,
            RouteKind::Page,
            &[
                "GET /devportal",
                "GET /devportal/",
                "GET /devportal/apis",
                "GET /devportal/apis/0ab1/overview",
                "GET /devportal/api-products/x/credentials",
                "GET /devportal/home",
                "GET /devportal/search",
                "GET /devportal/sign-up",
                "GET /devportal/login",
                "GET /devportal/settings/alerts",
                "GET /devportal/applications/1/productionkeys",
                "GET /devportal/logout",
                "GET /devportal/mcp-servers",
                "GET /devportal/api-groups",
                "GET /devportal/policy/cookie-policy",
                "GET /devportal/site",
                "GET /devportal/site/secret.js",
                "GET /",
            ],
        );
    }

    #[test]
    fn assets_stay_open_in_a_closed_tenant() {
        assert_access(
            AccessLevel::Open,
            RouteKind::Asset,
            &[
                "GET /devportal/site/public/locales/en.json",
                "HEAD /devportal/site/public/dist/index.bundle.js",
                "GET /devportal/site/public/tenant_themes/acme.com/apim/defaultTheme.json",
                "GET /favicon.ico",
                "GET /robots.txt",
            ],
        );
    }

    #[test]
    fn everything_sign_in_needs_stays_open() {
        assert_access(
            AccessLevel::Open,
            RouteKind::Page,
            &[
                "GET /devportal/services/settings/settings.js",
                "GET /devportal/services/configs",
                "GET /devportal/services/auth/callback/login",
                "GET /devportal/services/auth/callback/logout",
                "GET /devportal/services/auth/introspect",
                "POST /devportal/services/refresh",
                "GET /devportal/services/logout",
                "GET /oauth2/authorize",
                "POST /oauth2/token",
                "GET /oidc/logout",
                "POST /commonauth",
                "GET /authenticationendpoint/login.do",
                "GET /accountrecoveryendpoint/recoveraccountrouter.do",
                "GET /logincontext",
                "GET /t/acme.com/oauth2/authorize",
                "POST /t/acme.com/commonauth",
                "GET /t/acme.com/oidc/logout",
                "GET /t/acme.com/authenticationendpoint/css/x.css",
                "GET /t/acme.com/accountrecoveryendpoint/",
                "GET /t/acme.com/logincontext",
            ],
        );
    }

    #[test]
    fn rest_api_settings_stay_open_in_a_closed_tenant() {
        assert_access(
            AccessLevel::Open,
            RouteKind::Wso2Api,
            &[
                "GET /api/am/devportal/v1/settings",
                "HEAD /api/am/devportal/v2/settings",
                "GET /api/am/devportal/v3/tenants",
                "GET /api/am/devportal/v3/swagger.yaml",
                "GET /api/am/store/v1/settings",
                "GET /api/am/store/v0.17/tenants",
                "OPTIONS /api/am/devportal/v3/applications",
                "OPTIONS /api/am/devportal/v3/settings",
                "OPTIONS /api/am/devportal/v3/apis",
            ],
        );
    }

    /// wso2/product-apim#9722, #11082: closing a tenant closes its REST API as well as its pages.
    #[test]
    fn the_public_rest_api_follows_the_anonymous_mode() {
        let children = [
            "",
            "/swagger",
            "/wsdl",
            "/graphql-schema",
            "/comments",
            "/comments/1",
            "/comments/1/replies",
            "/documents",
            "/documents/1",
            "/documents/1/content",
            "/thumbnail",
            "/ratings",
        ];
        for version in ["devportal/v1", "devportal/v2", "devportal/v3", "store/v1"] {
            for path in [
                "swagger.json",
                "tags",
                "search",
                "api-categories",
                "throttling-policies/application",
                "throttling-policies/application/Gold",
                "tiers/api",
                "tiers/api/Gold",
                "apis",
                "api-products",
                "mcp-servers",
            ] {
                let request = format!("/api/am/{version}/{path}");
                assert_access(
                    AccessLevel::Anonymous,
                    RouteKind::Wso2Api,
                    &[&format!("GET {request}"), &format!("HEAD {request}")],
                );
            }
            for collection in ["apis", "api-products", "mcp-servers"] {
                for child in children {
                    let request = format!("/api/am/{version}/{collection}/0ab1{child}");
                    assert_access(AccessLevel::Anonymous, RouteKind::Wso2Api, &[&format!("GET {request}")]);
                    assert_access(AccessLevel::SignedIn, RouteKind::Wso2Api, &[&format!("POST {request}")]);
                }
            }
        }
    }

    #[test]
    fn the_rest_of_the_rest_api_needs_a_user() {
        assert_access(
            AccessLevel::SignedIn,
            RouteKind::Wso2Api,
            &[
                "GET /api/am/devportal/v3/applications",
                "POST /api/am/devportal/v3/applications",
                "GET /api/am/devportal/v3/subscriptions",
                "GET /api/am/devportal/v3/me/change-password",
                "GET /api/am/devportal/v3/apis/0ab1/unknown",
                "GET /api/am/devportal/v3/apis/",
                "GET /api/am/devportal/v3/settings/x",
                "GET /api/am/devportal/v3/settings/application-attributes",
                "POST /api/am/devportal/v3/settings",
                "PUT /api/am/devportal/v3/apis/1/comments/1",
                "GET /api/am/devportal",
                "GET /api/am/devportal/settings",
                "GET /api/am/Devportal/v3/apis",
            ],
        );
    }

    #[test]
    fn other_applications_of_the_server_need_a_user() {
        assert_access(
            AccessLevel::SignedIn,
            RouteKind::Page,
            &[
                "GET /carbon",
                "GET /carbon/admin/login.jsp",
                "GET /t/acme.com/carbon/",
                "GET /publisher/apis",
                "GET /admin",
                "GET /DEVPORTAL/apis",
                "GET /devportal2",
                "GET /console",
                "GET /scim2/Users",
                "GET /internal/data/v1/apis",
                "POST /keymanager-operations/dcr/register",
                "GET /CARBON/admin",
                "GET /T/acme/carbon",
            ],
        );
        assert_access(
            AccessLevel::SignedIn,
            RouteKind::Wso2Api,
            &[
                "GET /api/am/publisher/v4/apis",
                "GET /api/am/publisher/v4/settings",
                "GET /api/am/admin/v4/settings",
                "GET /api/server/v1/configs",
                "GET /t/acme.com/api/identity/user/v1.0/me",
                "GET /t/acme.com/api/server/v1/identity-governance",
            ],
        );
        assert_access(
            AccessLevel::SignedIn,
            RouteKind::Api,
            &[
                "POST /services/UserAdmin",
                "POST /t/acme.com/services/UserAdmin",
                "GET /t/acme.com/pizza/1.0/menu",
                "GET /t/acme.com/devportal/services/configs",
            ],
        );
    }
}
