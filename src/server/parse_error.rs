//! Answers to request heads that hyper cannot parse. hyper answers them itself, before any service sees the request, and without a
//! body; the client then gets the same status with the reason.

use bytes::Bytes;

const NOT_HTTP: &str = "The request cannot be read: it is not HTTP/1.1, or its address has a character that has to be \
                        percent-encoded, such as '<', '>', '\"' or a blank.\n";
const TARGET_TOO_LONG: &str = "The address is longer than this server accepts (limits.max_target_bytes).\n";
const HEAD_TOO_LARGE: &str = "The headers are longer or more than this server accepts (limits.max_header_bytes, limits.max_headers).\n";

/// The answer to send in place of `head`, which hyper writes without a request. `None`: it is no refusal of hyper's.
pub fn explained(head: &[u8]) -> Option<Bytes> {
    let status = head.strip_prefix(b"HTTP/1.1 ").or_else(|| head.strip_prefix(b"HTTP/1.0 "))?;
    let (status, reason) = match status.get(..3)? {
        b"400" => ("400 Bad Request", NOT_HTTP),
        b"414" => ("414 URI Too Long", TARGET_TOO_LONG),
        b"431" => ("431 Request Header Fields Too Large", HEAD_TOO_LARGE),
        _ => return None,
    };
    let length = reason.len();
    Some(Bytes::from(format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\
         content-length: {length}\r\n\r\n{reason}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explains_refusals_only() {
        for (head, status) in [
            (
                "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n",
                Some("400 Bad Request"),
            ),
            ("HTTP/1.1 414 URI Too Long\r\n\r\n", Some("414 URI Too Long")),
            ("HTTP/1.0 431 x\r\n\r\n", Some("431 Request Header Fields Too Large")),
            ("HTTP/1.1 200 OK\r\n\r\n", None),
            ("HTTP/1.1", None),
            ("", None),
        ] {
            let answer = explained(head.as_bytes());
            let text = answer.as_deref().map(|answer| std::str::from_utf8(answer).unwrap());
            assert_eq!(text.is_some(), status.is_some(), "{head}");
            if let (Some(text), Some(status)) = (text, status) {
                let (head, body) = text.split_once("\r\n\r\n").unwrap();
                assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{head}");
                assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
            }
        }
    }
}
