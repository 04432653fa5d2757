//! The route rules as a deterministic automaton: one step per segment of a path, without backtracking.
//!
//! Patterns are first inserted into two trees: all patterns as written, and folded copies (as a lenient portal
//! compares) of those that restrict a path. A path may follow a literal and a `*` at the same time, and both trees,
//! so a state of the automaton is the ordered list of all possible positions in the trees, the most specific first.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap, VecDeque},
};

use super::{
    AccessLevel, InvalidRoutePattern, RouteRule,
    pattern::{RoutePattern, Segment},
};

/// State 0 is the initial state.
#[derive(Debug, Clone)]
pub(super) struct Automaton(Box<[AutomatonState]>);

#[derive(Debug, Clone)]
struct AutomatonState {
    /// Sorted by text.
    literals: Box<[LiteralTransition]>,
    /// After any other segment.
    other: u32,
    /// After an empty segment (a final slash) that no rule names.
    empty: u32,
    /// Further segments cannot change the result.
    is_final: bool,
    routes: MethodRoutes,
}

#[derive(Debug, Clone)]
struct LiteralTransition {
    text: Box<str>,
    /// After this segment.
    exact: u32,
    /// After this segment with capital letters in it.
    folded: u32,
}

/// The routes of a path that ends here, by method: indexes into `RouteTable::routes`.
#[derive(Debug, Clone)]
pub(super) struct MethodRoutes {
    methods: Box<[(Box<str>, usize)]>,
    any: usize,
}

impl MethodRoutes {
    pub fn route_for(&self, method: &str) -> usize {
        self.methods.iter().find(|(named, _)| **named == *method).map_or(self.any, |(_, route)| *route)
    }
}

impl Automaton {
    pub fn find(&self, path: &str) -> Option<&MethodRoutes> {
        let mut state = self.0.first()?;
        for segment in path.strip_prefix('/')?.split('/') {
            if state.is_final {
                break;
            }
            let next = match state.literals.binary_search_by(|literal| (*literal.text).cmp(segment)) {
                Ok(found) => state.literals.get(found)?.exact,
                Err(_) if segment.is_empty() => state.empty,
                Err(_) => state.after_unnamed(segment),
            };
            state = self.0.get(usize::try_from(next).ok()?)?;
        }
        Some(&state.routes)
    }
}

