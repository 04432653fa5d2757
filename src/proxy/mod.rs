//! The hot path: from a request to the portal's response, or a refusal. `pipeline` shows the steps in order.

mod access_watch;
mod admission;
mod authenticate;
mod body;
mod challenge;
mod connection;
mod context;
mod cors;
mod counted_bytes;
mod destination;
mod evaluate;
mod exchange;
pub mod explain;
mod explain_request;
mod forward;
mod forward_failure;
pub mod forwarded;
mod guard;
pub mod headers;
mod host_index_wait;
mod https_redirect;
mod local_response;
mod log_entry;
mod management_api;
mod method_override;
mod overload;
mod own_page;
mod pipeline;
mod portal_settings;
mod reading_conflict;
mod redirect_loop;
mod refusal;
mod request_body;
mod request_id;
mod request_log;
mod requested_tenant;
mod rewrite;
mod service;
mod state;
pub mod tenant_selection;
mod upgrade;
mod upload_progress;
mod upload_watch;
pub(crate) mod upstream;
mod upstream_headers;
pub mod validation;
mod visitor_cookies;
mod websocket;

pub use self::{
    admission::{UnlistedProxies, admit_connection},
    body::ResponseBody,
    connection::{AcceptedSocket, AdmittedClient, ClientConnection, ListenerKind},
    guard::LoginGuards,
    refusal::{PageSource, Refusal},
    service::ProxyService,
    state::{ProxyAccounts, ProxyState, Worker},
    upstream::PortalConnections,
};
