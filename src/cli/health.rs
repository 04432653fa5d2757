//! `doorward health`: the probe for images without a shell or curl.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::ExitCode,
    time::Duration,
};

/// Ask a running Doorward's private port how it is
#[derive(clap::Args)]
pub struct Options {
    /// Which probe
    #[arg(value_parser = ["live", "ready", "startup"], default_value = "ready")]
    probe: String,
    /// The private port: an IP address and port, or http:// before them
    #[arg(long, env = "DOORWARD_ADMIN__LISTEN", default_value = "127.0.0.1:9901", value_parser = address)]
    address: SocketAddr,
    /// Seconds to wait
    #[arg(long, default_value_t = 3)]
    timeout: u64,
}

/// `127.0.0.1:9901`, `http://127.0.0.1:9901/`, `http://localhost:9901/readyz`: only host and port count.
fn address(written: &str) -> Result<SocketAddr, String> {
    let wanted = "write an IP address and port such as 127.0.0.1:9901, or http://127.0.0.1:9901";
    let rest = match written.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => rest,
        Some((scheme, _)) => return Err(format!("the private port speaks http, not {scheme}; {wanted}")),
        None => written,
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let numeric = match authority.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => authority.to_owned(),
    };
    numeric.parse().map_err(|_| match written {
        "off" => "admin.listen is \"off\": there is no private port to ask".to_owned(),
        _ => format!("not an IP address with a port; {wanted}"),
    })
}

/// Exit code 0: yes. 1: no, or no answer.
pub fn run(options: &Options) -> ExitCode {
    match ask(options) {
        Ok((true, _)) => ExitCode::SUCCESS,
        Ok((false, answer)) => {
            eprintln!("not {}: {}", options.probe, answer.trim());
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("no answer from {}: {error}", options.address);
            ExitCode::from(1)
        }
    }
}

fn ask(options: &Options) -> std::io::Result<(bool, String)> {
    let timeout = Duration::from_secs(options.timeout.max(1));
    // listening everywhere is asked here
    let mut address = options.address;
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
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
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
            assert_eq!(address(written), Ok(([127, 0, 0, 1], 9901).into()), "{written}");
        }
        assert!(address("http://[::1]:9901/").unwrap().is_ipv6());
        for (written, told) in [
            ("127.0.0.1", "such as 127.0.0.1:9901"),
            ("portal.example.com:9901", "such as 127.0.0.1:9901"),
            ("https://127.0.0.1:9901", "speaks http, not https"),
            ("off", "no private port"),
            ("", "such as 127.0.0.1:9901"),
        ] {
            let error = address(written).unwrap_err();
            assert!(error.contains(told), "{written}: {error}");
        }
    }
}
