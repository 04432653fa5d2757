//! `doorward explain URL`: explains the access decision for a request.

use std::{fmt::Write as _, io::Write as _, net::IpAddr, process::ExitCode, sync::Arc};

use anyhow::Context as _;

use super::{ConfigArgs, settings};
use crate::{
    boot,
    clock::Clock,
    proxy::explain::{ExplainRequest, Explanation, explain},
};

/// Explain the access decision for a request; nothing is sent to the portal
#[derive(clap::Args)]
pub struct Options {
    /// An address, or a path with query
    url: String,
    #[command(flatten)]
    config: ConfigArgs,
    #[arg(long, default_value = "GET")]
    method: String,
    /// As if the client named this tenant in X-WSO2-Tenant
    #[arg(long)]
    tenant: Option<String>,
    /// A bearer token; better from a file: --token-file
    #[arg(long, conflicts_with = "token_file")]
    token: Option<String>,
    #[arg(long)]
    token_file: Option<std::path::PathBuf>,
    /// `Name: value`, as often as needed; without any, as from a browser
    #[arg(long = "header", short = 'H')]
    headers: Vec<String>,
    /// The client's address
    #[arg(long)]
    client: Option<IpAddr>,
    /// One JSON document instead of text
    #[arg(long)]
    json: bool,
}

/// Exit code 0: an answer was given, whichever. 2: the question or the configuration cannot be read.
pub fn run(options: &Options) -> ExitCode {
    let settings = match settings(&options.config.file) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    match explain_request(options, settings) {
        Ok(explanation) => {
            let text = if options.json {
                serde_json::to_string_pretty(&explanation).unwrap_or_default() + "\n"
            } else {
                as_text(&explanation)
            };
            // a closed pipe means that the reader needs no more
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", super::error_chain_text(&error));
            ExitCode::from(2)
        }
    }
}

fn explain_request(options: &Options, settings: crate::config::Settings) -> anyhow::Result<Explanation> {
    // another process may be writing to the real one
    let settings = crate::config::Settings {
        log: crate::config::model::LogSettings {
            access: crate::config::model::AccessLogTarget::Off,
            ..settings.log
        },
        ..settings
    };
    let token = match &options.token_file {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            let text = read.with_context(|| format!("--token-file {}", file.display()))?;
            Some(text.trim().to_owned())
        }
        None => options.token.clone(),
    };
    let question = ExplainRequest {
        url: options.url.clone(),
        method: Some(options.method.clone()),
        tenant: options.tenant.clone(),
        token,
        headers: options.headers.clone(),
        client: options.client,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let state = boot::compose(&Arc::new(settings), &runtime, Clock::system())?.state;
    runtime.block_on(async {
        // host names of tenants are read in the background
        state.tenants.names().await;
        while !state.tenants.is_index_ready() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        explain(&state, &question, state.clock.now()).await.map_err(Into::into)
    })
}

fn as_text(explanation: &Explanation) -> String {
    let mut text = String::new();
    for (step, found) in &explanation.steps {
        let _ = writeln!(text, "{step:<15} {found}");
    }
    let status = explanation.status.map(|status| format!(" ({status})")).unwrap_or_default();
    let _ = writeln!(text, "{:<15} {}{status}", "verdict", explanation.verdict);
    text
}
