//! Refuses a path whose readings select different addresses of Doorward, tenants or upstreams, since Doorward selects these by
//! the path as it is written. Access levels need no such check: the strictest reading decides (`domain::route`).

use super::{
    ProxyState, destination::Destination, forward::find_upstream, tenant_selection::tenant_in_path,
    validation::Ambiguity,
};
use crate::{
    config::Settings,
    domain::path::{
        PathProblem, PathShape,
        readings::{Readings, UnknownReadings},
    },
};

/// For a path that is not an address of Doorward.
pub fn check(state: &ProxyState, settings: &Settings, readings: &Readings<'_>) -> Result<(), Ambiguity> {
    let names_tenants = settings.tenancy.named_by_request;
    let upstreams = &settings.portal.upstreams;
    let has_several_upstreams = upstreams.len() > 1;
    match readings.shape() {
        PathShape::Plain => return Ok(()),
        // the readings differ in names only
        PathShape::Encoded if !names_tenants && !has_several_upstreams => return Ok(()),
        PathShape::Encoded | PathShape::Structured => {}
    }
    let others = match readings.others() {
        Ok(others) => others,
        Err(UnknownReadings::AboveRoot) => return Err(Ambiguity::Path(PathProblem::AboveRoot)),
        // a user is needed for the route, but not even a user may select another tenant or upstream
        Err(UnknownReadings::TooMany) if names_tenants => return Err(Ambiguity::TenantInPath),
        Err(UnknownReadings::TooMany) if has_several_upstreams => return Err(Ambiguity::UpstreamOfPath),
        Err(UnknownReadings::TooMany) => return Ok(()),
    };
    let path = readings.path();
    if others.iter().any(|other| Destination::of(state, settings, other) != Destination::Portal) {
        return Err(Ambiguity::OwnAddress);
    }
    if names_tenants && others.iter().any(|other| names_other_tenant(path, other)) {
        return Err(Ambiguity::TenantInPath);
    }
    let is_of_other_upstream =
        |other: &String| match (find_upstream(upstreams, path), find_upstream(upstreams, other)) {
            (Some(one), Some(another)) => one.path != another.path,
            (one, another) => one.is_some() != another.is_some(),
        };
    if has_several_upstreams && others.iter().any(is_of_other_upstream) {
        return Err(Ambiguity::UpstreamOfPath);
    }
    Ok(())
}

fn names_other_tenant(path: &str, other: &str) -> bool {
    match (tenant_in_path(path), tenant_in_path(other)) {
        (Some(one), Some(another)) => !one.eq_ignore_ascii_case(another),
        (one, another) => one.is_some() != another.is_some(),
    }
}
