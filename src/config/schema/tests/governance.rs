//! `docs/GOVERNANCE.md` has the whole catalogue, as it is.

use std::{fmt::Write, fs};

use super::{BEGIN, project, published};
use crate::domain::governance::{Connector, Effect, ErrorCode, Kind, Property, categories, id_of};

const FILE: &str = "docs/GOVERNANCE.md";

#[test]
fn the_reference_of_governance_is_the_catalogue() {
    let text = fs::read_to_string(project(FILE)).unwrap();
    let (by_hand, _) =
        text.split_once(BEGIN).expect("the mark between what is written by hand and what is made");
    let mut expected = format!("{by_hand}{BEGIN}");
    errors(&mut expected);
    for category in categories() {
        writeln!(expected, "\n## {}\n\nCategory `{}`", category.name, category.id()).unwrap();
        category.connectors.iter().for_each(|connector| table(connector, &mut expected));
    }
    published(FILE, &expected);
}

fn errors(text: &mut String) {
    writeln!(text, "\n## Errors\n\n| Code | Status | Message | Description |\n|---|---|---|---|").unwrap();
    for code in ErrorCode::ALL {
        writeln!(
            text,
            "| `{code}` | {} | {} | {} |",
            code.status(),
            code.message(),
            code.description(&["…", "…"])
        )
        .unwrap();
    }
}

fn table(connector: &Connector, text: &mut String) {
    let Connector { name, friendly_name, sub_category, order, .. } = connector;
    writeln!(
        text,
        "\n### {friendly_name}\n\nConnector `{name}`, id `{}`, order {order}, group {sub_category}.",
        id_of(name)
    )
    .unwrap();
    writeln!(text, "\n| Property | What it does | State | Value | Default |\n|---|---|---|---|---|").unwrap();
    for property in connector.properties {
        row(property.name, property, text);
    }
    if let Some(numbered) = connector.numbered {
        row(&format!("{}<N>", numbered.name), numbered, text);
    }
}

fn row(name: &str, property: &Property, text: &mut String) {
    let mut what = format!("**{}.** {}", property.display_name, property.description);
    if property.is_secret() {
        what.push_str(" *Secret.*");
    }
    if !property.aliases.is_empty() {
        let aliases: Vec<_> = property.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        write!(what, " *Also accepted as {}.*", aliases.join(", ")).unwrap();
    }
    let state = match property.effect {
        Effect::Enforced { since, how } => format!("**enforced** since {since}, {how}"),
        Effect::Stored { missing_feature: waits_for } => format!("stored; waits for {waits_for}"),
        Effect::ReadOnly => "shown".to_owned(),
    };
    let unit = property.unit.map(|unit| format!(" ({unit})")).unwrap_or_default();
    let value = match property.kind {
        Kind::Boolean => Kind::Boolean.bounds(),
        kind => format!("{}{unit}: {}", kind.name(), kind.bounds()),
    };
    let default =
        if property.default.is_empty() { "blank".to_owned() } else { format!("`{}`", property.default) };
    let cells = [format!("`{name}`"), what, state, value, default];
    writeln!(text, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).unwrap();
}

/// Every row has a description.
#[test]
fn no_row_is_empty() {
    let text = fs::read_to_string(project(FILE)).unwrap();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        assert!(cells.iter().all(|cell| !cell.is_empty()), "{line}");
    }
}
