//! What is allowed and does not do what it seems to. Nothing fails by it.

use crate::{
    config::{document::Key, model::Settings},
    domain::{
        guard::{Guard, UserIn},
        route::{Access, RouteTable, any_path},
    },
};

/// Where, what, and what to do about it.
pub type Note = (Key, &'static str, &'static str);

/// Guards of one file, with the routes and the lock they work under.
pub fn guards<'a>(
    key: &Key,
    guards: impl Iterator<Item = &'a Guard>,
    routes: &RouteTable,
    locks: bool,
) -> Vec<Note> {
    let mut notes = Vec::new();
    for (index, guard) in guards.enumerate() {
        if index == 0 && !locks {
            notes.push((
                key.clone(),
                "account_lock.enabled is false, so wrong passwords lock no name",
                "write account_lock.enabled = true, or let an administrator switch it on",
            ));
        }
        let endpoint = &guard.endpoint;
        let method = endpoint.methods.first().map_or("GET", String::as_str);
        let route = routes.classify(method, &any_path(&endpoint.pattern));
        if guard.user == UserIn::Basic && route.access != Access::Open {
            notes.push((
                key.item(index).name("user_in"),
                "this path is not open: whoever comes with HTTP Basic gets 401 before a guess is counted",
                "give the path a route with access = \"open\"",
            ));
        }
    }
    notes
}

/// Those of `deployment.toml`. `locks`: some tenant's own file locks names, and a name may be that tenant's.
pub fn deployment(settings: &Settings, locks: bool) -> Vec<Note> {
    let defaults = &settings.defaults;
    let locks = locks || defaults.rules.account_lock.enabled;
    let own = defaults.guards.iter().map(AsRef::as_ref);
    guards(&Key::root().name("guard"), own, &defaults.route_table, locks)
}

/// A management API that nobody can use by a password: a note where somebody may come with a token, otherwise a mistake.
pub fn no_administrator(settings: &Settings) -> Option<Note> {
    let management = &settings.management;
    (management.is_on() && management.admin_roles.is_empty()).then(|| {
        (
            Key::root().name("management").name("admin_roles"),
            "no role makes an account an administrator: nobody can use the management API with a password",
            "name a role, such as \"admin\"",
        )
    })
}
