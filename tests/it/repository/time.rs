//! Times have a type, and come from the clock.

use super::architecture::sources;

/// Files that read the time of the system, each with its reason.
const MAY_READ_THE_TIME: &[(&str, &str)] = &[
    ("clock.rs", "the clock"),
    ("tenants/tenant_folder.rs", "compares with the time that the file system has written"),
    ("cli/certs.rs", "the dates of a certificate, in the time zone of the operator"),
];

/// A number has no unit that the compiler checks: a time is a `Timestamp`, and a service reads it from the `Clock` that tests can move.
#[test]
fn time_is_a_timestamp_read_from_the_clock() {
    let mut broken = Vec::new();
    for source in sources() {
        let may_read = MAY_READ_THE_TIME.iter().any(|(name, _)| *name == source.name);
        for (number, line) in &source.code {
            for (word, is_broken) in [
                ("now: u64", true),
                ("SystemTime::now", !may_read),
                ("Timestamp::now", !may_read),
                ("Zoned::now", !may_read),
            ] {
                if is_broken && line.contains(word) {
                    broken.push(format!(
                        "src/{}:{number}: `{word}`. Take a `Timestamp` as an argument, or read it from a `Clock`.",
                        source.name
                    ));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    for (name, _) in MAY_READ_THE_TIME {
        assert!(
            sources().iter().any(|source| source.name == *name),
            "{name} is gone: remove it from the list."
        );
    }
}
