//! Which requests are allowed: anonymous mode, sessions, and the faults that users of other portals reported.

mod anonymous;
mod authorization_header;
mod explain;
mod reported_issues;
mod session_identity;
