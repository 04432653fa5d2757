//! Sockets: accept, TLS, limits, drain.
