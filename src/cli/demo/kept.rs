//! A `deployment.toml` from an earlier demo: what was edited stays, only its two addresses are those of this start.

use std::{io, net::SocketAddr, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;
use toml::Spanned;

/// How the demo's own file begins; by it alone the file is known again.
pub const MARK: &str = "# Written by `doorward demo`.";

#[derive(Deserialize)]
struct File {
    server: Server,
    portal: Portal,
}

#[derive(Deserialize)]
struct Server {
    listen: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
struct Portal {
    upstream: Vec<Upstream>,
}

#[derive(Deserialize)]
struct Upstream {
    url: Spanned<String>,
}

/// What an earlier demo left; `None` where nothing is. A file of anybody else is an error.
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
pub fn at(text: &str, listen: SocketAddr, portal: &str) -> anyhow::Result<String> {
    let File { server, portal: Portal { upstream } } = toml::from_str(text)?;
    let (Some(own), Some(Upstream { url })) = (server.listen.first(), upstream.first()) else {
        bail!("server.listen and a [[portal.upstream]] are needed");
    };
    let mut edits = [(own.span(), format!("\"{listen}\"")), (url.span(), format!("\"{portal}\""))];
    // from the end, so that the other stays where it is
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    let mut text = text.to_owned();
    for (span, address) in edits {
        text.replace_range(span, &address);
    }
    Ok(text)
}
