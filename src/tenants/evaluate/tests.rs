//! Which policy is in force, as tables.

use std::path::{Path, PathBuf};

use super::{
    super::tests::{CLOSED, OPEN, id, parse, settings},
    *,
};
use crate::config::model::FileWatchMode;

fn text(text: &str) -> TenantFileContent {
    TenantFileContent::Text(text.to_owned())
}

fn unreadable() -> TenantFileContent {
    TenantFileContent::Unreadable(Mistake::whole(Path::new("f"), "cannot be read", "check it"))
}

struct EvaluationFixture {
    settings: Settings,
    set: TenantOverrides,
    hasher: RandomState,
}

impl EvaluationFixture {
    fn new() -> Self {
        let settings = settings(PathBuf::from("tenants"), FileWatchMode::Off);
        Self { settings, set: TenantOverrides::none(), hasher: RandomState::new() }
    }

    fn case<'a>(&'a self, tenant: &'a TenantId, before: Option<&'a TenantState>) -> TenantEvaluation<'a> {
        let settings = &self.settings;
        let (set, hasher) = (&self.set, &self.hasher);
        TenantEvaluation { parse, settings, tenant, before, overrides: set, is_same_context: true, hasher }
    }

    /// The state after these contents in sequence.
    fn after(&self, tenant: &TenantId, readings: &[TenantFileContent]) -> Option<TenantState> {
        readings.iter().fold(None, |before, reading| {
            match self.case(tenant, before.as_ref()).evaluate(reading) {
                CheckOutcome::Known(state, _) => Some(state),
                CheckOutcome::Unknown => None,
            }
        })
    }
}

/// Attack: the file of a closed tenant is deleted, or missing in a backup, and the portal is open.
#[test]
fn attack_deleted_file_opens_a_closed_tenant() {
    let mut fixture = EvaluationFixture::new();
    fixture.settings.tenancy.on_missing = MissingFilePolicy::Closed;
    let (acme, default) = (id("acme.com"), TenantId::super_tenant());
    for (tenant, readings, anonymous) in [
        (&acme, vec![TenantFileContent::NoFile], false),
        (&acme, vec![text(OPEN), TenantFileContent::NoFile], false),
        (&default, vec![text(CLOSED), TenantFileContent::NoFile], false),
        (&default, vec![TenantFileContent::NoFolder], true),
        (&acme, vec![TenantFileContent::NoFile, text(OPEN)], true),
    ] {
        let state = fixture.after(tenant, &readings).unwrap();
        assert_eq!(state.policy().anonymous, anonymous, "{tenant} {readings:?}");
        let again = fixture.case(tenant, Some(&state)).resolve_again(&state);
        assert_eq!(again.policy().anonymous, anonymous, "{tenant} {readings:?} after a reload");
    }
}

