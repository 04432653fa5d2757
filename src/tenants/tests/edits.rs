//! Every kind of edit, and every kind of breakage.

use std::{fs, os::unix::fs::symlink, path::Path};

use super::*;

/// An edit that changes the file of `tenant` from open to closed.
type Edit = (&'static str, fn(&TenantsFixture, &str));

fn edits() -> Vec<Edit> {
    vec![
        ("plain edit", |place, tenant| fs::write(place.file(tenant), CLOSED).unwrap()),
        ("rename over", |place, tenant| {
            fs::write(place.root().join(tenant).join(".swp"), CLOSED).unwrap();
            fs::rename(place.root().join(tenant).join(".swp"), place.file(tenant)).unwrap();
        }),
        ("backup, then a new file", |place, tenant| {
            fs::rename(place.file(tenant), place.file(tenant).with_extension("bak")).unwrap();
            fs::write(place.file(tenant), CLOSED).unwrap();
        }),
        ("the folder exchanged", |place, tenant| {
            let new = place.base.path().join("new");
            fs::create_dir(&new).unwrap();
            fs::write(new.join("tenant-conf.json"), CLOSED).unwrap();
            fs::rename(place.root().join(tenant), place.base.path().join("old")).unwrap();
            fs::rename(&new, place.root().join(tenant)).unwrap();
        }),
        ("the folder removed and made again", |place, tenant| {
            fs::remove_dir_all(place.root().join(tenant)).unwrap();
            place.write(tenant, CLOSED);
        }),
    ]
}

#[tokio::test]
async fn each_kind_of_edit_is_in_force_within_a_second() {
    for (name, edit) in edits() {
        let place = TenantsFixture::new(EVENTS);
        place.write("acme.com", OPEN);
        place.write("other.com", OPEN);
        let registry = place.open();
        let before = policy(&registry, "acme.com").await;
        let other = policy(&registry, "other.com").await;
        assert!(before.anonymous);
        edit(&place, "acme.com");
        within!(PROMISED, !policy(&registry, "acme.com").await.anonymous);
        let after = policy(&registry, "acme.com").await;
        assert!(after.problem.is_none(), "{name}: {:?}", after.problem);
        assert!(after.generation > before.generation, "{name}");
        assert!(Arc::ptr_eq(&other, &policy(&registry, "other.com").await), "{name} touched another tenant");
        // and the watch is still where the file is
        fs::write(place.file("acme.com"), OPEN).unwrap();
        within!(PROMISED, policy(&registry, "acme.com").await.anonymous);
    }
}

/// Replaces a volume as kubelet does: a new folder, a new link, renamed over `..data`; then the old folder goes.
fn swap(mount: &Path, version: usize, file: &str, text: &str) {
    let folder = mount.join(format!("..v{version}"));
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    symlink(format!("..v{version}"), mount.join("..data_tmp")).unwrap();
    fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
    // later than kubelet would: only the link may cause an event
    if version > 1 {
        fs::remove_dir_all(mount.join(format!("..v{}", version - 2))).unwrap();
    }
}

#[tokio::test]
async fn kubernetes_volume_swaps_are_detected_at_any_mount() {
    // the mount point, the path in the volume, the link to make
    let layouts: [(&str, &str, Option<&str>); 3] = [
        ("tenants/acme.com", "tenant-conf.json", Some("tenant-conf.json")),
        ("tenants", "acme.com/tenant-conf.json", Some("acme.com")),
        ("", "mounted/acme.com/tenant-conf.json", None),
    ];
    for (mount, file, link) in layouts {
        let place = TenantsFixture::new(EVENTS);
        let mount = place.base.path().join(mount);
        fs::create_dir_all(&mount).unwrap();
        swap(&mount, 0, file, OPEN);
        if let Some(link) = link {
            symlink(Path::new("..data").join(link), mount.join(link)).unwrap();
        } else {
            fs::remove_dir(place.root()).unwrap();
            symlink("..data/mounted", place.root()).unwrap();
        }
        let registry = place.open();
        assert!(policy(&registry, "acme.com").await.anonymous, "{file}");
        for version in 1..4 {
            let closed = version % 2 == 1;
            swap(&mount, version, file, if closed { CLOSED } else { OPEN });
            within!(PROMISED, policy(&registry, "acme.com").await.anonymous != closed);
            assert!(policy(&registry, "acme.com").await.problem.is_none(), "{file}");
        }
    }
}

#[tokio::test]
async fn invalid_edit_keeps_last_good_policy_and_is_reported() {
    let place = TenantsFixture::new(EVENTS);
    place.write("acme.com", CLOSED);
    let registry = place.open();
    let good = policy(&registry, "acme.com").await;
    for broken in ["{ not json", "", "{\"EnableAnonymous\": tru"] {
        fs::write(place.file("acme.com"), broken).unwrap();
        within!(SOON, policy(&registry, "acme.com").await.problem.is_some());
        let kept = policy(&registry, "acme.com").await;
        assert!(!kept.anonymous);
        assert_eq!(kept.generation, good.generation);
        assert_eq!(registry.problems().keys().collect::<Vec<_>>(), [&id("acme.com")]);
        // fixed without a change: the very same policy as before
        fs::write(place.file("acme.com"), CLOSED).unwrap();
        within!(SOON, Arc::ptr_eq(&good, &policy(&registry, "acme.com").await));
        assert!(registry.problems().is_empty());
    }
    let status = registry.status();
    assert_eq!((status.reloads_failed, status.reloads_ok), (3, 3));
}

#[tokio::test]
async fn an_unreadable_file_never_means_anonymous() {
    let place = TenantsFixture::new(EVENTS);
    place.write("acme.com", "{ broken from the start");
    let registry = place.open();
    let policy_now = policy(&registry, "acme.com").await;
    assert!(!policy_now.anonymous, "the default is open, the broken tenant is not");
    assert_eq!(policy_now.problem.as_ref().unwrap().line, Some(1));
    // a later check of the same mistake changes nothing
    registry.flush();
    assert!(Arc::ptr_eq(&policy_now, &policy(&registry, "acme.com").await));
    fs::write(place.file("acme.com"), OPEN).unwrap();
    within!(SOON, policy(&registry, "acme.com").await.anonymous);
}

#[tokio::test]
async fn dangling_link_or_folder_keeps_last_good_policy() {
    let place = TenantsFixture::new(EVENTS);
    place.write("acme.com", CLOSED);
    let registry = place.open();
    assert!(!policy(&registry, "acme.com").await.anonymous);
    fs::remove_file(place.file("acme.com")).unwrap();
    symlink("nowhere", place.file("acme.com")).unwrap();
    within!(SOON, policy(&registry, "acme.com").await.problem.is_some());
    assert!(!policy(&registry, "acme.com").await.anonymous);
    fs::remove_file(place.file("acme.com")).unwrap();
    fs::create_dir(place.file("acme.com")).unwrap();
    within!(
        SOON,
        policy(&registry, "acme.com").await.problem.as_ref().is_some_and(|p| p.message.contains("regular"))
    );
    assert!(!policy(&registry, "acme.com").await.anonymous);
}

#[tokio::test]
async fn removed_file_inherits_and_removed_folder_ends_tenant() {
    let place = TenantsFixture::new(EVENTS);
    place.write("acme.com", CLOSED);
    let registry = place.open();
    assert!(!policy(&registry, "acme.com").await.anonymous);
    fs::remove_file(place.file("acme.com")).unwrap();
    within!(SOON, policy(&registry, "acme.com").await.anonymous);
    assert!(policy(&registry, "acme.com").await.problem.is_none());
    fs::remove_dir(place.root().join("acme.com")).unwrap();
    within!(SOON, matches!(registry.load(&id("acme.com")).await, TenantLookup::Unknown));
    within!(SOON, !registry.has_several_tenants());
    // the negative answer lasts an hour here: only the event can end it
    place.write("acme.com", CLOSED);
    within!(SOON, matches!(registry.load(&id("acme.com")).await, TenantLookup::Tenant(p) if !p.anonymous));
    within!(SOON, registry.has_several_tenants());
}

#[tokio::test]
async fn unmounted_volume_keeps_every_policy() {
    let place = TenantsFixture::new(EVENTS);
    place.write("acme.com", CLOSED);
    let registry = place.open();
    let good = policy(&registry, "acme.com").await;
    fs::rename(place.root(), place.base.path().join("unmounted")).unwrap();
    within!(SOON, policy(&registry, "acme.com").await.problem.is_some());
    assert!(!policy(&registry, "acme.com").await.anonymous);
    fs::rename(place.base.path().join("unmounted"), place.root()).unwrap();
    within!(SOON, Arc::ptr_eq(&good, &policy(&registry, "acme.com").await));
}
