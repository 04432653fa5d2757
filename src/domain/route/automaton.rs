//! The rules as an automaton: one step for each segment of a path, no way back needed.
//!
//! Patterns are first put into a tree. A path may follow a literal and a `*` at the same time, so a state of
//! the automaton is the ordered list of all places in the tree where a path may be, the most specific first.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::{
    BadPattern, RouteRule,
    pattern::{Pattern, Segment},
};

/// Start with state 0.
#[derive(Debug, Clone)]
pub(super) struct Automaton(Box<[State]>);

#[derive(Debug, Clone)]
struct State {
    /// Sorted by segment.
    literals: Box<[(Box<str>, u32)]>,
    /// After any other segment.
    other: u32,
    /// After an empty segment (a final slash) that no rule names.
    empty: u32,
    /// Nothing that follows can change the answer.
    settled: bool,
    answer: Answer,
}

/// What counts for a path that ends here: positions in `RouteTable::routes`.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    methods: Box<[(Box<str>, usize)]>,
    any: usize,
}

impl Answer {
    pub fn to(&self, method: &str) -> usize {
        self.methods.iter().find(|(named, _)| **named == *method).map_or(self.any, |(_, route)| *route)
    }
}

impl Automaton {
    pub fn walk(&self, path: &str) -> Option<&Answer> {
        let mut state = self.0.first()?;
        for segment in path.strip_prefix('/')?.split('/') {
            if state.settled {
                break;
            }
            let next = match state.literals.binary_search_by(|(literal, _)| (**literal).cmp(segment)) {
                Ok(found) => state.literals.get(found)?.1,
                Err(_) if segment.is_empty() => state.empty,
                Err(_) => state.other,
            };
            state = self.0.get(usize::try_from(next).ok()?)?;
        }
        Some(&state.answer)
    }
}

/// A place in the tree of patterns.
#[derive(Default)]
struct Node<'a> {
    id: usize,
    literals: BTreeMap<&'a str, Node<'a>>,
    any: Option<Box<Node<'a>>>,
    /// Rules (by position) that end here, and those that take any rest from here.
    ends: Vec<usize>,
    tails: Vec<usize>,
}

/// Where a path may be.
#[derive(Clone, Copy)]
enum Place<'n> {
    At(&'n Node<'n>),
    /// Behind this node, in its `**`.
    InTail(&'n Node<'n>),
}

impl Place<'_> {
    fn key(self) -> (bool, usize) {
        match self {
            Self::At(node) => (false, node.id),
            Self::InTail(node) => (true, node.id),
        }
    }
}

/// Numbers the states in the order of their discovery, and remembers which still have to be worked out.
#[derive(Default)]
struct Numbers<'n> {
    known: HashMap<Vec<(bool, usize)>, u32>,
    waiting: VecDeque<Vec<Place<'n>>>,
}

impl<'n> Numbers<'n> {
    fn of(&mut self, places: Vec<Place<'n>>) -> u32 {
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        *self.known.entry(places.iter().map(|p| p.key()).collect()).or_insert_with(|| {
            self.waiting.push_back(places);
            next
        })
    }
}

pub(super) fn build(patterns: &[Pattern<'_>], rules: &[RouteRule]) -> Result<Automaton, BadPattern> {
    let mut root = Node::default();
    let mut nodes = 1;
    for (rule, pattern) in patterns.iter().enumerate() {
        let mut node = &mut root;
        for segment in &pattern.segments {
            let mut new = || {
                let id = nodes;
                nodes += 1;
                Node { id, ..Node::default() }
            };
            node = match segment {
                Segment::Literal(literal) => node.literals.entry(literal).or_insert_with(new),
                Segment::Any => node.any.get_or_insert_with(|| Box::new(new())),
            };
        }
        if pattern.any_rest { node.tails.push(rule) } else { node.ends.push(rule) }
    }

    // `*` beside literals on many levels could multiply states; no real set of rules comes near this
    let limit = 1024 + 16 * nodes;
    let mut numbers = Numbers::default();
    numbers.of(vec![Place::At(&root)]);
    let mut states = Vec::new();
    while let Some(places) = numbers.waiting.pop_front() {
        if states.len() >= limit {
            let widest = rules.iter().max_by_key(|r| r.pattern.matches('*').count());
            return Err(BadPattern::new(
                widest.map_or("", |r| r.pattern.as_str()),
                "too many rules overlap through '*'; write fewer '*' beside literal segments",
            ));
        }
        let mut literals: Vec<&str> = places
            .iter()
            .filter_map(|p| if let Place::At(n) = p { Some(n.literals.keys()) } else { None })
            .flatten()
            .copied()
            .collect();
        literals.sort_unstable();
        literals.dedup();
        let literals = literals
            .into_iter()
            .map(|literal| (literal.into(), numbers.of(step(&places, Some(literal)))))
            .collect();
        states.push(State {
            literals,
            other: numbers.of(step(&places, None)),
            empty: numbers.of(step(&places, Some(""))),
            settled: places.iter().all(|p| matches!(p, Place::InTail(_))),
            answer: answer(&places, rules),
        });
    }
    Ok(Automaton(states.into()))
}

/// The places after one more segment; `None` is a segment that no rule names.
fn step<'n>(places: &[Place<'n>], segment: Option<&str>) -> Vec<Place<'n>> {
    let mut next = Vec::new();
    for place in places {
        match *place {
            Place::At(node) => {
                next.extend(segment.and_then(|s| node.literals.get(s)).map(Place::At));
                // `*` is never the empty segment
                if segment != Some("") {
                    next.extend(node.any.as_deref().map(Place::At));
                }
                if !node.tails.is_empty() {
                    next.push(Place::InTail(node));
                }
            }
            Place::InTail(_) => next.push(*place),
        }
    }
    next
}

/// What counts at these places, method by method.
fn answer(places: &[Place<'_>], rules: &[RouteRule]) -> Answer {
    let mut methods: Vec<(Box<str>, usize)> = Vec::new();
    let same_pattern = places.iter().flat_map(|place| match place {
        Place::At(node) => [Some(&node.ends), Some(&node.tails)],
        Place::InTail(node) => [Some(&node.tails), None],
    });
    for group in same_pattern.flatten() {
        let mut named = BTreeMap::new();
        let mut any = None;
        for &rule in group {
            let Some(RouteRule { methods, .. }) = rules.get(rule) else { continue };
            // position 0 is the fallback
            if methods.is_empty() {
                any = Some(rule + 1);
            }
            named.extend(methods.iter().map(|method| (method.as_str(), rule + 1)));
        }
        if let Some(&get) = named.get("GET") {
            named.entry("HEAD").or_insert(get);
        }
        for (method, route) in named {
            if !methods.iter().any(|(known, _)| **known == *method) {
                methods.push((method.into(), route));
            }
        }
        if let Some(any) = any {
            return Answer { methods: methods.into(), any };
        }
    }
    Answer { methods: methods.into(), any: 0 }
}
