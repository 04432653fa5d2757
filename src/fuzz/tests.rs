//! Every target with its seeds and a fixed number of mutations of them: the part of fuzzing that runs with all other tests.

use std::{fs, path::PathBuf};

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{RngAlgorithm, TestRng, TestRunner},
};

/// Inputs that are longer cost time and reach nothing new.
const MAX_INPUT: usize = 8 * 1024;

macro_rules! targets {
    ($($name:ident: $cases:expr,)*) => {
        $(
            #[test]
            fn $name() {
                holds(stringify!($name), super::$name, $cases);
            }
        )*

        const TARGETS: &[&str] = &[$(stringify!($name)),*];
    };
}

targets! {
    chunked_body: 4000,
    cookies: 3000,
    deployment_toml: 500,
    forwarded: 3000,
    guard_form: 3000,
    http1_answer: 2000,
    json_document: 3000,
    jws: 3000,
    password_pattern: 500,
    request_target: 2000,
}

/// The seeds first, then mutations of them; the same ones at each run.
fn holds(name: &str, target: fn(&[u8]), cases: u32) {
    let seeds = seeds(name);
    assert!(seeds.len() >= 5, "{name} has {} seeds", seeds.len());
    for (file, seed) in &seeds {
        println!("{}", file.display());
        target(seed);
    }
    target(b"");
    let seeds: Vec<_> = seeds.into_iter().map(|(_, seed)| seed).collect();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let input = prop_oneof![
        1 => vec(any::<u8>(), 0..200),
        9 => (any::<Index>(), vec(edit(), 1..6)).prop_map({
            let seeds = seeds.clone();
            move |(seed, edits)| {
                let input = seed.get(&seeds).clone();
                edits.iter().fold(input, |input, edit| edit.applied(input, &seeds))
            }
        }),
    ];
    let result = runner.run(&input, |input| {
        target(&input);
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}

/// The files of a target's corpus. A fuzzer names what it finds by a hash, without an extension.
fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some());
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

#[derive(Debug, Clone)]
enum Edit {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index, usize),
    /// A piece of a seed in the place of as many bytes, or between two.
    Splice {
        at: Index,
        seed: Index,
        from: Index,
        length: usize,
        replaces: bool,
    },
    Repeat(Index, usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let special =
        prop::sample::select(b"\0\t\n\r !\"#$%&'()*+,-./0:;<=>?@[\\]^_`{|}~\x7f\x80\xc0\xef\xff".as_slice());
    let byte = || prop_oneof![any::<u8>(), special.clone()];
    prop_oneof![
        (any::<Index>(), byte()).prop_map(|(at, byte)| Edit::Replace(at, byte)),
        (any::<Index>(), byte()).prop_map(|(at, byte)| Edit::Insert(at, byte)),
        (any::<Index>(), 1..24_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        (any::<Index>(), any::<Index>(), any::<Index>(), 1..48_usize, any::<bool>())
            .prop_map(|(at, seed, from, length, replaces)| Edit::Splice { at, seed, from, length, replaces }),
        (any::<Index>(), 1..48_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
    ]
}

impl Edit {
    fn applied(&self, mut input: Vec<u8>, seeds: &[Vec<u8>]) -> Vec<u8> {
        let end = |at: usize, length: usize, input: &[u8]| input.len().min(at + length);
        match self {
            Self::Replace(at, byte) if !input.is_empty() => {
                let at = at.index(input.len());
                input[at] = *byte;
            }
            Self::Replace(_, byte) => input.push(*byte),
            Self::Insert(at, byte) => input.insert(at.index(input.len() + 1), *byte),
            Self::Remove(at, length) => {
                let at = at.index(input.len() + 1);
                input.drain(at..end(at, *length, &input));
            }
            Self::Splice { at, seed, from, length, replaces } => {
                let seed = seed.get(seeds);
                let from = from.index(seed.len() + 1);
                let piece = &seed[from..end(from, *length, seed)];
                let at = at.index(input.len() + 1);
                let removed = if *replaces { end(at, piece.len(), &input) } else { at };
                input.splice(at..removed, piece.iter().copied());
            }
            Self::Repeat(at, length) => {
                let at = at.index(input.len() + 1);
                let piece = input[at..end(at, *length, &input)].to_vec();
                input.splice(at..at, piece);
            }
        }
        input.truncate(MAX_INPUT);
        input
    }
}

#[test]
fn every_target_has_a_fuzz_binary_and_a_corpus() {
    let fuzz = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    for name in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
        let binary = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(binary.contains(&format!("doorward::fuzz::{name}(data)")), "{binary}");
    }
    assert_eq!(fs::read_dir(fuzz.join("corpus")).unwrap().count(), TARGETS.len(), "a corpus of no target");
}
