//! Parsing of request bodies.

use super::parse::{names, patch, patches, preferences};
use crate::web::management::ApiProblem;

fn message<T: std::fmt::Debug>(read: Result<T, ApiProblem>) -> String {
    let response = read.unwrap_err().into_response("");
    assert_eq!(response.status(), 400);
    let body = futures_util::FutureExt::now_or_never(http_body_util::BodyExt::collect(response.into_body()));
    let body = body.unwrap().unwrap().to_bytes();
    let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
    body["description"].as_str().unwrap().to_owned()
}

#[test]
fn accepts_text_number_and_boolean_values() {
    let read = |value: &str| {
        let text = format!(r#"{{"operation": "UPDATE", "properties": [{{"name": "a", "value": {value}}}]}}"#);
        patch(&text).map(|properties| properties[0].1.clone())
    };
    for (written, value) in [
        ("\"10\"", "10"),
        ("10", "10"),
        ("-1", "-1"),
        ("1.5", "1.5"),
        ("true", "true"),
        ("false", "false"),
        ("\"TRUE\"", "TRUE"),
        ("\"\"", ""),
        ("\"\\u00e4\"", "ä"),
    ] {
        assert_eq!(read(written).unwrap(), value);
    }
    for written in ["null", "[]", "{}", "[\"10\"]"] {
        assert!(message(read(written)).contains("properties[0].value: a text, a number"), "{written}");
    }
}

#[test]
fn ambiguous_change_is_rejected_with_its_position() {
    for (text, said) in [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "an object should be here"),
        ("\"UPDATE\"", "an object should be here"),
        ("[\"UPDATE\", []]", "an object should be here"),
        ("{}", "the member \"operation\" is missing"),
        (r#"{"operation": "UPDATE"}"#, "the member \"properties\" is missing"),
        (r#"{"operation": "update", "properties": []}"#, "the only operation is \"UPDATE\""),
        (r#"{"operation": "REMOVE", "properties": []}"#, "operation: the only operation is"),
        (r#"{"operation": null, "properties": []}"#, "the only operation is"),
        (r#"{"operation": "UPDATE", "properties": {}}"#, "properties: a list should be here"),
        (r#"{"operation": "UPDATE", "properties": [1]}"#, "properties[0]: an object should be here"),
        (r#"{"operation": "UPDATE", "properties": [{"name": "a"}]}"#, "properties[0]: the member \"value\""),
        (r#"{"operation": "UPDATE", "properties": [{"value": "a"}]}"#, "properties[0]: the member \"name\""),
        (
            r#"{"operation": "UPDATE", "properties": [{"name": 1, "value": "a"}]}"#,
            "properties[0].name: a text should be here",
        ),
        (
            r#"{"operation": "UPDATE", "operation": "UPDATE", "properties": []}"#,
            "the member \"operation\" is here twice",
        ),
        (
            r#"{"operation": "UPDATE", "properties": [{"name": "a", "value": "1", "value": "2"}]}"#,
            "properties[0]: the member \"value\" is here twice",
        ),
        (r#"{"operation": "UPDATE", "properties": [], "x": 1}"#, "the member \"x\" is not known here"),
        (r#"{"operation": "UPDATE", "properties": []} {}"#, "something follows"),
    ] {
        let told = message(patch(text));
        assert!(told.contains(said) && told.starts_with("Line 1, column "), "{text}: {told}");
    }
}

#[test]
fn several_connectors_names_and_preferences() {
    let text = r#"{"operation": "UPDATE", "connectors": [
        {"id": "a", "properties": [{"name": "n", "value": 1}]}, {"id": "b", "properties": []}]}"#;
    let read = patches(text).unwrap();
    assert_eq!(read[0], ("a".to_owned(), vec![("n".to_owned(), "1".to_owned())]));
    assert_eq!(read[1], ("b".to_owned(), vec![]));
    assert!(
        message(patches(r#"{"operation": "UPDATE", "connectors": [{"id": "a"}]}"#)).contains("connectors[0]")
    );
    assert_eq!(names(r#"{"properties": ["a", "b"]}"#).unwrap(), ["a", "b"]);
    assert!(message(names(r#"{"properties": [1]}"#)).contains("properties[0]: a text"));
    assert!(message(names(r#"["a"]"#)).contains("an object"));
    let read = preferences(r#"[{"connector-name": "a", "properties": ["x"]}, {"connector-name": "b"}]"#);
    assert_eq!(read.unwrap(), [("a".to_owned(), Some(vec!["x".to_owned()])), ("b".to_owned(), None)]);
    assert!(message(preferences("{}")).contains("a list should be here"));
    assert!(message(preferences("[{}]")).contains("[0]: the member \"connector-name\" is missing"));
}

#[test]
fn attack_a_document_too_deep_is_refused() {
    assert!(message(patch(&"[".repeat(100_000))).contains("not JSON"));
}

/// Attack: a request of a few hundred kilobytes that asks for the longest values thousands of times: the answer has a gigabyte.
#[test]
fn attack_response_amplification_by_repeated_names() {
    let connector = r#"{"connector-name": "passwordExpiry"}"#;
    let properties = r#"[{"connector-name": "a", "properties": ["x", "y", "x"]}]"#;
    for (text, expected) in [
        (format!("[{connector}, {connector}]"), "[1].connector-name: this is here twice"),
        (properties.to_owned(), "[0].properties[2]: this is here twice"),
    ] {
        let message = message(preferences(&text));
        assert!(message.contains(expected), "{message}");
    }
}
