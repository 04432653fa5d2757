//! How long a request waits for the hosts of tenants to be known.

use std::time::Duration;

const STEP: Duration = Duration::from_millis(5);
/// Long enough for a hundred thousand files from a warm disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Returns when it is `ready`, and in any case when patience ends.
pub async fn wait_until(ready: impl Fn() -> bool) {
    let looking = async {
        while !ready() {
            tokio::time::sleep(STEP).await;
        }
    };
    // who waited in vain finds that out by asking again
    let _ = tokio::time::timeout(PATIENCE, looking).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_needed_nor_longer_than_five_seconds() {
        for (ready_after, waits) in [(0, 0), (5, 5), (1_000, 1_000), (4_990, 4_990), (10_000, 5_000)] {
            let start = Instant::now();
            wait_until(|| start.elapsed().as_millis() >= ready_after).await;
            assert_eq!(start.elapsed().as_millis(), waits, "ready after {ready_after} ms");
        }
    }
}
