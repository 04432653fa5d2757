//! Who has the last word: the built-in default, `deployment.toml`, the environment, the tenant's file, an administrator.

use super::{NOW, alex, changes, id};
use crate::accounts::House;

const ACME: &str = "acme.com";
const COUNT: &str = "passwordHistory.count";

/// The ways to say how many passwords are remembered, in `deployment.toml` and in the environment.
const FILE: [&str; 4] = [
    "[governance]\n\"passwordHistory.count\" = 2\n",
    "[governance.passwordHistory]\ncount = 2\n",
    "[password_policy]\nhistory = 2\n",
    "[identity_mgt.events.schemes.passwordHistory.properties]\ncount = 2\n",
];
const ENVIRONMENT: [(&str, &str); 5] = [
    ("DOORWARD_GOVERNANCE", "{\"passwordHistory.count\" = 3}"),
    ("DOORWARD_GOVERNANCE__PASSWORDHISTORY__COUNT", "3"),
    ("DOORWARD_GOVERNANCE__passwordHistory__count", "3"),
    ("DOORWARD_PASSWORD_POLICY__HISTORY", "3"),
    ("DOORWARD_IDENTITY_MGT__EVENTS__SCHEMES__PASSWORDHISTORY__PROPERTIES__COUNT", "3"),
];

/// A deployment where some of these places say something.
fn house(file: Option<&str>, variable: Option<(&str, &str)>, tenant: bool) -> House {
    let house = House::new(file.unwrap_or_default());
    let house = match variable {
        Some((name, value)) => house.variable(name, value),
        None => house,
    };
    house.tenant(ACME, if tenant { "{\"governance\": {\"passwordHistory.count\": 4}}" } else { "{}" })
}

/// How many passwords are remembered in acme.com, after an administrator may have had a say.
fn in_force(house: &House, administrator: bool) -> u32 {
    let mut count = 0;
    house.open(async |desk| {
        if administrator {
            let change = changes(&[(COUNT, "6")]);
            desk.doors.governance().patch(&id(ACME), &change, None, &alex(), NOW).await.unwrap();
        }
        let values = desk.doors.governance().read(&id(ACME)).await.unwrap();
        count = desk.policy_of(ACME).await.rules.password_rules.history_count;
        assert_eq!(values.get(COUNT), count.to_string(), "as it is shown");
    });
    count
}

/// Every combination of places: the last of those that say something counts.
#[test]
fn default_then_deployment_then_environment_then_tenant_then_administrator() {
    for places in 0..16_u8 {
        let says = |place: u8| places & (1 << place) != 0;
        let (file, variable) = (says(0).then_some(FILE[0]), says(1).then_some(ENVIRONMENT[0]));
        let places = [(says(0), 2), (says(1), 3), (says(2), 4), (says(3), 6)];
        let last = places.into_iter().rev().find(|(says, _)| *says).map_or(5, |(_, count)| count);
        assert_eq!(in_force(&house(file, variable, says(2)), says(3)), last, "{places:?}");
    }
}

/// However either writes it.
#[test]
fn the_environment_goes_over_the_file_and_under_the_tenant_in_every_spelling() {
    for file in FILE {
        for variable in ENVIRONMENT {
            for (tenant, count) in [(false, 3), (true, 4)] {
                let said = in_force(&house(Some(file), Some(variable), tenant), false);
                assert_eq!(said, count, "{file} {variable:?}");
            }
        }
    }
}
