//! Which value is in force: the built-in default, `deployment.toml`, the environment, the tenant's file, an administrator's.

use super::{NOW, changes, id};
use crate::support::{actors::change_of, services::TestDeployment};

const ACME: &str = "acme.com";
const COUNT: &str = "passwordHistory.count";

/// The spellings of the password history's length in `deployment.toml` and in the environment.
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

/// A deployment where some of these sources set the property.
fn deployment(file: Option<&str>, variable: Option<(&str, &str)>, tenant: bool) -> TestDeployment {
    let deployment = TestDeployment::new(file.unwrap_or_default());
    let deployment = match variable {
        Some((name, value)) => deployment.env_var(name, value),
        None => deployment,
    };
    deployment.tenant(ACME, if tenant { "{\"governance\": {\"passwordHistory.count\": 4}}" } else { "{}" })
}

/// The length of the password history in acme.com, after an optional override.
fn in_force(deployment: &TestDeployment, administrator: bool) -> u32 {
    let mut count = 0;
    deployment.run(async |services| {
        if administrator {
            let change = changes(&[(COUNT, "6")]);
            services.accounts.governance.patch(&change_of(&id(ACME), None, NOW), &change).await.unwrap();
        }
        let values = services.accounts.governance.read(&id(ACME)).await.unwrap();
        count = services.policy_of(ACME).await.rules.password_rules.history_count;
        assert_eq!(values.get(COUNT), count.to_string(), "as it is shown");
    });
    count
}

/// Every combination of sources: the last one that sets the property wins.
#[test]
fn later_configuration_sources_override_earlier_ones() {
    for places in 0..16_u8 {
        let says = |place: u8| places & (1 << place) != 0;
        let (file, variable) = (says(0).then_some(FILE[0]), says(1).then_some(ENVIRONMENT[0]));
        let places = [(says(0), 2), (says(1), 3), (says(2), 4), (says(3), 6)];
        let last = places.into_iter().rev().find(|(says, _)| *says).map_or(5, |(_, count)| count);
        assert_eq!(in_force(&deployment(file, variable, says(2)), says(3)), last, "{places:?}");
    }
}

/// However either writes it.
#[test]
fn environment_overrides_file_and_yields_to_tenant_file() {
    for file in FILE {
        for variable in ENVIRONMENT {
            for (tenant, count) in [(false, 3), (true, 4)] {
                let output = in_force(&deployment(Some(file), Some(variable), tenant), false);
                assert_eq!(output, count, "{file} {variable:?}");
            }
        }
    }
}
