//! Password expiry rules.

use super::super::{
    ExpiryRule,
    expiry::{Attribute, Operator, expiry_days},
};

fn rule(written: &str) -> ExpiryRule {
    ExpiryRule::parse(written).expect(written)
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn a_rule_is_read() {
    let read = rule("2,40,roles,ne,\"Internal/a, b\",\"say \"\"hi\"\"\", plain ");
    assert_eq!((read.priority, read.days), (2, 40));
    assert_eq!((read.attribute, read.operator), (Attribute::Roles, Operator::NotEqual));
    assert_eq!(read.values, ["Internal/a, b", "say \"hi\"", "plain"]);
    assert_eq!(read.to_string(), "2,40,roles,ne,'Internal/a, b',say \"hi\",plain");
    // single quotes are those within which WSO2 takes a comma for a letter
    for (written, canonical) in [
        ("1,40,roles,eq,'a,b',O'Neil", "1,40,roles,eq,'a,b',O'Neil"),
        ("1,40,roles,eq,\"O'Neil, x\"", "1,40,roles,eq,\"O'Neil, x\""),
        ("1,40,roles,eq,\"'\"\",\"", "1,40,roles,eq,\"'\"\",\""),
    ] {
        assert_eq!(rule(written).to_string(), canonical);
        assert_eq!(rule(canonical), rule(written));
    }
    assert_eq!(rule("1,0,GROUPS,EQ,admin").to_string(), "1,0,groups,eq,admin");
}

#[test]
fn rejects_malformed_expiry_rules() {
    for (written, about) in [
        ("", "too few parts"),
        ("1,30,roles,eq", "0 values"),
        ("0,30,roles,eq,a", "priority"),
        ("-1,30,roles,eq,a", "priority"),
        ("1.5,30,roles,eq,a", "priority"),
        ("1001,30,roles,eq,a", "priority"),
        ("1,,roles,eq,a", "days"),
        ("1,-1,roles,eq,a", "days"),
        ("1,36501,roles,eq,a", "days"),
        ("1,30,role,eq,a", "third"),
        ("1,30,roles,like,a", "fourth"),
        ("1,30,roles,eq,", "empty"),
        ("1,30,roles,eq,a,b,c,d,e,f", "6 values"),
        ("1,30,roles,eq,\"a", "not closed"),
        ("1,30,roles,eq,\"a\"b", "follows a closed quote"),
        ("1,30", "too few parts"),
    ] {
        let problem = ExpiryRule::parse(written).expect_err(written).to_string();
        assert!(problem.contains(about), "{written}: {problem}");
    }
}

#[test]
fn the_first_rule_that_applies_decides() {
    let rules = [
        rule("3,60,roles,eq,employee,manager"),
        rule("1,0,groups,eq,machines"),
        rule("2,10,groups,eq,guests"),
        // `ne` means no expiry, whatever its days
        rule("2,10,groups,ne,staff,night"),
    ];
    for (roles, groups, days) in [
        (&["employee", "manager"][..], &[][..], Some(60)),
        // all of a rule's values, not one
        (&["employee"], &["staff"], Some(30)),
        (&["employee", "manager"], &["machines", "guests"], None),
        (&["employee", "manager"], &["guests"], Some(10)),
        (&["employee", "manager"], &["staff", "night"], None),
        // of the same priority, the first of the list
        (&[], &["staff", "night", "guests"], Some(10)),
        // names are case-sensitive
        (&["Employee", "Manager"], &[], Some(30)),
    ] {
        assert_eq!(
            expiry_days(&rules, 30, false, &names(roles), &names(groups)),
            days,
            "{roles:?} {groups:?}"
        );
    }
}

/// With `skip_if_no_applicable`, a `ne` rule has no effect, and does not hide other rules.
#[test]
fn a_rule_that_lets_live_on_counts_only_against_the_default() {
    let rules = [rule("1,0,roles,ne,admin"), rule("2,60,roles,eq,employee")];
    let both = names(&["admin", "employee"]);
    assert_eq!(expiry_days(&rules, 30, false, &both, &[]), None);
    assert_eq!(expiry_days(&rules, 30, true, &both, &[]), Some(60));
    assert_eq!(expiry_days(&rules, 30, true, &names(&["admin"]), &[]), None);
}

#[test]
fn without_a_rule_the_default_counts_unless_it_is_skipped() {
    let rules = [rule("1,60,roles,eq,employee")];
    assert_eq!(expiry_days(&rules, 30, false, &[], &[]), Some(30));
    assert_eq!(expiry_days(&rules, 30, true, &[], &[]), None);
    assert_eq!(expiry_days(&rules, 30, true, &names(&["employee"]), &[]), Some(60));
    assert_eq!(expiry_days(&[], 0, false, &[], &[]), None);
    assert_eq!(expiry_days(&[], 90, false, &[], &[]), Some(90));
}