#[test]
fn policy_in_force_after_each_reading() {
    let fixture = EvaluationFixture::new();
    let (acme, default) = (id("acme.com"), TenantId::super_tenant());
    let (open, closed) = (Some(true), Some(false));
    let table: Vec<(&TenantId, Vec<TenantFileContent>, Option<bool>)> = vec![
        (&acme, vec![text(OPEN)], open),
        (&acme, vec![text(CLOSED)], closed),
        (&acme, vec![TenantFileContent::NoFile], open),
        (&acme, vec![TenantFileContent::NoFolder], None),
        (&acme, vec![TenantFileContent::NoRoot], None),
        (&default, vec![TenantFileContent::NoFolder], open),
        (&default, vec![TenantFileContent::NoRoot], open),
        // nothing good is known
        (&acme, vec![text("{")], closed),
        (&acme, vec![unreadable()], closed),
        (&default, vec![unreadable()], closed),
        (&acme, vec![unreadable(), text("{"), unreadable()], closed),
        // the last good one stays
        (&acme, vec![text(OPEN), unreadable()], open),
        (&acme, vec![text(CLOSED), text("{"), unreadable(), TenantFileContent::NoRoot], closed),
        (&default, vec![text(CLOSED), TenantFileContent::NoRoot], closed),
        // an unmounted volume leaves an empty folder
        (&default, vec![text(CLOSED), TenantFileContent::EmptyRoot], closed),
        (&default, vec![text("{"), TenantFileContent::EmptyRoot], closed),
        (&default, vec![TenantFileContent::NoFile, TenantFileContent::EmptyRoot], open),
        (&default, vec![TenantFileContent::EmptyRoot], open),
        (&acme, vec![text(CLOSED), TenantFileContent::EmptyRoot], None),
        // and goes when it is really gone
        (&acme, vec![text(CLOSED), TenantFileContent::NoFile], open),
        (&acme, vec![text(CLOSED), unreadable(), TenantFileContent::NoFolder], None),
        (&default, vec![text(CLOSED), TenantFileContent::NoFolder], open),
        (&acme, vec![text(CLOSED), unreadable(), text(OPEN)], open),
    ];
    for (tenant, readings, expected) in table {
        let state = fixture.after(tenant, &readings);
        assert_eq!(state.map(|state| state.policy().anonymous), expected, "{tenant} {readings:?}");
    }
}

#[test]
fn possibly_transient_state_is_checked_again() {
    let fixture = EvaluationFixture::new();
    let acme = id("acme.com");
    for (before, now, doubtful) in [
        (vec![], text(OPEN), false),
        (vec![], TenantFileContent::NoFile, false),
        (vec![], TenantFileContent::NoFolder, false),
        (vec![], text("{"), true),
        (vec![text(CLOSED)], text(OPEN), false),
        (vec![text(CLOSED)], text(CLOSED), false),
        // an editor's backup, a kubelet's swap
        (vec![text(CLOSED)], TenantFileContent::NoFile, true),
        (vec![text(CLOSED)], TenantFileContent::NoFolder, true),
        (vec![text(CLOSED)], TenantFileContent::NoRoot, true),
        // truncated, and half written
        (vec![text(CLOSED)], text(""), true),
        (vec![text(CLOSED)], text("{"), true),
        (vec![text(CLOSED)], unreadable(), true),
        // known to be so
        (vec![text(CLOSED), text("{")], text("{"), false),
        (vec![TenantFileContent::NoFile], TenantFileContent::NoFile, false),
        (vec![TenantFileContent::NoFile], TenantFileContent::NoFolder, false),
    ] {
        let state = fixture.after(&acme, &before);
        let case = fixture.case(&acme, state.as_ref());
        assert_eq!(
            case.is_possibly_transient(&now, &case.evaluate(&now)),
            doubtful,
            "{before:?} then {now:?}"
        );
    }
}

#[test]
fn reports_a_mistake_as_new_once() {
    let fixture = EvaluationFixture::new();
    let acme = id("acme.com");
    let change = |before: &[TenantFileContent], now: &TenantFileContent| {
        let state = fixture.after(&acme, before);
        match fixture.case(&acme, state.as_ref()).evaluate(now) {
            CheckOutcome::Known(_, change) => change,
            CheckOutcome::Unknown => panic!("unknown"),
        }
    };
    assert!(
        matches!(change(&[text(OPEN)], &text("{")), PolicyChange::Broken(mistakes) if mistakes.len() == 1)
    );
    assert_eq!(change(&[text(OPEN), text("{")], &text("{")), PolicyChange::StillBroken);
    assert!(matches!(change(&[text(OPEN), text("{")], &unreadable()), PolicyChange::Broken(_)));
    assert_eq!(change(&[text(OPEN), text("{")], &text(OPEN)), PolicyChange::Recovered);
    assert_eq!(change(&[text(OPEN), text("{")], &text(CLOSED)), PolicyChange::Accepted);
    assert_eq!(change(&[text(OPEN)], &text(OPEN)), PolicyChange::Unchanged);
}
