//! The threads that hash passwords. Their scheduling priority is lower than that of the threads that serve requests: where
//! CPUs are scarce, a flood of sign-ins slows down sign-ins and nothing else.

use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
};

/// Added to the niceness of the process (`nice(2)`): such a thread gets about a tenth of a CPU that a serving thread also uses.
const NICENESS: i32 = 10;

pub(super) struct HashThreads {
    /// Never runs a future; only its threads for blocking work are used. `None`: it could not be built, and the threads of
    /// the caller's runtime are used, at the priority of requests.
    runtime: Option<Runtime>,
}

impl HashThreads {
    pub(super) fn new(max: usize) -> Self {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(max.max(1))
            .thread_name("password-hash")
            .on_thread_start(lower_priority)
            .build();
        if let Err(error) = &runtime {
            tracing::warn!(%error, "cannot start threads for password hashes: they run at the priority of requests");
        }
        Self { runtime: runtime.ok() }
    }

    pub(super) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        match &self.runtime {
            Some(runtime) => runtime.spawn_blocking(work),
            None => tokio::task::spawn_blocking(work),
        }
    }
}

impl Drop for HashThreads {
    fn drop(&mut self) {
        // may be dropped by a future, where waiting for the threads is not allowed
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// On Linux `nice` changes the priority of the calling thread only.
fn lower_priority() {
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(%error, "cannot lower the priority of a thread that hashes passwords");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn niceness() -> i32 {
        rustix::process::getpriority_process(None).unwrap()
    }

    #[tokio::test]
    async fn hash_threads_yield_to_threads_that_serve_requests() {
        let before = niceness();
        let threads = HashThreads::new(2);
        assert_eq!(threads.spawn(niceness).await.unwrap(), (before + NICENESS).min(19));
        assert_eq!(niceness(), before, "the priority of the caller is unchanged");
    }
}
