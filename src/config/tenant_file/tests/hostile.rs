//! Files that would keep the machine busy.

use super::*;
use crate::config::document::MAX_FINDINGS;

/// Attack: a file of one tenant that takes so long to read that nothing else is done on this machine.
#[test]
fn attack_a_file_with_a_mistake_in_each_of_many_keys() {
    let list = |item: &dyn Fn(usize) -> String| (0..5000).map(item).collect::<Vec<_>>().join(",");
    for ours in [
        format!("\"governance\": {{{}}}", list(&|n| format!("\"k{n}\": 1"))),
        format!("\"issuers\": [{}]", list(&|n| format!("{{\"issuer\": \"{n}\"}}"))),
        format!("\"issuers\": [{}]", list(&|_| "null".to_owned())),
        format!("\"governance\": {{\"{}\": 1}}", "k".repeat(1_000_000)),
    ] {
        let mistakes = parse(&format!("{{\"Doorward\": {{{ours}}}}}"), file()).unwrap_err();
        assert!(mistakes.len() <= MAX_FINDINGS, "{} of {}", mistakes.len(), &ours[..40]);
    }
}

/// Attack: all of a large file in one line, each value of which has its column counted.
#[test]
fn attack_a_file_in_one_line() {
    // the best of three runs: other load on the machine does not count
    let took = |between: &str| {
        let text = format!("{{\"WSO2\": [0{}]}}", format!("{between}0").repeat(300_000));
        let once = |_| {
            let began = std::time::Instant::now();
            assert!(parse(&text, file()).is_ok());
            began.elapsed()
        };
        (0..3).map(once).min().unwrap()
    };
    let (lines, line) = (took(",\n"), took(","));
    assert!(line < lines * 5, "{line:?}, and {lines:?} in lines");
}
