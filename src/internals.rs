//! The items of the crate that `tests/it`, the benchmarks and the fuzz targets use, under the path that it has in the crate.
//!
//! All other modules are private, so that the compiler reports code without a caller. Add an item here if a test or
//! benchmark needs it; a rule is better tested beside its code.

pub mod account {
    pub use crate::account::{
        CreateAccountError, ImportError, ImportedUser, LoginAttempt, LoginChannel, LoginError, LoginOutcome,
        LoginRequest, LoginSuccess, NewPasswordError, NewUser, PasswordChangeError, PasswordChangeRequest,
        PortalLoginClient, PublicLoginError, ReserveError,
    };
    pub mod hashing {
        pub use crate::account::hashing::{Argon2Cost, HashMetrics, Password, PasswordHasher};
    }
}

pub mod boot {
    pub use crate::boot::{AccountServices, Composition, RunningProxy, compose, start, with_account_store};
}

pub mod clock {
    pub use crate::clock::Clock;
}

pub mod config {
    pub use crate::config::{Mistake, Settings, TenantPolicy};
    pub mod governance {
        pub use crate::config::governance::{TenantOverrides, effective_value};
    }
    pub mod load {
        pub use crate::config::load::{load, parse};
    }
    pub mod model {
        pub use crate::config::model::{AccessSettings, PortalProfile, StoreLocation, StoreSettings};
    }
    pub mod schema {
        pub use crate::config::schema::tenant_conf;
    }
    pub mod tenant_file {
        pub use crate::config::tenant_file::{TenantConf, parse, resolve, resolve_with};
    }
}

pub mod demo {
    pub use crate::demo::{AUDIENCE, ISSUER, SamplePortal};
}

pub mod domain {
    pub mod access {
        pub use crate::domain::access::decide;
    }
    pub mod account {
        pub use crate::domain::account::{
            Account, AccountId, AdminLock, HashFormat, LockedReason, LoginAttribute, LoginAttributes,
            LoginName, NewAccount, PRIMARY, StoredPassword, UserProfile,
        };
    }
    pub mod audit {
        pub use crate::domain::audit::{Actor, ActorCredential, AdminAction, AuditRecord};
    }
    pub mod browser {
        pub use crate::domain::browser::{FetchMetadata, classify_caller};
    }
    pub mod governance {
        pub use crate::domain::governance::{
            ChangeContext, Connector, Effect, Overrides, PropertyWrite, categories, connector_named, property,
        };
    }
    pub mod identity {
        pub use crate::domain::identity::{CrossTenantAccess, Identity, User};
    }
    pub mod lockout {
        pub use crate::domain::lockout::{
            ClientNetwork, CountedAttempt, Counter, CounterKey, DeviceId, LockState, LockedUntil,
            LockoutSettings, LockoutThreshold, LoginSubject, NameHash, counter_keys, release, reserve,
        };
    }
    pub mod password {
        pub use crate::domain::password::{
            JavaPattern, PasswordContext, PasswordPolicy, PasswordRule, Violation, WSO2_MESSAGE, WSO2_PATTERN,
        };
    }
    pub mod return_address {
        pub use crate::domain::return_address::ReturnAddress;
    }
    pub mod route {
        pub use crate::domain::route::{AccessLevel, Route, RouteKind, RouteRule, RouteTable, wso2_apim};
    }
    pub mod session {
        pub use crate::domain::session::{Session, SessionHash};
    }
    pub mod tenant {
        pub use crate::domain::tenant::TenantId;
    }
    pub mod time {
        pub use crate::domain::time::Timestamp;
    }
}

pub mod governance {
    pub use crate::governance::{EffectiveProperties, GovernanceServiceError};
}

pub mod proxy {
    pub mod forwarded {
        pub use crate::proxy::forwarded::resolve_client;
    }
    pub mod headers {
        pub use crate::proxy::headers::{ForwardingHeaders, clean_response, identity_headers};
    }
    pub mod tenant_selection {
        pub use crate::proxy::tenant_selection::select_tenant;
    }
    pub mod validation {
        pub use crate::proxy::validation::{HeadLimits, validate};
        pub mod cookies {
            pub use crate::proxy::validation::cookies::strip_own;
        }
    }
}

pub mod server {
    pub mod drain {
        pub use crate::server::drain::DrainPhase;
    }
}

pub mod session {
    pub use crate::session::{
        BeginSessionError, CookieSecret, CookieSigner, NewSession, SessionService, SessionsUnavailable,
        hash_of,
    };
    pub mod csrf {
        pub use crate::session::csrf::token;
    }
}

pub mod store {
    pub use crate::store::{
        AccountPage, AuditPage, ChangeFeed, CreateError, GovernanceStoreError, NewPassword, PasswordUpdate,
        PurgedRows, Retention, Store, StoreChange, StoreError, StoredAccount, VersionedOverrides,
    };
}

pub mod tenants {
    pub use crate::tenants::{TenantLookup, TenantRegistry};
}

pub mod token {
    pub use crate::token::{Verifier, http_clients};
}

pub mod web {
    pub mod assets {
        pub use crate::web::assets::style_href;
    }
}
