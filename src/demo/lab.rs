//! Endpoints to try a proxy with: request echo, slow responses, streams both ways, events, a WebSocket.

use std::{convert::Infallible, time::Duration};

use aws_lc_rs::digest::{Context, SHA256};
use axum::{
    Json, Router,
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::websocket;

/// One piece of a download.
static DOWNLOAD_CHUNK: [u8; 64 * 1024] = [b'.'; 64 * 1024];

pub fn router() -> Router {
    Router::new()
        .route("/echo", any(echo))
        .route("/clock", get(clock))
        .route("/upload", post(upload).put(upload))
        .route("/download/{bytes}", get(download))
        .route("/slow/{milliseconds}", any(slow))
        .route("/status/{code}", any(status))
        .route("/socket", get(websocket::echo))
}

/// The request as it reached the portal.
pub async fn echo(request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(length) = count(body).await else { return StatusCode::BAD_REQUEST.into_response() };
    let headers: Vec<Value> = parts
        .headers
        .iter()
        .map(|(name, value)| json!([name.as_str(), String::from_utf8_lossy(value.as_bytes())]))
        .collect();
    Json(json!({
        "method": parts.method.as_str(),
        "uri": parts.uri.to_string(),
        "version": format!("{:?}", parts.version),
        "headers": headers,
        "bodyBytes": length.0,
    }))
    .into_response()
}

/// Server-sent events: a tick every second, the first at once.
async fn clock() -> Response {
    let ticks = stream::unfold(0u64, |tick| async move {
        if tick > 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Some((
            Ok::<_, Infallible>(Bytes::from(format!("id: {tick}\nevent: tick\ndata: {tick}\n\n"))),
            tick + 1,
        ))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-cache")];
    (headers, Body::from_stream(ticks)).into_response()
}

/// Reads the body as a stream and returns its size and hash.
async fn upload(body: Body) -> Response {
    match count(body).await {
        Ok((bytes, sha256)) => Json(json!({ "bytes": bytes, "sha256": sha256 })).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn count(mut body: Body) -> Result<(u64, String), axum::Error> {
    let mut hash = Context::new(&SHA256);
    let mut bytes = 0u64;
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes = bytes.saturating_add(data.len() as u64);
            hash.update(&data);
        }
    }
    Ok((bytes, hex::encode(hash.finish())))
}

/// So many bytes, made as they are read.
async fn download(Path(bytes): Path<u64>) -> Response {
    let piece = Bytes::from_static(&DOWNLOAD_CHUNK);
    let body = stream::unfold(bytes, move |remaining| {
        let piece = piece.clone();
        async move {
            let length = usize::try_from(remaining).unwrap_or(DOWNLOAD_CHUNK.len()).min(DOWNLOAD_CHUNK.len());
            (length > 0).then(|| (Ok::<_, Infallible>(piece.slice(..length)), remaining - length as u64))
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, bytes.to_string()),
    ];
    (headers, Body::from_stream(body.boxed())).into_response()
}

async fn slow(Path(milliseconds): Path<u64>) -> String {
    tokio::time::sleep(Duration::from_millis(milliseconds.min(600_000))).await;
    format!("after {milliseconds} ms\n")
}

async fn status(Path(code): Path<u16>) -> Response {
    match StatusCode::from_u16(code) {
        Ok(status) if status.as_u16() >= 200 => (status, format!("{status}\n")).into_response(),
        _ => StatusCode::BAD_REQUEST.into_response(),
    }
}
