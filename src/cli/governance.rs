//! `doorward governance`: a tenant's settings by WSO2's names, as an administrator sets them.

use std::process::ExitCode;

use anyhow::anyhow;
use serde_json::json;

use super::accounts::{Desk, Where, at_desk, operator, say};
use crate::{
    account::Values,
    clock,
    config::document::nearest::nearest,
    domain::governance::{Connector, Effect, MASK, Named, categories, property},
};

/// A tenant's settings by WSO2's names; what is changed here counts at once, also while Doorward serves
#[derive(clap::Args)]
pub struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// All properties with their values in force; `*` marks what an administrator has set
    List {
        /// Only those whose names begin so
        #[arg(default_value = "")]
        begin: String,
        #[command(flatten)]
        at: Where,
    },
    /// The value in force of one property
    Get {
        property: String,
        #[command(flatten)]
        at: Where,
    },
    /// Set properties, all or none
    Set {
        /// NAME=VALUE
        #[arg(required = true)]
        properties: Vec<String>,
        #[command(flatten)]
        at: Where,
    },
    /// What the files say about these properties counts again, about all or none
    Revert {
        /// Names, of one connector or of several
        #[arg(required = true)]
        properties: Vec<String>,
        #[command(flatten)]
        at: Where,
    },
}

pub fn run(options: Options) -> ExitCode {
    match options.action {
        Action::List { begin, at } => at_desk(&at, async |desk| list(&desk, &begin).await),
        Action::Get { property, at } => at_desk(&at, async |desk| {
            let named = known(&property)?;
            let value = shown(&values(&desk).await?, &named);
            if desk.json {
                say(&json!({ "name": named.name, "value": value }).to_string());
            } else {
                say(&value);
            }
            Ok(())
        }),
        Action::Set { properties, at } => at_desk(&at, async |desk| {
            let mut changes: Vec<(&'static Connector, Vec<(String, String)>)> = Vec::new();
            for written in &properties {
                let (name, value) =
                    written.split_once('=').ok_or_else(|| anyhow!("{written:?} is not NAME=VALUE"))?;
                let named = known(name)?;
                let change = (named.name.into_owned(), value.to_owned());
                match changes.iter_mut().find(|(connector, _)| connector.name == named.connector.name) {
                    Some((_, properties)) => properties.push(change),
                    None => changes.push((named.connector, vec![change])),
                }
            }
            let (tenant, actor) = (&desk.policy.tenant, operator());
            let values =
                desk.doors.governance().patch(tenant, &changes, None, &actor, clock::millis()).await?;
            done(&desk, &values);
            if !desk.json {
                let names = changes.iter().flat_map(|(_, properties)| properties).map(|(name, _)| name);
                names.for_each(|name| without_effect(name));
            }
            Ok(())
        }),
        Action::Revert { properties, at } => at_desk(&at, async |desk| {
            let mut wanted: Vec<(&'static Connector, Vec<String>)> = Vec::new();
            for name in &properties {
                let named = known(name)?;
                match wanted.iter_mut().find(|(connector, _)| connector.name == named.connector.name) {
                    Some((_, wanted)) => wanted.push(named.name.into_owned()),
                    None => wanted.push((named.connector, vec![named.name.into_owned()])),
                }
            }
            let (tenant, actor, now) = (&desk.policy.tenant, operator(), clock::millis());
            let values = desk.doors.governance().revert(tenant, &wanted, None, &actor, now).await?;
            done(&desk, &values);
            Ok(())
        }),
    }
}

async fn list(desk: &Desk, begin: &str) -> anyhow::Result<()> {
    let values = values(desk).await?;
    let connectors = categories().iter().flat_map(|category| category.connectors);
    let plain = connectors.clone().flat_map(|connector| connector.properties);
    let all = plain.map(|property| property.name.to_owned());
    let numbered = connectors.filter_map(|connector| connector.numbered);
    let rules =
        numbered.flat_map(|rule| values.rule_numbers().map(|number| format!("{}{number}", rule.name)));
    let mut listed = Vec::new();
    for name in all.chain(rules).filter(|name| name.starts_with(begin)) {
        let named = known(&name)?;
        let (value, set) = (shown(&values, &named), values.is_set(&name));
        if desk.json {
            listed.push(json!({ "name": name, "value": value, "set": set }));
        } else {
            say(&format!("{}{name} = {value}", if set { "* " } else { "  " }));
        }
    }
    if desk.json {
        let (tenant, version) = (&desk.policy.tenant, values.version());
        say(&format!("{:#}", json!({ "tenant": tenant, "version": version, "properties": listed })));
    }
    Ok(())
}

async fn values(desk: &Desk) -> anyhow::Result<Values> {
    Ok(desk.doors.governance().read(&desk.policy.tenant).await?)
}

fn known(name: &str) -> anyhow::Result<Named> {
    property(name).ok_or_else(|| {
        let connectors = categories().iter().flat_map(|category| category.connectors);
        let known = connectors.flat_map(|connector| connector.properties).map(|property| property.name);
        match nearest(name, known) {
            Some(near) => anyhow!("there is no property {name} (did you mean {near}?)"),
            None => anyhow!("there is no property {name}; `doorward governance list` names all"),
        }
    })
}

/// Secrets are nobody's to read.
fn shown(values: &Values, named: &Named) -> String {
    let value = values.get(&named.name);
    if named.property.is_secret() && !value.is_empty() { MASK.to_owned() } else { value }
}

/// Whoever sets what nothing acts on yet should not wait for it.
fn without_effect(name: &str) {
    if let Some(Effect::Stored { waits_for }) = property(name).map(|named| named.property.effect) {
        say(&format!("{name} is only stored: nothing acts on it yet, it waits for {waits_for}"));
    }
}

fn done(desk: &Desk, values: &Values) {
    let (tenant, version) = (&desk.policy.tenant, values.version());
    if desk.json {
        say(&json!({ "ok": true, "tenant": tenant, "version": version }).to_string());
    } else {
        say(&format!("the settings of {tenant} are at version {version}"));
    }
}