impl AutomatonState {
    fn after_unnamed(&self, segment: &str) -> u32 {
        if !self.literals.is_empty() && segment.bytes().any(|byte| byte.is_ascii_uppercase()) {
            let lower = |literal: &LiteralTransition| -> Ordering {
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

/// A node in a tree of patterns.
#[derive(Default)]
struct PatternNode<'a> {
    id: usize,
    literals: BTreeMap<&'a str, PatternNode<'a>>,
    any: Option<Box<PatternNode<'a>>>,
    /// Indexes of the rules that end here, and of those whose `**` begins here.
    ends: Vec<usize>,
    tails: Vec<usize>,
    /// In the tree of folded patterns.
    folded: bool,
}

/// A possible position of a path in a tree.
#[derive(Clone, Copy)]
enum TreePosition<'n> {
    At(&'n PatternNode<'n>),
    /// Below this node, in its `**`.
    InTail(&'n PatternNode<'n>),
}

/// Equally specific positions, exact patterns first.
type PositionGroup<'n> = Vec<TreePosition<'n>>;

impl<'n> TreePosition<'n> {
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

/// Numbers the states in order of discovery, and queues those that still have to be built.
#[derive(Default)]
struct StateNumbering<'n> {
    known: HashMap<Vec<(u8, usize)>, u32>,
    waiting: VecDeque<Vec<PositionGroup<'n>>>,
}

impl<'n> StateNumbering<'n> {
    fn of(&mut self, groups: Vec<PositionGroup<'n>>) -> u32 {
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
    patterns: &[RoutePattern<'_>],
    rules: &[RouteRule],
    fallback: AccessLevel,
) -> Result<Automaton, InvalidRoutePattern> {
    let folded: Vec<Vec<FoldedSegment>> = patterns.iter().map(folded_segments).collect();
    let mut nodes = 2;
    let mut as_written = PatternNode::default();
    let mut closing = PatternNode { id: 1, folded: true, ..PatternNode::default() };
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
        if rules.get(at).is_some_and(|rule| rule.access != AccessLevel::Open) {
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
    states(&[&as_written, &closing], rules, nodes, fallback)
}

/// A literal in lower case; `None` is `*`.
type FoldedSegment = Option<String>;

/// A pattern without its final slash, in lower case.
fn folded_segments(pattern: &RoutePattern<'_>) -> Vec<FoldedSegment> {
    let mut segments: Vec<FoldedSegment> = pattern
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Literal(literal) => Some(literal.to_ascii_lowercase()),
            Segment::Any => None,
        })
        .collect();
    // except for `/`, which consists of the final slash only
    if segments.len() > 1 && segments.last().is_some_and(|last| last.as_deref() == Some("")) {
        segments.pop();
    }
    segments
}

impl<'a> PatternNode<'a> {
    /// The node for these segments, inserted if missing; `None` is `*`.
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
                PatternNode { id, folded, ..PatternNode::default() }
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
    roots: &[&PatternNode<'_>; 2],
    rules: &[RouteRule],
    nodes: usize,
    fallback: AccessLevel,
) -> Result<Automaton, InvalidRoutePattern> {
    // `*` beside literals on many levels could multiply states; no real set of rules comes near this
    let limit = 1024 + 16 * nodes;
    let mut numbers = StateNumbering::default();
    numbers.of(vec![roots.iter().map(|root| TreePosition::At(root)).collect()]);
    let mut states = Vec::new();
    while let Some(groups) = numbers.waiting.pop_front() {
        if states.len() >= limit {
            let widest = rules.iter().max_by_key(|r| r.pattern.matches('*').count());
            return Err(InvalidRoutePattern::new(
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
                LiteralTransition { text: literal.into(), exact, folded }
            })
            .collect();
        states.push(AutomatonState {
            literals,
            other,
            empty: numbers.of(step(&groups, Some(""), Some(""))),
            is_final: groups.iter().flatten().all(|place| matches!(place, TreePosition::InTail(_))),
            routes: routes_at(&groups, rules, fallback),
        });
    }
    Ok(Automaton(states.into()))
}

/// The literals that follow at these positions, sorted.
fn named<'n>(groups: &[PositionGroup<'n>]) -> Vec<&'n str> {
    let mut literals: Vec<&str> = groups
        .iter()
        .flatten()
        .filter_map(
            |place| if let TreePosition::At(node) = place { Some(node.literals.keys()) } else { None },
        )
        .flatten()
        .copied()
        .collect();
    literals.sort_unstable();
    literals.dedup();
    literals
}

/// The positions after one more segment, as written and folded; `None` is a segment that no rule contains.
fn step<'n>(
    groups: &[PositionGroup<'n>],
    written: Option<&str>,
    folded: Option<&str>,
) -> Vec<PositionGroup<'n>> {
    let mut next = Vec::new();
    for group in groups {
        let (mut literal, mut any, mut tail) =
            (PositionGroup::new(), PositionGroup::new(), PositionGroup::new());
        for place in group {
            match *place {
                TreePosition::At(node) => {
                    let segment = if node.folded { folded } else { written };
                    literal.extend(segment.and_then(|s| node.literals.get(s)).map(TreePosition::At));
                    // `*` is never the empty segment
                    if written != Some("") {
                        any.extend(node.any.as_deref().map(TreePosition::At));
                    }
                    if !node.tails.is_empty() {
                        tail.push(TreePosition::InTail(node));
                    }
                }
                TreePosition::InTail(_) => tail.push(*place),
            }
        }
        next.extend([literal, any, tail].into_iter().filter(|group| !group.is_empty()));
    }
    next
}

/// The deciding rule at these positions, per method. A folded rule applies only against a weaker one: first
/// rules for users against all others, then rules that follow the anonymous mode against open ones.
fn routes_at(groups: &[PositionGroup<'_>], rules: &[RouteRule], fallback: AccessLevel) -> MethodRoutes {
    let users = routes_not_weaker_than(groups, rules, AccessLevel::SignedIn);
    let anonymous = routes_not_weaker_than(groups, rules, AccessLevel::Anonymous);
    // position 0 is the fallback
    let access = |route: usize| {
        route.checked_sub(1).and_then(|rule| rules.get(rule)).map_or(fallback, |rule| rule.access)
    };
    let stricter = |users: usize, anonymous: usize| {
        if access(users) == AccessLevel::SignedIn { users } else { anonymous }
    };
    let mut methods: Vec<(Box<str>, usize)> = Vec::new();
    for (method, _) in users.methods.iter().chain(&anonymous.methods) {
        if !methods.iter().any(|(known, _)| known == method) {
            methods.push((method.clone(), stricter(users.route_for(method), anonymous.route_for(method))));
        }
    }
    MethodRoutes { methods: methods.into(), any: stricter(users.any, anonymous.any) }
}

/// `weakest`: rules in the folded tree that are weaker do not count.
fn routes_not_weaker_than(
    groups: &[PositionGroup<'_>],
    rules: &[RouteRule],
    weakest: AccessLevel,
) -> MethodRoutes {
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
            return MethodRoutes { methods: methods.into(), any };
        }
    }
    MethodRoutes { methods: methods.into(), any: 0 }
}
