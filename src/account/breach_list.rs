//! Client of the breach list (k-anonymity). The password policy evaluates the result.

use std::time::Duration;

use aws_lc_rs::digest;
use reqwest::{Client, StatusCode, Url};

use super::hashing::Password;
use crate::{
    domain::{
        causes::with_sources,
        password::breached::{InvalidRangeResponse, RangeQuery},
    },
    telemetry::metrics::Count,
};

/// A padded response has about a thousand lines of forty characters.
const MAX_BODY_BYTES: usize = 512 * 1024;

/// Have I Been Pwned's range API, or a compatible mirror.
pub struct BreachListClient {
    http: Client,
    address: Url,
    timeout: Duration,
    unavailable: Count,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the http or https URL of a breach list, such as https://api.pwnedpasswords.com/range/")]
pub struct InvalidBreachListUrl(String);

#[derive(Debug, thiserror::Error)]
enum BreachLookupError {
    #[error("no response: {}", with_sources(.0))]
    Http(#[from] reqwest::Error),
    #[error("no response in time")]
    Timeout,
    #[error("the response has status {0}")]
    Status(StatusCode),
    #[error("the response is larger than 512 KiB")]
    TooLarge,
    #[error(transparent)]
    Unreadable(#[from] InvalidRangeResponse),
}

impl BreachListClient {
    /// `unavailable` counts failed lookups.
    pub fn new(
        http: Client,
        address: &str,
        timeout: Duration,
        unavailable: Count,
    ) -> Result<Self, InvalidBreachListUrl> {
        let bad = || InvalidBreachListUrl(address.to_owned());
        let mut url = Url::parse(address).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.query().is_some() {
            return Err(bad());
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self { http, address: url, timeout, unavailable })
    }

    /// The occurrences of the password in breaches; `None` if the lookup failed, which is logged and counted.
    pub async fn occurrences(&self, password: &Password) -> Option<u64> {
        let query = RangeQuery::new(sha1(password));
        let asked = tokio::time::timeout(self.timeout, self.query_range(&query)).await;
        match asked.unwrap_or(Err(BreachLookupError::Timeout)) {
            Ok(seen) => Some(seen),
            Err(problem) => {
                self.unavailable.inc();
                tracing::warn!(%problem, "failed to look up the password in the breach list");
                None
            }
        }
    }

    async fn query_range(&self, query: &RangeQuery) -> Result<u64, BreachLookupError> {
        let mut address = self.address.clone();
        address.set_path(&format!("{}{}", self.address.path(), query.prefix()));
        // padding makes all responses about equally long, so that their length does not disclose the prefix
        let mut response = self.http.get(address).header("add-padding", "true").send().await?;
        if response.status() != StatusCode::OK {
            return Err(BreachLookupError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(BreachLookupError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(query.occurrences(&String::from_utf8_lossy(&body))?)
    }
}

fn sha1(password: &Password) -> [u8; 20] {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.normalized().as_bytes());
    std::array::from_fn(|i| digest.as_ref().get(i).copied().unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    /// SHA-1 of "password", without its first five digits.
    const SUFFIX: &str = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";

    fn client() -> Client {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = Client::builder().tls_backend_preconfigured(tls).no_proxy();
        client.redirect(reqwest::redirect::Policy::none()).build().unwrap()
    }

    /// Looks up "password" at a service with this response (or none). Returns the request path, the result,
    /// and the number of failed lookups.
    fn ask(answer: Option<String>) -> (String, Option<u64>, u64) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = format!("http://{}/mirror/range", listener.local_addr().unwrap());
            let service = tokio::spawn(async move {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    request.push(socket.read_u8().await.unwrap());
                }
                if let Some(answer) = answer {
                    // a client that has read enough closes first
                    let _ = socket.write_all(answer.as_bytes()).await;
                    return (String::from_utf8(request).unwrap(), None);
                }
                (String::from_utf8(request).unwrap(), Some(socket))
            });
            let unavailable = Count::default();
            let timeout = Duration::from_millis(500);
            let list = BreachListClient::new(client(), &address, timeout, unavailable.clone()).unwrap();
            let seen = list.occurrences(&Password::new("password")).await;
            (service.await.unwrap().0, seen, unavailable.get())
        })
    }

    fn ok(body: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    #[test]
    fn attack_the_list_does_not_learn_the_password() {
        let (request, seen, unavailable) = ask(Some(ok(&format!("{SUFFIX}:9545824\r\n"))));
        assert_eq!((seen, unavailable), (Some(9_545_824), 0));
        assert!(request.starts_with("GET /mirror/range/5BAA6 HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("add-padding: true"), "{request}");
        assert!(!request.contains("1E4C") && !request.contains("password"), "{request}");
    }

    #[test]
    fn rejects_answer_without_suffix_lines() {
        assert_eq!(ask(Some(ok("003D68EB55068C33ACE09247EE4C639306B:3\r\n"))).1, Some(0));
        for answer in [
            None,
            Some(ok("<html>sign in to the network</html>")),
            Some(ok("")),
            Some(ok(&format!("{SUFFIX}:1\r\n").repeat(20_000))),
            Some(format!("HTTP/1.1 503 Busy\r\nconnection: close\r\n\r\n{SUFFIX}:1\r\n")),
            Some("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n".to_owned()),
            Some("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n".to_owned()),
            Some(String::new()),
        ] {
            let (_, seen, unavailable) = ask(answer.clone());
            assert_eq!((seen, unavailable), (None, 1), "{:.60}", answer.unwrap_or_default());
        }
    }

    #[test]
    fn logs_lookup_failure_with_all_its_sources() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let problem = runtime.block_on(async {
            let closed_port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            let address = format!("http://{closed_port}/range");
            let list =
                BreachListClient::new(client(), &address, Duration::from_secs(5), Count::default()).unwrap();
            list.query_range(&RangeQuery::new(sha1(&Password::new("password")))).await.unwrap_err()
        });
        assert!(problem.to_string().contains("refused"), "{problem}");
    }

    #[test]
    fn accepts_only_http_and_https_urls() {
        let new =
            |address| BreachListClient::new(client(), address, Duration::from_secs(1), Count::default());
        for bad in
            ["", "api.example.org", "file:///etc/passwd", "ftp://example.org/", "https://example.org/?range="]
        {
            assert_eq!(new(bad).err(), Some(InvalidBreachListUrl(bad.to_owned())));
        }
        for good in
            ["https://api.pwnedpasswords.com/range/", "https://example.org", "http://10.0.0.1:8080/range"]
        {
            assert!(new(good).is_ok(), "{good}");
        }
    }
}
