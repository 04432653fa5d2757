//! Our own pages, server-rendered; and the private port.
