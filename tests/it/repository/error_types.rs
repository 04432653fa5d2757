//! Errors have types: a text as an error has no cases that a caller can distinguish, and no source.

use syn::visit::{self, Visit};

use super::vocabulary::{is_cfg_test, is_test_file, parsed, rust_files};

#[derive(Default)]
struct TextErrors(usize);

impl<'ast> Visit<'ast> for TextErrors {
    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        if segment.ident == "Result"
            && let syn::PathArguments::AngleBracketed(arguments) = &segment.arguments
            && let Some(syn::GenericArgument::Type(syn::Type::Path(error))) = arguments.args.iter().nth(1)
            && error.path.segments.last().is_some_and(|name| name.ident == "String")
        {
            self.0 += 1;
        }
        visit::visit_path_segment(self, segment);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !item.attrs.iter().any(is_cfg_test) {
            visit::visit_item_mod(self, item);
        }
    }
}

fn count_text_errors(file: &syn::File) -> usize {
    let mut found = TextErrors::default();
    found.visit_file(file);
    found.0
}

#[test]
fn no_error_is_a_string() {
    let mut broken = Vec::new();
    for (name, file) in rust_files(&["src"]).filter(|(name, _)| !is_test_file(name)) {
        if count_text_errors(&parsed(&file)) > 0 {
            broken.push(format!(
                "{name}: `Result<_, String>`. Make an error type; `InvalidValue` for a text form."
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn finds_errors_that_are_strings() {
    for (code, found) in [
        ("fn f() -> Result<u8, String> { g() }", 1),
        ("fn f() -> impl Future<Output = std::result::Result<Vec<u8>, std::string::String>> {}", 1),
        ("type Parsed<T> = Result<T, String>;", 1),
        ("fn f() -> Result<BTreeMap<String, String>, Refusal> {}", 0),
        ("fn f() -> Result<String> {}", 0),
        ("#[cfg(test)]\nmod tests { fn f() -> Result<u8, String> {} }", 0),
    ] {
        assert_eq!(count_text_errors(&syn::parse_file(code).unwrap()), found, "{code}");
    }
}
