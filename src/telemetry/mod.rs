//! What can be seen: logs and metrics.
