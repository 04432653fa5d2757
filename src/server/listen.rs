//! Listening sockets.

use std::{
    io::{self, ErrorKind},
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use socket2::{Domain, Protocol, Socket, Type};

use super::tls::Certificates;
use crate::proxy::ListenerKind;

/// Connections the kernel queues while every worker is busy.
const BACKLOG: i32 = 4096;

pub struct Listener {
    pub kind: ListenerKind,
    pub socket: TcpListener,
    pub tls: Option<Arc<Certificates>>,
}

/// `key` is the configuration key of the address.
pub fn bind(address: SocketAddr, key: &str) -> io::Result<TcpListener> {
    let bind = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(TcpListener::from(socket))
    };
    bind().map_err(|error| cannot_listen(address, key, &error))
}

/// Names the configuration key to change, and other remedies.
pub fn cannot_listen(address: SocketAddr, key: &str, error: &io::Error) -> io::Error {
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => " (another process listens there: end it, or write another address)",
        ErrorKind::AddrNotAvailable => {
            " (this machine has no such address: write one that it has, or 0.0.0.0)"
        }
        ErrorKind::PermissionDenied => {
            " (this user may not: write a port from 1024 on, or give Doorward CAP_NET_BIND_SERVICE)"
        }
        _ => "",
    };
    io::Error::new(error.kind(), format!("cannot listen on {address} ({key}): {error}{remedy}"))
}
