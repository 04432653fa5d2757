//! `doorward governance`: a tenant's settings by WSO2's names, as an administrator sets them.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use serde_json::json;

use super::command_context::{
    CommandContext, TenantArgs, operator_actor, print_line, with_tenant_accounts,
    with_tenant_accounts_in_force,
};
use crate::{
    config::document::nearest::nearest,
    domain::governance::{
        ChangeContext, Connector, Effect, MASK, ResolvedProperty, categories, names, property,
    },
    governance::EffectiveProperties,
};

/// A tenant's settings by WSO2's names; changes apply at once, also to a running Doorward
#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    action: GovernanceCommand,
}

#[derive(clap::Subcommand)]
enum GovernanceCommand {
    /// All properties with their values in force; `*` marks what an administrator has set
    List {
        /// Only those whose names begin so
        #[arg(default_value = "")]
        begin: String,
        #[command(flatten)]
        at: TenantArgs,
    },
    /// The value in force of one property
    Get {
        property: String,
        #[command(flatten)]
        at: TenantArgs,
    },
    /// Set properties, all or none
    Set {
        /// NAME=VALUE
        #[arg(required = true)]
        properties: Vec<String>,
        #[command(flatten)]
        at: TenantArgs,
    },
    /// Remove these overrides, all or none: the values of the files apply again
    Revert {
        /// Names, of one connector or of several
        #[arg(required = true)]
        properties: Vec<String>,
        #[command(flatten)]
        at: TenantArgs,
    },
}

