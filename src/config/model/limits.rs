//! `[limits]`, resolved.

use std::{net::IpAddr, sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::domain::{
    descriptors::Descriptors,
    fairness::{Rate, Resource, Share},
    transfer_rate::MinRate,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub max_connections: usize,
    pub max_header_bytes: usize,
    pub max_headers: usize,
    pub max_token_bytes: usize,
    pub max_upgrades: usize,
    pub max_requests: usize,
    pub max_request_bodies: usize,
    /// From accept (or the first byte of a request) to the end of its head.
    pub header_timeout: Duration,
    /// A keep-alive connection without a request is closed after this.
    pub keep_alive: Duration,
    /// A client that takes nothing of its answer for this long is given up.
    pub write_timeout: Duration,
    /// At which clients take answers.
    pub download_rate: MinRate,
    /// At which clients send bodies.
    pub upload_rate: MinRate,
    pub client: Arc<ClientLimits>,
    pub descriptors: Descriptors,
}

/// Per client and in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientLimits {
    pub connections: Share,
    pub requests: Share,
    pub request_rate: Rate,
    pub request_bodies: Share,
    pub upgrades: Share,
    pub upstream_connections: Share,
    pub hash_slots: Share,
    /// Socket buffers included.
    pub buffered_bytes: Share,
    pub guarded_sign_ins: Share,
    /// Addresses without limits of their own.
    pub exempt: Vec<IpNet>,
}

impl ClientLimits {
    pub const fn share(&self, resource: Resource) -> Share {
        match resource {
            Resource::Connection => self.connections,
            Resource::Request => self.requests,
            Resource::RequestBody => self.request_bodies,
            Resource::Upgrade => self.upgrades,
            Resource::UpstreamConnection => self.upstream_connections,
            Resource::HashSlot => self.hash_slots,
            Resource::BufferedBytes => self.buffered_bytes,
            Resource::GuardedSignIn => self.guarded_sign_ins,
        }
    }

    pub fn is_exempt(&self, address: IpAddr) -> bool {
        self.exempt.iter().any(|net| net.contains(&address))
    }
}
