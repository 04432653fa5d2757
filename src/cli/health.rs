//! `doorward health`: the probe for images without a shell or curl.

use std::{
    fs,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use super::DEFAULT_CONFIG_FILE;
use crate::config::{environment, load::admin_listen};

/// The private port's address where the configuration sets none.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9901);

/// Query a probe of a running Doorward at its private port
#[derive(clap::Args)]
pub struct Options {
    /// Which probe
    #[arg(value_parser = ["live", "ready", "startup"], default_value = "ready")]
    probe: String,
    /// The private port: an IP address and port, or http:// before them [default: admin.listen of the configuration file]
    #[arg(long, env = "DOORWARD_ADMIN__LISTEN", value_parser = parse_address)]
    address: Option<SocketAddr>,
    /// The configuration file [default: config/deployment.toml, if it exists]
    #[arg(long = "config", short = 'c', env = "DOORWARD_CONFIG")]
    file: Option<PathBuf>,
    /// Seconds to wait
    #[arg(long, default_value_t = 3)]
    timeout: u64,
}

/// Why there is no address to probe.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ProbeAddressError {
    #[error("the private port speaks http, not {0}; {WANTED}")]
    Scheme(String),
    #[error("not an IP address with a port; {WANTED}")]
    NotAnAddress,
    #[error("admin.listen is \"off\": there is no private port to ask")]
    NoPrivatePort,
    #[error("{0} cannot be read: {1}")]
    UnreadableFile(String, String),
    #[error("{0}: admin.listen: {1}")]
    Configured(String, Box<Self>),
}

const WANTED: &str = "write an IP address and port such as 127.0.0.1:9901, or http://127.0.0.1:9901";

/// `127.0.0.1:9901`, `http://127.0.0.1:9901/`, `http://localhost:9901/readyz`: only host and port count.
fn parse_address(written: &str) -> Result<SocketAddr, ProbeAddressError> {
    let rest = match written.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) => return Err(ProbeAddressError::Scheme(scheme.to_owned())),
        None => written,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let numeric = match authority.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => authority.to_owned(),
    };
    numeric.parse().map_err(|_| match written {
        "off" => ProbeAddressError::NoPrivatePort,
        _ => ProbeAddressError::NotAnAddress,
    })
}

/// The address to probe, and a warning if the file cannot be parsed. Only the address is read from the file, so that a
/// mistake in an edit that is not in force yet does not fail the probe of a running process.
fn find_address(options: &Options) -> Result<(SocketAddr, Option<String>), ProbeAddressError> {
    if let Some(address) = options.address {
        return Ok((address, None));
    }
    let file = options.file.as_deref().unwrap_or(Path::new(DEFAULT_CONFIG_FILE));
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(_) if options.file.is_none() => return Ok((DEFAULT, None)),
        Err(error) => {
            return Err(ProbeAddressError::UnreadableFile(file.display().to_string(), error.to_string()));
        }
    };
    match admin_listen(&text, file, &environment()) {
        Ok(None) => Ok((DEFAULT, None)),
        Ok(Some(listen)) => match parse_address(&listen) {
            Ok(address) => Ok((address, None)),
            Err(error) => Err(ProbeAddressError::Configured(file.display().to_string(), Box::new(error))),
        },
        Err(mistakes) => {
            let line = mistakes.first().and_then(|mistake| mistake.line);
            let line = line.map_or_else(String::new, |line| format!(" (line {line})"));
            let file = file.display();
            let note =
                format!("{file} is not TOML{line}: probed the default address, {DEFAULT}; use --address");
            Ok((DEFAULT, Some(note)))
        }
    }
}

/// Exit code 0: yes. 1: no, or no answer. 2: no address to ask.
pub fn run(options: &Options) -> ExitCode {
    let address = match find_address(options) {
        Ok((address, note)) => {
            if let Some(note) = note {
                eprintln!("warning: {note}");
            }
            address
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    match probe(options, address) {
        Ok((true, answer)) => {
            // `/readyz` also reports faults that do not stop requests from being served
            let answer = answer.trim();
            if !matches!(answer, "" | "ok") {
                println!("{answer}");
            }
            ExitCode::SUCCESS
        }
        Ok((false, answer)) => {
            eprintln!("not {}: {}", options.probe, answer.trim());
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("no answer from {address}: {error}");
            ExitCode::from(1)
        }
    }
}

fn probe(options: &Options, mut address: SocketAddr) -> std::io::Result<(bool, String)> {
    let timeout = Duration::from_secs(options.timeout.max(1));
    // a server on the unspecified address is probed at loopback
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    let mut stream = TcpStream::connect_timeout(&address, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    let path = match options.probe.as_str() {
        "live" => "/livez",
        "startup" => "/startupz",
        _ => "/readyz",
    };
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.take(64 * 1024).read_to_string(&mut response)?;
    let status = response.split(' ').nth(1).unwrap_or_default();
    let body = response.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status == "200", body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_port_is_found_in_every_usual_spelling() {
        for written in [
            "127.0.0.1:9901",
            "localhost:9901",
            "http://127.0.0.1:9901",
            "http://localhost:9901/readyz",
            "HTTP://127.0.0.1:9901/?x",
        ] {
            assert_eq!(parse_address(written), Ok(([127, 0, 0, 1], 9901).into()), "{written}");
        }
        assert!(parse_address("http://[::1]:9901/").unwrap().is_ipv6());
        for (written, expected) in [
            ("127.0.0.1", "such as 127.0.0.1:9901"),
            ("portal.example.com:9901", "such as 127.0.0.1:9901"),
            ("https://127.0.0.1:9901", "speaks http, not https"),
            ("off", "no private port"),
            ("", "such as 127.0.0.1:9901"),
        ] {
            let error = parse_address(written).unwrap_err().to_string();
            assert!(error.contains(expected), "{written}: {error}");
        }
    }

    #[test]
    fn health_asks_the_private_port_of_the_configuration_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deployment.toml");
        let found = |text: &str, address: Option<SocketAddr>| {
            fs::write(&file, text).unwrap();
            let options = Options { probe: String::new(), address, file: Some(file.clone()), timeout: 1 };
            find_address(&options).map(|(address, _)| address)
        };
        let port = |port: u16| Ok::<_, ProbeAddressError>(SocketAddr::from(([127, 0, 0, 1], port)));
        let listen = "[admin]\nlisten = \"127.0.0.1:7777\"\n";
        assert_eq!(found(listen, None), port(7777));
        assert_eq!(found(listen, port(8888).ok()), port(8888), "the argument takes precedence");
        assert_eq!(
            found(&format!("{listen}[server]\nworkers = \"many\"\n"), None),
            port(7777),
            "a mistake elsewhere"
        );
        for text in ["", "[admin]\n", "[admin", "[admin]\nlisten = 7"] {
            assert_eq!(found(text, None), Ok(DEFAULT), "{text}");
        }
        fs::write(&file, "[admin]\nlisten = \n").unwrap();
        let broken = Options { probe: String::new(), address: None, file: Some(file.clone()), timeout: 1 };
        let note = find_address(&broken).unwrap().1.unwrap();
        assert!(
            note.ends_with("is not TOML (line 2): probed the default address, 127.0.0.1:9901; use --address"),
            "{note}"
        );
        assert!(
            found("[admin]\nlisten = \"off\"", None).unwrap_err().to_string().contains("no private port")
        );
        fs::remove_file(&file).unwrap();
        let missing = Options { probe: String::new(), address: None, file: Some(file), timeout: 1 };
        assert!(find_address(&missing).unwrap_err().to_string().contains("cannot be read"));
    }
}
