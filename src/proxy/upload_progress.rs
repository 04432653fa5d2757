//! Progress of a client's upload, and whether the client has aborted it.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, Ordering},
};

/// The progress of an upload, for the task that waits for the answer.
#[derive(Debug, Default)]
pub struct UploadProgress {
    bytes: AtomicU64,
    fault: OnceLock<ClientFault>,
}

/// Why a client's body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientFault {
    /// It is malformed, or the client closed the connection or the stream.
    Malformed,
    /// It came too slowly, or stopped.
    Idle,
}

impl UploadProgress {
    /// Set where the upload failed because of the client, and not because of the portal.
    pub fn client_fault(&self) -> Option<ClientFault> {
        self.fault.get().copied()
    }

    pub fn fail(&self, fault: ClientFault) {
        // the first fault is the reason for those after it
        let _ = self.fault.set(fault);
    }

    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether bytes have arrived since the last call; the caller stores `seen`.
    pub fn has_progressed(&self, seen: &mut u64) -> bool {
        std::mem::replace(seen, self.bytes()) != self.bytes()
    }
}
