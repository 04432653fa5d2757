//! The rules as an automaton: one step for each segment of a path, no way back needed.
//!
//! Patterns are first put into two trees: all of them as they are written, and those that close something folded, as a
//! lenient portal compares them. A path may follow a literal and a `*` at the same time, and both trees, so a state of the
//! automaton is the ordered list of all places in the trees where a path may be, the most specific first.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, VecDeque},
};

use super::{
    Access, BadPattern, RouteRule,
    pattern::{Pattern, Segment},
};

/// Start with state 0.
#[derive(Debug, Clone)]
pub(super) struct Automaton(Box<[State]>);

#[derive(Debug, Clone)]
struct State {
    /// Sorted by text.
    literals: Box<[Literal]>,
    /// After any other segment.
    other: u32,
    /// After an empty segment (a final slash) that no rule names.
    empty: u32,
    /// Nothing that follows can change the answer.
    settled: bool,
    answer: Answer,
}

#[derive(Debug, Clone)]
struct Literal {
    text: Box<str>,
    /// After this segment.
    exact: u32,
    /// After this segment with capital letters in it.
    folded: u32,
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
            let next = match state.literals.binary_search_by(|literal| (*literal.text).cmp(segment)) {
                Ok(found) => state.literals.get(found)?.exact,
                Err(_) if segment.is_empty() => state.empty,
                Err(_) => state.after_unnamed(segment),
            };
            state = self.0.get(usize::try_from(next).ok()?)?;
        }
        Some(&state.answer)
    }
}

impl State {
    fn after_unnamed(&self, segment: &str) -> u32 {
        if !self.literals.is_empty() && segment.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let lower = |literal: &Literal| -> Ordering {
                literal.text.bytes().cmp(segment.bytes().map(|byte| byte.to_ascii_lowercase()))
            };
            if let Some(literal) =
                self.literals.binary_search_by(lower).ok().and_then(|at| self.literals.get(at))
            {
                return literal.folded;
            }
        }
        self.other
    }
}

/// A place in a tree of patterns.
#[derive(Default)]
struct Node<'a> {
    id: usize,
    literals: BTreeMap<&'a str, Node<'a>>,
    any: Option<Box<Node<'a>>>,
    /// Rules (by position) that end here, and those that take any rest from here.
    ends: Vec<usize>,
    tails: Vec<usize>,
    /// In the tree of folded patterns.
    folded: bool,
}

/// Where a path may be.
#[derive(Clone, Copy)]
enum Place<'n> {
    At(&'n Node<'n>),
    /// Behind this node, in its `**`.
    InTail(&'n Node<'n>),
}

/// Places that are equally specific, the ones written exactly so first.
type Group<'n> = Vec<Place<'n>>;

impl<'n> Place<'n> {
    fn key(self) -> (u8, usize) {
        match self {
            Self::At(node) => (0, node.id),
            Self::InTail(node) => (1, node.id),
        }
    }

    /// The rules that match a path that ends here, with `**` or without; and whether their patterns are folded.
    fn rules(self, with_tail: bool) -> Option<(bool, &'n [usize])> {
        match self {
            Self::At(node) if !with_tail => Some((node.folded, &node.ends)),
            Self::At(node) | Self::InTail(node) if with_tail => Some((node.folded, &node.tails)),
            Self::At(_) | Self::InTail(_) => None,
        }
    }
}

/// Numbers the states in the order of their discovery, and remembers which still have to be worked out.
#[derive(Default)]
struct Numbers<'n> {
    known: HashMap<Vec<(u8, usize)>, u32>,
    waiting: VecDeque<Vec<Group<'n>>>,
}

impl<'n> Numbers<'n> {
    fn of(&mut self, groups: Vec<Group<'n>>) -> u32 {
        const END_OF_GROUP: (u8, usize) = (2, 0);
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let key = groups.iter().flat_map(|group| group.iter().map(|p| p.key()).chain([END_OF_GROUP]));
        *self.known.entry(key.collect()).or_insert_with(|| {
            self.waiting.push_back(groups);
            next
        })
    }
}

/// `fallback`: the access level of requests that no rule matches.
pub(super) fn build(
    patterns: &[Pattern<'_>],
    rules: &[RouteRule],
    fallback: Access,
) -> Result<Automaton, BadPattern> {
    let folded: Vec<Vec<FoldedSegment>> = patterns.iter().map(folded_segments).collect();
    let mut nodes = 2;
    let mut as_written = Node::default();
    let mut closing = Node { id: 1, folded: true, ..Node::default() };
    for ((at, pattern), folded) in patterns.iter().enumerate().zip(&folded) {
        let literals = pattern.segments.iter().map(|segment| match segment {
            Segment::Literal(literal) => Some(*literal),
            Segment::Any => None,
        });
        let end = as_written.insert(literals, &mut nodes);
        if pattern.any_rest {
            end.tails.push(at);
        } else {
            end.ends.push(at);
        }
        if rules.get(at).is_some_and(|rule| rule.access != Access::Open) {
            let end = closing.insert(folded.iter().map(Option::as_deref), &mut nodes);
            if pattern.any_rest {
                end.tails.push(at);
            } else {
                end.ends.push(at);
                if pattern.names_script() {
                    end.tails.push(at);
                }
                // with a final slash, too
                end.insert([Some("")], &mut nodes).ends.push(at);
            }
        }
    }
    states(&[&as_written, &closing], rules, (nodes, fallback))
}

/// A literal in lower case; `None` is `*`.
type FoldedSegment = Option<String>;

/// A pattern without its final slash, in lower case.
fn folded_segments(pattern: &Pattern<'_>) -> Vec<FoldedSegment> {
    let mut segments: Vec<FoldedSegment> = pattern
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(literal) => Some(literal.to_ascii_lowercase()),
            Segment::Any => None,
        })
        .collect();
    // except `/`, which consists of the final slash only
    if segments.len() > 1 && segments.last().is_some_and(|last| last.as_deref() == Some("")) {
        segments.pop();
    }
    segments
}

