//! A network between Doorward and its PostgreSQL server, which the test interrupts and restores.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use super::{database::Database, eventually};

pub struct Network {
    address: SocketAddr,
    server: PathBuf,
    database: String,
    open: Arc<NetworkState>,
}

#[derive(Default)]
struct NetworkState {
    is_cut: AtomicBool,
    connections: Mutex<Vec<(TcpStream, UnixStream)>>,
}

impl Network {
    /// To the server of this database, which must be PostgreSQL.
    pub fn to(database: &Database) -> Self {
        let (path, query) = database.url.split_once('?').unwrap();
        let server = query.split('&').find_map(|pair| pair.strip_prefix("host=")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let network = Self {
            address: listener.local_addr().unwrap(),
            server: PathBuf::from(server).join(".s.PGSQL.5432"),
            database: path.rsplit('/').next().unwrap().to_owned(),
            open: Arc::default(),
        };
        network.forward(listener);
        network
    }

    pub fn url(&self) -> String {
        format!("postgres://postgres@{}/{}?sslmode=disable", self.address, self.database)
    }

    /// Ends all connections and refuses new ones.
    pub fn cut(&self) {
        self.open.is_cut.store(true, Ordering::SeqCst);
        // wakes the thread that accepts, which then closes the port
        eventually(|| TcpStream::connect(self.address).is_err());
        for (client, server) in self.open.connections.lock().unwrap().drain(..) {
            let _ = (client.shutdown(Shutdown::Both), server.shutdown(Shutdown::Both));
        }
    }

    pub fn restore(&self) {
        self.open.is_cut.store(false, Ordering::SeqCst);
        let mut listener = None;
        eventually(|| {
            listener = TcpListener::bind(self.address).ok();
            listener.is_some()
        });
        self.forward(listener.unwrap());
    }

    fn forward(&self, listener: TcpListener) {
        let (server, open) = (self.server.clone(), Arc::clone(&self.open));
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if open.is_cut.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(server) = UnixStream::connect(&server) else { continue };
                let both = (client.try_clone().unwrap(), server.try_clone().unwrap());
                open.connections.lock().unwrap().push(both);
                copy(client.try_clone().unwrap(), server.try_clone().unwrap());
                copy(server, client);
            }
        });
    }
}

/// Until one side ends; then both do.
fn copy(mut from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) {
    thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(count @ 1..) = from.read(&mut bytes) {
            if to.write_all(&bytes[..count]).is_err() {
                return;
            }
        }
    });
}
