//! The harness: a portal, an identity provider and a caller, each real sockets on loopback, so that a test is ten lines.

pub mod accounts;
pub mod answer;
pub mod ask;
pub mod binary;
pub mod configuration;
pub mod database;
pub mod double;
pub mod eventually;
pub mod gate;
pub mod h2;
pub mod idp;
pub mod jar;
pub mod jwt;
pub mod keys;
pub mod management;
pub mod message;
pub mod people;
pub mod pki;
pub mod portal;
pub mod portal_door;
pub mod postgres;
pub mod reply;
pub mod tenant_files;
pub mod wire;

pub use binary::Binary;
pub use eventually::eventually;
pub use gate::Gate;
pub use idp::Idp;
pub use jar::Jar;
pub use people::People;
pub use portal::Portal;
pub use portal_door::PortalDoor;
pub use reply::Reply;
pub use tenant_files::Edit;
pub use wire::Wire;
