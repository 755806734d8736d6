//! The index: finds the few expressions that can match a request.
//!
//! It is a decision tree. Each node tests one attribute of the request (host, path, method, one header …) and leads to
//! the expressions that require the value found, as a whole, by prefix, by suffix or by substring, and to those that do
//! not depend on the attribute. Expressions are identified by their rank; 0 is tried first. An entry is `proven` if the
//! path to it implies that its expression matches; only other entries are evaluated. The result always equals that of
//! evaluating all expressions in order of rank.

mod build;
mod radix;
mod substring;

use ahash::AHashMap;

use self::{radix::Radix, substring::SubstringIndex};
use super::{
    expr::{Attribute, Field},
    match_input::MatchInput,
    table::Matcher,
};

pub(super) use build::Builder;

/// The index over a list of expressions.
#[derive(Debug)]
pub(super) struct Index {
    attributes: Box<[AttributeKey]>,
    nodes: Box<[Node]>,
    lists: Box<[Entry]>,
    root: NodeRef,
    /// Ranks that shadow later ones: the expression is proven where such an entry is reached, so later ones were left out.
    pub shadowing: Box<[u32]>,
}

/// A set of ranks.
#[derive(Debug, Default)]
pub(super) struct RankSet(Vec<u64>);

impl RankSet {
    /// No rank.
    pub const NONE: &'static RankSet = &RankSet(Vec::new());

    /// Adds a rank.
    pub fn insert(&mut self, rank: u32) {
        let word = rank as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (rank % 64);
    }

    /// Whether a rank is in the set.
    pub fn contains(&self, rank: u32) -> bool {
        self.0.get(rank as usize / 64).is_some_and(|word| word >> (rank % 64) & 1 == 1)
    }
}

/// The attribute that a node tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct AttributeKey {
    attribute: Attribute,
    /// The protocol to which the condition applies: for requests of other protocols it is true.
    only_in: Option<Box<str>>,
    /// Whether the values are matched as substrings.
    substring: bool,
}

#[derive(Debug)]
struct Node {
    /// Lowest rank below.
    first: u32,
    attribute: u32,
    exact: AHashMap<Box<[u8]>, NodeRef>,
    prefixes: Option<Radix<NodeRef>>,
    suffixes: Option<Radix<NodeRef>>,
    substring: Option<Box<SubstringIndex>>,
    /// Next node for requests of another protocol than [`AttributeKey::only_in`].
    other_protocol: NodeRef,
    /// Next node for expressions that do not depend on the attribute.
    independent: NodeRef,
}

/// A rank, and whether its expression is proven to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry(u32);

impl Entry {
    fn new(rank: u32, proven: bool) -> Self {
        Entry(rank << 1 | u32::from(proven))
    }
    fn rank(self) -> u32 {
        self.0 >> 1
    }
    fn proven(self) -> bool {
        self.0 & 1 == 1
    }
}

#[derive(Clone, Copy, Debug)]
enum NodeRef {
    Nothing,
    One(Entry),
    /// Entries in order of rank.
    List {
        start: u32,
        length: u32,
    },
    Node(u32),
}

impl Default for Index {
    fn default() -> Self {
        Index {
            attributes: Box::default(),
            nodes: Box::default(),
            lists: Box::default(),
            root: NodeRef::Nothing,
            shadowing: Box::default(),
        }
    }
}

/// State of one lookup.
struct Search<'s> {
    index: &'s Index,
    input: &'s MatchInput<'s>,
    matchers: &'s [Matcher],
    removed: &'s RankSet,
    best: u32,
}

impl Index {
    /// Finds the lowest rank whose expression matches and that is not in `removed`. Ranks are indexes into `matchers`.
    /// Ranks in [`Index::shadowing`] must not be removed.
    pub fn find(&self, input: &MatchInput<'_>, matchers: &[Matcher], removed: &RankSet) -> Option<u32> {
        let mut search = Search { index: self, input, matchers, removed, best: u32::MAX };
        search.visit(self.root);
        (search.best != u32::MAX).then_some(search.best)
    }

    /// Heap size in bytes.
    pub fn memory(&self) -> usize {
        let node = |node: &Node| {
            let keys: usize = node.exact.keys().map(|key| key.len()).sum();
            let radix = |tree: &Option<Radix<NodeRef>>| tree.as_ref().map_or(0, Radix::memory);
            keys + node.exact.capacity() * (size_of::<(Box<[u8]>, NodeRef)>() + 1)
                + radix(&node.prefixes)
                + radix(&node.suffixes)
                + node.substring.as_ref().map_or(0, |substring| substring.memory())
        };
        size_of_val(&*self.nodes) + size_of_val(&*self.lists) + self.nodes.iter().map(node).sum::<usize>()
    }
}

impl Search<'_> {
    fn visit(&mut self, at: NodeRef) {
        match at {
            NodeRef::Nothing => {}
            NodeRef::One(entry) => self.visit_entry(entry),
            NodeRef::List { start, length } => {
                for &entry in &self.index.lists[start as usize..][..length as usize] {
                    if entry.rank() >= self.best {
                        break;
                    }
                    self.visit_entry(entry);
                }
            }
            NodeRef::Node(number) => self.descend(&self.index.nodes[number as usize]),
        }
    }

    fn visit_entry(&mut self, entry: Entry) {
        let rank = entry.rank();
        if rank < self.best
            && !self.removed.contains(rank)
            && (entry.proven() || self.matchers[rank as usize].when.matches(self.input, &mut None))
        {
            self.best = rank;
        }
    }

    fn descend(&mut self, node: &Node) {
        if node.first >= self.best {
            return;
        }
        let key = &self.index.attributes[node.attribute as usize];
        if key.only_in.as_deref().is_some_and(|protocol| protocol != self.input.protocol()) {
            self.visit(node.other_protocol);
        } else {
            self.by_value(node, &key.attribute);
        }
        self.visit(node.independent);
    }

    fn by_value(&mut self, node: &Node, attribute: &Attribute) {
        match attribute.field {
            Field::SourcePort | Field::DestinationPort | Field::HostPort | Field::SegmentCount => {
                if let Some(number) = self.input.number(&attribute.field) {
                    self.keys(node, &number.to_be_bytes());
                }
            }
            Field::SourceIp | Field::DestinationIp => match self.input.address(&attribute.field) {
                Some(std::net::IpAddr::V4(address)) => self.keys(node, &address.octets()),
                Some(std::net::IpAddr::V6(address)) => self.keys(node, &address.octets()),
                None => {}
            },
            _ => {
                let input = self.input;
                input.each(&attribute.field, |value| {
                    self.keys(node, &attribute.case.apply(value));
                    // If all values must match, the first one must: it suffices to find the expression.
                    attribute.any
                });
            }
        }
    }

    fn keys(&mut self, node: &Node, value: &[u8]) {
        if let Some(&next) = node.exact.get(value) {
            self.visit(next);
        }
        if let Some(tree) = &node.prefixes {
            tree.walk::<false>(value, |next| self.visit(next));
        }
        if let Some(tree) = &node.suffixes {
            tree.walk::<true>(value, |next| self.visit(next));
        }
        if let Some(substring) = &node.substring {
            substring.walk(value, |next| self.visit(next));
        }
    }
}