impl<'a> Node<'a> {
    /// The node where these segments lead; `None` is `*`.
    fn insert(
        &mut self,
        segments: impl IntoIterator<Item = Option<&'a str>>,
        nodes: &mut usize,
    ) -> &mut Self {
        let mut node = self;
        for segment in segments {
            let folded = node.folded;
            let mut new = || {
                let id = *nodes;
                *nodes += 1;
                Node { id, folded, ..Node::default() }
            };
            node = match segment {
                Some(literal) => node.literals.entry(literal).or_insert_with(new),
                None => node.any.get_or_insert_with(|| Box::new(new())),
            };
        }
        node
    }
}

fn states(
    roots: &[&Node<'_>; 2],
    rules: &[RouteRule],
    (nodes, fallback): (usize, Access),
) -> Result<Automaton, BadPattern> {
    // `*` beside literals on many levels could multiply states; no real set of rules comes near this
    let limit = 1024 + 16 * nodes;
    let mut numbers = Numbers::default();
    numbers.of(vec![roots.iter().map(|root| Place::At(root)).collect()]);
    let mut states = Vec::new();
    while let Some(groups) = numbers.waiting.pop_front() {
        if states.len() >= limit {
            let widest = rules.iter().max_by_key(|r| r.pattern.matches('*').count());
            return Err(BadPattern::new(
                widest.map_or("", |r| r.pattern.as_str()),
                "too many rules overlap through '*'; write fewer '*' beside literal segments",
            ));
        }
        let other = numbers.of(step(&groups, None, None));
        let literals = named(&groups)
            .into_iter()
            .map(|literal| {
                let lower = literal.to_ascii_lowercase();
                let exact = numbers.of(step(&groups, Some(literal), Some(&lower)));
                // a literal with capital letters is not looked up a second time
                let folded =
                    if lower == literal { numbers.of(step(&groups, None, Some(&lower))) } else { other };
                Literal { text: literal.into(), exact, folded }
            })
            .collect();
        states.push(State {
            literals,
            other,
            empty: numbers.of(step(&groups, Some(""), Some(""))),
            settled: groups.iter().flatten().all(|place| matches!(place, Place::InTail(_))),
            answer: answer(&groups, rules, fallback),
        });
    }
    Ok(Automaton(states.into()))
}

/// The literals that the patterns at these places go on with, sorted.
fn named<'n>(groups: &[Group<'n>]) -> Vec<&'n str> {
    let mut literals: Vec<&str> = groups
        .iter()
        .flatten()
        .filter_map(|place| if let Place::At(node) = place { Some(node.literals.keys()) } else { None })
        .flatten()
        .copied()
        .collect();
    literals.sort_unstable();
    literals.dedup();
    literals
}

/// The places after one more segment, as it is written and folded; `None` is a segment that no rule names.
fn step<'n>(groups: &[Group<'n>], written: Option<&str>, folded: Option<&str>) -> Vec<Group<'n>> {
    let mut next = Vec::new();
    for group in groups {
        let (mut literal, mut any, mut tail) = (Group::new(), Group::new(), Group::new());
        for place in group {
            match *place {
                Place::At(node) => {
                    let segment = if node.folded { folded } else { written };
                    literal.extend(segment.and_then(|s| node.literals.get(s)).map(Place::At));
                    // `*` is never the empty segment
                    if written != Some("") {
                        any.extend(node.any.as_deref().map(Place::At));
                    }
                    if !node.tails.is_empty() {
                        tail.push(Place::InTail(node));
                    }
                }
                Place::InTail(_) => tail.push(*place),
            }
        }
        next.extend([literal, any, tail].into_iter().filter(|group| !group.is_empty()));
    }
    next
}

/// The rule that decides at these places, for each method. A rule in the folded tree counts only against a weaker one: first those
/// for users against all others, then those that follow the anonymous mode against open ones.
fn answer(groups: &[Group<'_>], rules: &[RouteRule], fallback: Access) -> Answer {
    let users = answer_with(groups, rules, Access::SignedIn);
    let anonymous = answer_with(groups, rules, Access::Anonymous);
    // position 0 is the fallback
    let access = |route: usize| {
        route.checked_sub(1).and_then(|rule| rules.get(rule)).map_or(fallback, |rule| rule.access)
    };
    let stricter = |users: usize, anonymous: usize| {
        if access(users) == Access::SignedIn { users } else { anonymous }
    };
    let mut methods: Vec<(Box<str>, usize)> = Vec::new();
    for (method, _) in users.methods.iter().chain(&anonymous.methods) {
        if !methods.iter().any(|(known, _)| known == method) {
            methods.push((method.clone(), stricter(users.to(method), anonymous.to(method))));
        }
    }
    Answer { methods: methods.into(), any: stricter(users.any, anonymous.any) }
}

/// `weakest`: rules in the folded tree that are weaker do not count.
fn answer_with(groups: &[Group<'_>], rules: &[RouteRule], weakest: Access) -> Answer {
    let mut methods: Vec<(Box<str>, usize)> = Vec::new();
    let same_pattern = groups.iter().flat_map(|group| {
        let of = move |with_tail| group.iter().filter_map(move |place| place.rules(with_tail));
        of(false).chain(of(true))
    });
    for (folded, group) in same_pattern {
        let mut named = BTreeMap::new();
        let mut any = None;
        for &rule in group {
            let Some(RouteRule { methods, access, .. }) = rules.get(rule) else { continue };
            if folded && *access < weakest {
                continue;
            }
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
