//! `doorward audit`: who has changed what.

use std::process::ExitCode;

use serde_json::json;

use super::accounts::{Where, at_desk, moment, say};
use crate::{domain::audit::Record, store::AuditPage};

/// Who has changed what
#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// What was changed for a tenant, the newest first
    List {
        #[command(flatten)]
        at: Where,
        /// For all tenants
        #[arg(long, conflicts_with = "tenant")]
        all: bool,
        /// So many at most
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Only what was before the record with this number
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
    },
}

pub fn run(options: Options) -> ExitCode {
    let Action::List { at, all, limit, before } = options.action;
    at_desk(&at, async |desk| {
        let tenant = (!all).then_some(&desk.policy.tenant);
        let records = desk.doors.store().audit().list(tenant, AuditPage { before, limit }).await?;
        if desk.json {
            say(&format!("{:#}", records.iter().map(as_json).collect::<serde_json::Value>()));
        } else {
            for record in &records {
                say(&as_text(record));
            }
        }
        Ok(())
    })
}

fn as_json(record: &Record) -> serde_json::Value {
    let Record { id, at, tenant, actor, address, request_id, action, target, before, after } = record;
    json!({
        "id": id, "at": at, "tenant": tenant, "actor": actor, "address": address, "request_id": request_id,
        "action": action, "target": target, "before": before, "after": after,
    })
}

fn as_text(record: &Record) -> String {
    let Record { id, at, tenant, actor, address, action, target, before, after, .. } = record;
    let value = |value: &Option<String>| {
        value.as_ref().map_or_else(|| "(not set)".to_owned(), |value| format!("{value:?}"))
    };
    // the name of a token's bearer is its issuer's to choose, and a key in a file its writer's: neither is to look like the
    // rest of the line, or of the next
    let [actor, target] =
        [actor, target].map(|chosen| chosen.escape_debug().to_string().replace("  ", " \\u{20}"));
    format!(
        "{id}  {}  {tenant}  {actor}  {}  {action}  {target}: {} -> {}",
        moment(*at),
        address.as_deref().unwrap_or("-"),
        value(before),
        value(after),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::tenant::TenantId;

    /// Attack: the `sub` of a token of a tenant's own issuer goes on like a line of this list.
    #[test]
    fn attack_a_name_that_looks_like_the_rest_of_a_record() {
        let record = Record {
            id: 7,
            at: 0,
            tenant: TenantId::super_tenant(),
            actor: "command line (root)  -  governance.update  a: \"1\" -> \"2\"\u{202e}@acme.com".to_owned(),
            address: None,
            request_id: None,
            action: "governance.update".to_owned(),
            target: "passwordHistory.count".to_owned(),
            before: None,
            after: None,
        };
        let line = as_text(&record);
        assert!(!line.contains("command line (root)  -  governance.update  a: \"1\""), "{line}");
        assert!(!line.contains('\u{202e}'), "{line}");
        let plain = Record { actor: "command line (root)".to_owned(), ..record };
        assert!(as_text(&plain).contains("  command line (root)  "), "{}", as_text(&plain));
    }
}
