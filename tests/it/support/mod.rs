//! The harness: a portal, an identity provider and a caller, each real sockets on loopback, so that a test is ten lines.

pub mod answer;
pub mod ask;
pub mod configuration;
pub mod double;
pub mod eventually;
pub mod gate;
pub mod h2;
pub mod idp;
pub mod jar;
pub mod jwt;
pub mod keys;
pub mod message;
pub mod portal;
pub mod reply;
pub mod tenant_files;
pub mod wire;

pub use eventually::eventually;
pub use gate::Gate;
pub use idp::Idp;
pub use jar::Jar;
pub use portal::Portal;
pub use reply::Reply;
pub use tenant_files::Edit;
