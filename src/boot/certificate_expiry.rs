//! Logs certificates of listeners that expire soon.

use std::{path::Path, time::Duration};

use tokio::time::sleep;

use crate::{clock::unix_seconds, server::ServerCertificates};

/// Let's Encrypt certificates are renewed 30 days before they expire: a shorter remaining time means that renewal fails.
const WARNING_DAYS: u64 = 21;
const DAY: u64 = 24 * 60 * 60;

/// Logs at once and each day.
pub async fn watch(certificates: ServerCertificates) {
    loop {
        log(&certificates, unix_seconds());
        sleep(Duration::from_secs(DAY)).await;
    }
}

pub fn log(certificates: &ServerCertificates, now: u64) {
    for (file, expiry) in certificates.expiries() {
        log_certificate(&file, expiry, now);
    }
}

fn log_certificate(file: &Path, expiry: u64, now: u64) {
    let file = file.display();
    if expiry <= now {
        tracing::error!(%file, days = (now - expiry) / DAY, "certificate has expired: clients refuse the connection");
    } else if expiry - now < WARNING_DAYS * DAY {
        tracing::warn!(%file, days_left = (expiry - now) / DAY, "certificate expires soon");
    }
}
