//! Looks up categories, connectors and properties by id or name.

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use super::{Category, Connector, Property, categories, id::name_of};

/// Maximum number of a numbered property; it is written without leading zeros.
pub(super) const MAX_NUMBERED: u32 = 100;

/// A property under the name its value is stored by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedProperty {
    pub connector: &'static Connector,
    pub property: &'static Property,
    /// The property's own name, or that of one of a numbered kind: `passwordExpiry.rule3`.
    pub name: Cow<'static, str>,
}

#[derive(Default)]
struct CatalogueIndex {
    categories: HashMap<&'static str, &'static Category>,
    connectors: HashMap<&'static str, &'static Connector>,
    properties: HashMap<&'static str, (&'static Connector, &'static Property)>,
    numbered: Vec<(&'static Connector, &'static Property)>,
}

static INDEX: LazyLock<CatalogueIndex> = LazyLock::new(|| {
    let mut index = CatalogueIndex::default();
    for category in categories() {
        index.categories.insert(category.name, category);
        for connector in category.connectors {
            index.connectors.insert(connector.name, connector);
            index.numbered.extend(connector.numbered.map(|property| (connector, property)));
            for property in connector.properties {
                for name in std::iter::once(&property.name).chain(property.aliases) {
                    index.properties.insert(name, (connector, property));
                }
            }
        }
    }
    index
});

pub fn category(id: &str) -> Option<&'static Category> {
    category_named(&name_of(id)?)
}

pub fn category_named(name: &str) -> Option<&'static Category> {
    INDEX.categories.get(name).copied()
}

pub fn connector(id: &str) -> Option<&'static Connector> {
    connector_named(&name_of(id)?)
}

pub fn connector_named(name: &str) -> Option<&'static Connector> {
    INDEX.connectors.get(name).copied()
}

/// The names of all properties except numbered ones.
pub fn names() -> impl Iterator<Item = &'static str> {
    let connectors = categories().iter().flat_map(|category| category.connectors);
    connectors.flat_map(|connector| connector.properties).map(|property| property.name)
}

/// By its name, one of its aliases, or the name of one of a numbered kind.
pub fn property(name: &str) -> Option<ResolvedProperty> {
    if let Some(&(connector, property)) = INDEX.properties.get(name) {
        return Some(ResolvedProperty { connector, property, name: property.name.into() });
    }
    let &(connector, property) = INDEX
        .numbered
        .iter()
        .find(|(_, property)| name.strip_prefix(property.name).is_some_and(is_number))?;
    Some(ResolvedProperty { connector, property, name: name.to_owned().into() })
}

/// As [`property`], ignoring case: the name of an environment variable does not preserve it.
pub fn property_in_any_case(name: &str) -> Option<ResolvedProperty> {
    if let Some(known) = INDEX.properties.keys().find(|known| known.eq_ignore_ascii_case(name)) {
        return property(known);
    }
    INDEX.numbered.iter().find_map(|(_, numbered)| {
        let (begin, number) = name.split_at_checked(numbered.name.len())?;
        property(&format!("{}{number}", numbered.name)).filter(|_| begin.eq_ignore_ascii_case(numbered.name))
    })
}

/// Whether a canonical name is one of a numbered kind.
pub(super) fn is_numbered(name: &str) -> bool {
    property(name).is_some_and(|found| found.property.name != found.name)
}

fn is_number(written: &str) -> bool {
    let digits = written.bytes().all(|b| b.is_ascii_digit()) && !written.starts_with('0');
    digits && written.parse::<u32>().is_ok_and(|number| number <= MAX_NUMBERED)
}

impl Connector {
    /// A property of this connector.
    pub fn property(&'static self, name: &str) -> Option<ResolvedProperty> {
        property(name).filter(|found| found.connector.name == self.name)
    }
}
