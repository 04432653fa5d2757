//! Waits for the host index after the start.

use std::time::Duration;

const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// Long enough for a hundred thousand files from a warm disk.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Returns when `ready` is true, or after a timeout.
pub async fn wait_until(ready: impl Fn() -> bool) {
    let polling = async {
        while !ready() {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    // after a timeout the caller finds the index not ready
    let _ = tokio::time::timeout(MAX_WAIT, polling).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waits_until_ready_but_at_most_five_seconds() {
        for (ready_after, waits) in [(0, 0), (5, 5), (1_000, 1_000), (4_990, 4_990), (10_000, 5_000)] {
            let start = Instant::now();
            wait_until(|| start.elapsed().as_millis() >= ready_after).await;
            assert_eq!(start.elapsed().as_millis(), waits, "ready after {ready_after} ms");
        }
    }
}