pub fn run(options: Options) -> ExitCode {
    dispatch(options.action).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

/// An error here is a word that was mistyped: nothing has been opened yet.
fn dispatch(action: GovernanceCommand) -> anyhow::Result<ExitCode> {
    Ok(match action {
        GovernanceCommand::List { begin, at } => {
            with_tenant_accounts_in_force(&at, async |context| list(&context, &begin).await)
        }
        GovernanceCommand::Get { property, at } => {
            let named = find_property(&property)?;
            with_tenant_accounts_in_force(&at, async |context| get(&context, &named).await)
        }
        GovernanceCommand::Set { properties, at } => {
            let pairs: Vec<_> =
                properties.iter().map(|written| parse_pair(written)).collect::<Result<_, _>>()?;
            with_tenant_accounts(&at, async |context| set(&context, pairs).await)
        }
        GovernanceCommand::Revert { properties, at } => {
            let named: Vec<_> =
                properties.iter().map(|name| find_property(name)).collect::<Result<_, _>>()?;
            with_tenant_accounts(&at, async |context| revert(&context, named).await)
        }
    })
}

type ByConnector<T> = Vec<(&'static Connector, Vec<T>)>;

fn parse_pair(written: &str) -> anyhow::Result<(ResolvedProperty, String)> {
    let Some((name, value)) = written.split_once('=') else {
        bail!("{written:?} is not NAME=VALUE: write passwordPolicy.min.length=12");
    };
    Ok((find_property(name)?, value.to_owned()))
}

/// Groups properties by connector.
fn by_connector<T>(properties: impl IntoIterator<Item = (&'static Connector, T)>) -> ByConnector<T> {
    let mut wanted: ByConnector<T> = Vec::new();
    for (connector, property) in properties {
        match wanted.iter_mut().find(|(known, _)| known.name == connector.name) {
            Some((_, properties)) => properties.push(property),
            None => wanted.push((connector, vec![property])),
        }
    }
    wanted
}

async fn get(context: &CommandContext, named: &ResolvedProperty) -> anyhow::Result<()> {
    let value = display_value(&values(context).await?, named);
    if context.json {
        print_line(&json!({ "name": named.name, "value": value }).to_string());
    } else {
        print_line(&value);
    }
    Ok(())
}

async fn set(context: &CommandContext, pairs: Vec<(ResolvedProperty, String)>) -> anyhow::Result<()> {
    let names: Vec<_> = pairs.iter().map(|(named, _)| named.name.clone().into_owned()).collect();
    let changes = pairs.into_iter().map(|(named, value)| (named.connector, (named.name.into_owned(), value)));
    let (changes, tenant) = (by_connector(changes), &context.policy.tenant);
    let (actor, now) = (operator_actor(), context.now());
    let change = ChangeContext { tenant, expected_version: None, actor: &actor, now };
    let values = context.accounts.governance.patch(&change, &changes).await?;
    if context.json {
        let version = values.version();
        print_line(&json!({ "ok": true, "tenant": tenant, "version": version }).to_string());
    } else {
        print_line(&format!("the settings of {tenant} are at version {}", values.version()));
        for name in &names {
            warn_without_effect(name);
        }
    }
    Ok(())
}

async fn revert(context: &CommandContext, properties: Vec<ResolvedProperty>) -> anyhow::Result<()> {
    let before = values(context).await?;
    let names = properties.iter().map(|named| named.name.as_ref());
    let not_set: Vec<_> = names.filter(|name| !before.is_set(name)).map(str::to_owned).collect();
    let wanted = by_connector(properties.into_iter().map(|named| (named.connector, named.name.into_owned())));
    let (tenant, actor) = (&context.policy.tenant, operator_actor());
    let change = ChangeContext { tenant, expected_version: None, actor: &actor, now: context.now() };
    let values = context.accounts.governance.revert(&change, &wanted).await?;
    let version = values.version();
    if context.json {
        print_line(
            &json!({ "ok": true, "tenant": tenant, "version": version, "not_set": not_set }).to_string(),
        );
    } else {
        for name in &not_set {
            print_line(&format!("{name} was not set"));
        }
        let same = if version == before.version() { ", as before" } else { "" };
        print_line(&format!("the settings of {tenant} are at version {version}{same}"));
    }
    Ok(())
}

async fn list(context: &CommandContext, begin: &str) -> anyhow::Result<()> {
    let values = values(context).await?;
    let connectors = categories().iter().flat_map(|category| category.connectors);
    let plain = connectors.clone().flat_map(|connector| connector.properties);
    let all = plain.map(|property| property.name.to_owned());
    let numbered = connectors.filter_map(|connector| connector.numbered);
    let rules =
        numbered.flat_map(|rule| values.rule_numbers().map(|number| format!("{}{number}", rule.name)));
    let mut listed = Vec::new();
    for name in all.chain(rules).filter(|name| name.starts_with(begin)) {
        let named = find_property(&name)?;
        let (value, set) = (display_value(&values, &named), values.is_set(&name));
        if context.json {
            listed.push(json!({ "name": name, "value": value, "set": set }));
        } else {
            print_line(&format!("{}{name} = {value}", if set { "* " } else { "  " }));
        }
    }
    if context.json {
        let (tenant, version) = (&context.policy.tenant, values.version());
        print_line(&format!("{:#}", json!({ "tenant": tenant, "version": version, "properties": listed })));
    }
    Ok(())
}

async fn values(context: &CommandContext) -> anyhow::Result<EffectiveProperties> {
    Ok(context.accounts.governance.read(&context.policy.tenant).await?)
}

fn find_property(name: &str) -> anyhow::Result<ResolvedProperty> {
    property(name).ok_or_else(|| match nearest(name, names()) {
        Some(near) => anyhow!("there is no property {name} (did you mean {near}?)"),
        None => anyhow!("there is no property {name}; `doorward governance list` names all"),
    })
}

/// Secrets are masked.
fn display_value(values: &EffectiveProperties, named: &ResolvedProperty) -> String {
    let value = values.get(&named.name);
    if named.property.is_secret() && !value.is_empty() { MASK.to_owned() } else { value }
}

/// Warns that a property is stored without effect in this version.
fn warn_without_effect(name: &str) {
    if let Some(Effect::Stored { missing_feature: waits_for }) =
        property(name).map(|named| named.property.effect)
    {
        print_line(&format!("{name} is only stored: nothing acts on it yet, it waits for {waits_for}"));
    }
}
