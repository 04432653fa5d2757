//! `[limits]`, resolved.

use std::{net::IpAddr, sync::Arc, time::Duration};

use ipnet::IpNet;

use crate::domain::{
    descriptors::Descriptors,
    fairness::{Rate, Resource, ResourceLimit},
    transfer_rate::MinRate,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
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
    /// A client that reads nothing of its response for this long is disconnected.
    pub write_timeout: Duration,
    /// Minimum rate at which clients read responses.
    pub download_rate: MinRate,
    /// Minimum rate at which clients send bodies.
    pub upload_rate: MinRate,
    pub client: Arc<ClientLimits>,
    pub descriptors: Descriptors,
}

/// Per client and in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientLimits {
    pub connections: ResourceLimit,
    pub requests: ResourceLimit,
    pub request_rate: Rate,
    pub request_bodies: ResourceLimit,
    pub upgrades: ResourceLimit,
    pub upstream_connections: ResourceLimit,
    pub hash_slots: ResourceLimit,
    /// Socket buffers included.
    pub buffered_bytes: ResourceLimit,
    pub guarded_sign_ins: ResourceLimit,
    /// Addresses without limits of their own.
    pub exempt: Vec<IpNet>,
}

impl ClientLimits {
    pub const fn share(&self, resource: Resource) -> ResourceLimit {
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
