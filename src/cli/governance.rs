//! `doorward governance`: a tenant's settings by WSO2's names, as an administrator sets them.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use serde_json::json;

use super::accounts::{Desk, Where, at_desk, at_desk_in_force, operator, say};
use crate::{
    account::Values,
    clock,
    config::document::nearest::nearest,
    domain::governance::{Connector, Effect, MASK, Named, categories, names, property},
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
    act(options.action).unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}

/// An error here is a word that was mistyped: nothing has been opened yet.
fn act(action: Action) -> anyhow::Result<ExitCode> {
    Ok(match action {
        Action::List { begin, at } => at_desk_in_force(&at, async |desk| list(&desk, &begin).await),
        Action::Get { property, at } => {
            let named = known(&property)?;
            at_desk_in_force(&at, async |desk| get(&desk, &named).await)
        }
        Action::Set { properties, at } => {
            let pairs: Vec<_> = properties.iter().map(|written| pair(written)).collect::<Result<_, _>>()?;
            at_desk(&at, async |desk| set(&desk, pairs).await)
        }
        Action::Revert { properties, at } => {
            let named: Vec<_> = properties.iter().map(|name| known(name)).collect::<Result<_, _>>()?;
            at_desk(&at, async |desk| revert(&desk, named).await)
        }
    })
}

type Wanted<T> = Vec<(&'static Connector, Vec<T>)>;

fn pair(written: &str) -> anyhow::Result<(Named, String)> {
    let Some((name, value)) = written.split_once('=') else {
        bail!("{written:?} is not NAME=VALUE: write passwordPolicy.min.length=12");
    };
    Ok((known(name)?, value.to_owned()))
}

/// As the use case wants them.
fn by_connector<T>(properties: impl IntoIterator<Item = (&'static Connector, T)>) -> Wanted<T> {
    let mut wanted: Wanted<T> = Vec::new();
    for (connector, property) in properties {
        match wanted.iter_mut().find(|(known, _)| known.name == connector.name) {
            Some((_, properties)) => properties.push(property),
            None => wanted.push((connector, vec![property])),
        }
    }
    wanted
}

async fn get(desk: &Desk, named: &Named) -> anyhow::Result<()> {
    let value = shown(&values(desk).await?, named);
    if desk.json {
        say(&json!({ "name": named.name, "value": value }).to_string());
    } else {
        say(&value);
    }
    Ok(())
}

async fn set(desk: &Desk, pairs: Vec<(Named, String)>) -> anyhow::Result<()> {
    let names: Vec<_> = pairs.iter().map(|(named, _)| named.name.clone().into_owned()).collect();
    let changes = pairs.into_iter().map(|(named, value)| (named.connector, (named.name.into_owned(), value)));
    let (changes, tenant) = (by_connector(changes), &desk.policy.tenant);
    let values = desk.doors.governance().patch(tenant, &changes, None, &operator(), clock::millis()).await?;
    if desk.json {
        let version = values.version();
        say(&json!({ "ok": true, "tenant": tenant, "version": version }).to_string());
    } else {
        say(&format!("the settings of {tenant} are at version {}", values.version()));
        for name in &names {
            without_effect(name);
        }
    }
    Ok(())
}

async fn revert(desk: &Desk, properties: Vec<Named>) -> anyhow::Result<()> {
    let before = values(desk).await?;
    let names = properties.iter().map(|named| named.name.as_ref());
    let not_set: Vec<_> = names.filter(|name| !before.is_set(name)).map(str::to_owned).collect();
    let wanted = by_connector(properties.into_iter().map(|named| (named.connector, named.name.into_owned())));
    let (tenant, now) = (&desk.policy.tenant, clock::millis());
    let values = desk.doors.governance().revert(tenant, &wanted, None, &operator(), now).await?;
    let version = values.version();
    if desk.json {
        say(&json!({ "ok": true, "tenant": tenant, "version": version, "not_set": not_set }).to_string());
    } else {
        for name in &not_set {
            say(&format!("{name} was not set"));
        }
        let same = if version == before.version() { ", as before" } else { "" };
        say(&format!("the settings of {tenant} are at version {version}{same}"));
    }
    Ok(())
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
    property(name).ok_or_else(|| match nearest(name, names()) {
        Some(near) => anyhow!("there is no property {name} (did you mean {near}?)"),
        None => anyhow!("there is no property {name}; `doorward governance list` names all"),
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
