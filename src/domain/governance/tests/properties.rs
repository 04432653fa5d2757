//! Invariants for every change.

use std::{cell::RefCell, collections::BTreeMap};

use proptest::{prelude::*, sample::select};

use super::{super::*, all, defaults};

fn any_property() -> impl Strategy<Value = (&'static Connector, String, String)> {
    select(all().collect::<Vec<_>>()).prop_flat_map(|(connector, property)| {
        let name = if connector.numbered.is_some_and(|numbered| numbered.name == property.name) {
            (1..=3u32).prop_map(|number| format!("{}{number}", property.name)).boxed()
        } else {
            Just(property.name.to_owned()).boxed()
        };
        (Just(connector), name, any_value(property))
    })
}

/// Mostly what the kind takes, and now and then anything.
fn any_value(property: &'static Property) -> impl Strategy<Value = String> {
    let likely = match property.kind {
        Kind::Boolean => select(vec!["true", "false", "TRUE", " false"]).prop_map(str::to_owned).boxed(),
        Kind::Integer { .. } => (-2..1500i64).prop_map(|number| number.to_string()).boxed(),
        Kind::Days { .. } => "[1-9][0-9]?( ?, ?[1-9]){0,4}".boxed(),
        Kind::Choice(words) => select(words.to_vec()).prop_map(str::to_lowercase).boxed(),
        Kind::ExpiryRule => "[1-9],[0-9]{1,2},(roles|groups),(eq|NE)(,\"?[a-z ,]{1,6}\"?){1,3}".boxed(),
        Kind::OtpFormat => "\\[(a-z)?(A-Z)?(0-9)?\\]\\{[0-9]{1,2}\\}".boxed(),
        Kind::Claims => "(http://wso2.org/claims/(username|mobile|emailaddress) ?, ?){0,3}http://wso2.org/claims/(mobile|age)".boxed(),
        _ => Just(property.default.to_owned()).boxed(),
    };
    prop_oneof![8 => likely, 1 => "[ -~]{0,12}", 1 => any::<String>()]
}

proptest! {
    #[test]
    fn ids_round_trip_for_any_name(name: String) {
        prop_assert_eq!(id::name_of(&id_of(&name)), Some(name.clone()));
        prop_assert!(id_of(&name).bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')));
    }

    #[test]
    fn lookup_never_panics(id: String) {
        prop_assert!(category(&id).is_none_or(|found| found.id() == id));
        prop_assert!(connector(&id).is_none_or(|found| found.id() == id));
    }

    #[test]
    fn a_canonical_value_is_its_own_canonical_form((_, name, value) in any_property()) {
        let found = property(&name).unwrap();
        if let Ok(canonical) = found.property.check(&value) {
            prop_assert_eq!(found.property.check(&canonical), Ok(canonical));
        }
    }

    /// Accepted: canonical, known, and accepted again with nothing new to write. Refused: nothing to write, by type. And
    /// taken back, the defaults count.
    #[test]
    fn update_is_idempotent_and_revertible(sent in prop::collection::vec(any_property(), 1..6)) {
        let overrides = RefCell::new(Overrides::default());
        let effective = |name: &str| overrides.borrow().get(name).map_or_else(|| defaults(name), str::to_owned);
        let mut changes: Vec<(&'static Connector, Vec<(String, String)>)> = Vec::new();
        for (connector, name, value) in sent {
            changes.push((connector, vec![(name, value)]));
        }
        let Ok(writes) = update(&changes, &effective) else {
            prop_assert!(overrides.borrow().is_empty());
            return Ok(());
        };
        overrides.borrow_mut().apply(&writes);
        let mut by_connector: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (name, value) in overrides.borrow().iter() {
            let found = property(name).unwrap();
            prop_assert_eq!(found.name.as_ref(), name);
            let canonical = found.property.check(value);
            prop_assert_eq!(canonical.as_deref(), Ok(value));
            by_connector.entry(found.connector.name).or_default().push(name.to_owned());
        }
        let again: Vec<_> = by_connector
            .iter()
            .map(|(connector, names)| {
                let values = names.iter().map(|name| (name.clone(), effective(name))).collect();
                (connector_named(connector).unwrap(), values)
            })
            .collect();
        let settled = update(&again, &effective);
        prop_assert!(settled.is_ok(), "{:?}", settled);
        let before = overrides.borrow().clone();
        overrides.borrow_mut().apply(&settled.unwrap());
        prop_assert_eq!(&before, &*overrides.borrow());

        let by_connector: Vec<_> =
            by_connector.into_iter().map(|(connector, names)| (connector_named(connector).unwrap(), names)).collect();
        // the change may have had no effect
        if !by_connector.is_empty() {
            overrides.borrow_mut().apply(&revert(&by_connector).unwrap());
        }
        prop_assert!(overrides.borrow().is_empty());
    }
}
