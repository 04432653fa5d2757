//! Reuses the `deployment.toml` of an earlier demo: edits are retained, only its two addresses are replaced.

use std::{io, net::SocketAddr, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;
use toml::Spanned;

/// First line of the demo's own file, by which it is recognised.
pub const MARK: &str = "# Written by `doorward demo`.";

#[derive(Deserialize)]
struct PreviousConfig {
    server: PreviousServer,
    portal: PreviousPortal,
}

#[derive(Deserialize)]
struct PreviousServer {
    listen: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
struct PreviousPortal {
    upstream: Vec<PreviousUpstream>,
}

#[derive(Deserialize)]
struct PreviousUpstream {
    url: Spanned<String>,
}

/// The file of an earlier demo; `None` if there is none. A file without the mark is an error.
pub fn read(file: &Path) -> anyhow::Result<Option<String>> {
    let text = match std::fs::read(file) {
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", file.display())),
    };
    if !text.starts_with(MARK) {
        bail!("{} is not the demo's: name another --folder", file.display());
    }
    Ok(Some(text))
}

/// The same text with other addresses.
pub fn with_addresses(text: &str, listen: SocketAddr, portal: &str) -> anyhow::Result<String> {
    let PreviousConfig { server, portal: PreviousPortal { upstream } } = toml::from_str(text)?;
    let (Some(listen_address), Some(PreviousUpstream { url })) = (server.listen.first(), upstream.first())
    else {
        bail!("server.listen and a [[portal.upstream]] are needed");
    };
    let mut edits = [(listen_address.span(), format!("\"{listen}\"")), (url.span(), format!("\"{portal}\""))];
    // from the end, so that the other stays where it is
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = text.to_owned();
    for (span, address) in edits {
        text.replace_range(span, &address);
    }
    Ok(text)
}
