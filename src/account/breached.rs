//! Asks a list of breached passwords, without telling it the password. What the answer means is the policy's concern.

use std::time::Duration;

use aws_lc_rs::digest;
use reqwest::{Client, StatusCode, Url};

use super::hashing::Password;
use crate::{
    domain::{
        causes::with_causes,
        password::breached::{BadAnswer, Query},
    },
    telemetry::metrics::Count,
};

/// The answer with padding has about a thousand lines of forty characters.
const MAX_BODY: usize = 512 * 1024;

/// Have I Been Pwned's service, or a mirror of one's own that speaks like it.
pub struct BreachedPasswords {
    http: Client,
    address: Url,
    timeout: Duration,
    unavailable: Count,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no http or https address of a list of breached passwords, such as https://api.pwnedpasswords.com/range/"
)]
pub struct BadAddress(String);

#[derive(Debug, thiserror::Error)]
enum LookupError {
    #[error("no answer: {}", with_causes(.0))]
    Http(#[from] reqwest::Error),
    #[error("no answer in time")]
    Timeout,
    #[error("the answer has status {0}")]
    Status(StatusCode),
    #[error("the answer is larger than 512 KiB")]
    TooLarge,
    #[error(transparent)]
    Unreadable(#[from] BadAnswer),
}

impl BreachedPasswords {
    /// `unavailable` counts the questions that got no answer.
    pub fn new(
        http: Client,
        address: &str,
        timeout: Duration,
        unavailable: Count,
    ) -> Result<Self, BadAddress> {
        let bad = || BadAddress(address.to_owned());
        let mut url = Url::parse(address).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.query().is_some() {
            return Err(bad());
        }
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(Self { http, address: url, timeout, unavailable })
    }

    /// How often the password was seen in a breach; `None` without an answer, which is logged and counted.
    pub async fn seen(&self, password: &Password) -> Option<u64> {
        let query = Query::new(sha1(password));
        let asked = tokio::time::timeout(self.timeout, self.ask(&query)).await;
        match asked.unwrap_or(Err(LookupError::Timeout)) {
            Ok(seen) => Some(seen),
            Err(problem) => {
                self.unavailable.inc();
                tracing::warn!(%problem, "the list of breached passwords");
                None
            }
        }
    }

    async fn ask(&self, query: &Query) -> Result<u64, LookupError> {
        let mut address = self.address.clone();
        address.set_path(&format!("{}{}", self.address.path(), query.prefix()));
        // all answers have about the same length then, so that not even the prefix can be told from it
        let mut response = self.http.get(address).header("add-padding", "true").send().await?;
        if response.status() != StatusCode::OK {
            return Err(LookupError::Status(response.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(LookupError::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(query.seen(&String::from_utf8_lossy(&body))?)
    }
}

fn sha1(password: &Password) -> [u8; 20] {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.normal().as_bytes());
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

    /// Asks a service that gives this answer (or none) about "password": what it was asked, what we made of the
    /// answer, and how often it counted as none.
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
            let list = BreachedPasswords::new(client(), &address, timeout, unavailable.clone()).unwrap();
            let seen = list.seen(&Password::new("password")).await;
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
    fn an_answer_that_says_nothing_is_none() {
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
    fn why_there_was_no_answer_is_said_to_its_last_cause() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let problem = runtime.block_on(async {
            let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
            let address = format!("http://{nobody}/range");
            let list =
                BreachedPasswords::new(client(), &address, Duration::from_secs(5), Count::default()).unwrap();
            list.ask(&Query::new(sha1(&Password::new("password")))).await.unwrap_err()
        });
        assert!(problem.to_string().contains("refused"), "{problem}");
    }

    #[test]
    fn a_list_is_at_an_http_address() {
        let new =
            |address| BreachedPasswords::new(client(), address, Duration::from_secs(1), Count::default());
        for bad in
            ["", "api.example.org", "file:///etc/passwd", "ftp://example.org/", "https://example.org/?range="]
        {
            assert_eq!(new(bad).err(), Some(BadAddress(bad.to_owned())));
        }
        for good in
            ["https://api.pwnedpasswords.com/range/", "https://example.org", "http://10.0.0.1:8080/range"]
        {
            assert!(new(good).is_ok(), "{good}");
        }
    }
}
