//! Logs certificates of listeners that expire soon.

use std::{path::Path, time::Duration};

use tokio::time::sleep;

use crate::{
    clock::Clock, config::check::EXPIRY_WARNING, domain::time::Timestamp, server::ServerCertificates,
};

const DAY: Duration = Duration::from_hours(24);

/// Logs at once and each day.
pub async fn watch(certificates: ServerCertificates, clock: Clock) {
    loop {
        let now = clock.now();
        for (file, expiry) in certificates.expiries() {
            log(&file, expiry, now);
        }
        sleep(DAY).await;
    }
}

fn log(file: &Path, expiry: Timestamp, now: Timestamp) {
    let file = file.display();
    let days = expiry.abs_diff(now).as_secs() / DAY.as_secs();
    if expiry <= now {
        tracing::error!(%file, days, "certificate has expired: clients refuse the connection");
    } else if expiry.saturating_since(now) < EXPIRY_WARNING {
        tracing::warn!(%file, days_left = days, "certificate expires soon");
    }
}
