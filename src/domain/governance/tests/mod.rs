//! The catalogue and what is made of it.

use super::*;

#[test]
fn ids_are_the_names_in_base64url() {
    for (name, id) in
        [("Password Policies", "UGFzc3dvcmQgUG9saWNpZXM"), ("passwordHistory", "cGFzc3dvcmRIaXN0b3J5")]
    {
        assert_eq!(id_of(name), id);
        assert_eq!(name_of(id).as_deref(), Some(name));
    }
    assert_eq!(category("UGFzc3dvcmQgUG9saWNpZXM").map(|found| found.name), Some("Password Policies"));
    assert_eq!(connector("cGFzc3dvcmRIaXN0b3J5").map(|found| found.name), Some("passwordHistory"));
    for nobody in ["", "!", "cGFzc3dvcmRIaXN0b3J5==", "cmFuZG9tQ2F0ZWdvcnk", "_w"] {
        assert!(category(nobody).is_none() && connector(nobody).is_none(), "{nobody}");
    }
}

#[test]
fn every_default_is_its_own_canonical_form() {
    for property in categories().iter().flat_map(|c| c.connectors).flat_map(|c| c.properties) {
        assert_eq!(property.check(property.default).as_deref(), Ok(property.default), "{}", property.name);
    }
}
