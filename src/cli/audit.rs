//! `doorward audit`: lists administrator actions.

use std::process::ExitCode;

use serde_json::json;

use super::command_context::{TenantArgs, format_time, print_line, with_tenant_accounts};
use crate::{domain::audit::AuditRecord, store::AuditPage};

/// List administrator actions
#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    action: AuditCommand,
}

#[derive(clap::Subcommand)]
enum AuditCommand {
    /// The changes to a tenant, newest first
    List {
        #[command(flatten)]
        at: TenantArgs,
        /// For all tenants
        #[arg(long, conflicts_with = "tenant")]
        all: bool,
        /// At most this many records
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Only records before the one with this number
        #[arg(long, value_name = "NUMBER")]
        before: Option<u64>,
    },
}

pub fn run(options: Options) -> ExitCode {
    let AuditCommand::List { at, all, limit, before } = options.action;
    with_tenant_accounts(&at, async |context| {
        let tenant = (!all).then_some(&context.policy.tenant);
        let records = context.accounts.store.audit().list(tenant, AuditPage { before, limit }).await?;
        if context.json {
            print_line(&format!("{:#}", records.iter().map(as_json).collect::<serde_json::Value>()));
        } else {
            for record in &records {
                print_line(&as_text(record));
            }
        }
        Ok(())
    })
}

fn as_json(record: &AuditRecord) -> serde_json::Value {
    let AuditRecord { id, at, tenant, actor, address, request_id, action, target, before, after } = record;
    json!({
        "id": id, "at": at.as_millis(), "tenant": tenant, "actor": actor, "address": address, "request_id": request_id,
        "action": action, "target": target, "before": before, "after": after,
    })
}

fn as_text(record: &AuditRecord) -> String {
    let AuditRecord { id, at, tenant, actor, address, action, target, before, after, .. } = record;
    let value = |value: &Option<String>| {
        value.as_ref().map_or_else(|| "(not set)".to_owned(), |value| format!("{value:?}"))
    };
    // log injection: an issuer chooses the name in its tokens, and an author the keys of a file; neither may imitate the
    // rest of the line, or the next line
    let [actor, target] =
        [actor, target].map(|chosen| chosen.escape_debug().to_string().replace("  ", " \\u{20}"));
    format!(
        "{id}  {}  {tenant}  {actor}  {}  {action}  {target}: {} -> {}",
        format_time(*at),
        address.as_deref().unwrap_or("-"),
        value(before),
        value(after),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{tenant::TenantId, time::Timestamp};

    /// Attack: the `sub` of a token of a tenant's own issuer imitates a line of this list.
    #[test]
    fn attack_log_injection_by_actor_name() {
        let record = AuditRecord {
            id: 7,
            at: Timestamp::EPOCH,
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
        let plain = AuditRecord { actor: "command line (root)".to_owned(), ..record };
        assert!(as_text(&plain).contains("  command line (root)  "), "{}", as_text(&plain));
    }
}
