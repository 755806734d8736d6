//! The index: from a request to the few expressions that can hold.
//!
//! A tree of nodes. Each node asks for one attribute of the request (host, path, method, one header …)
//! and leads on to the expressions that want the value it finds, as a whole, by prefix or by suffix, and
//! to those that do not care. Expressions are known by their rank, 0 being tried first. An entry is
//! `certain` when the way to it has proved everything its expression asks; only others are evaluated.
//! The answer is always that of trying all expressions in order of rank.

mod build;
mod inner;
mod radix;

use ahash::AHashMap;

use self::{inner::Inner, radix::Radix};
use super::{
    expr::{Attribute, Field},
    table::Matcher,
    view::View,
};

pub(super) use build::Builder;

/// The index over a list of expressions.
#[derive(Debug)]
pub(super) struct Index {
    asked: Box<[Asked]>,
    nodes: Box<[Node]>,
    lists: Box<[Entry]>,
    root: Ref,
    /// Ranks that hid others from view: where one of these comes first, it is known to hold.
    pub hiding: Box<[u32]>,
}

/// A set of ranks.
#[derive(Debug, Default)]
pub(super) struct Ranks(Vec<u64>);

impl Ranks {
    /// No rank.
    pub const NONE: &'static Ranks = &Ranks(Vec::new());

    /// Adds one.
    pub fn insert(&mut self, rank: u32) {
        let word = rank as usize / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (rank % 64);
    }

    /// Whether it is in the set.
    pub fn contains(&self, rank: u32) -> bool {
        self.0.get(rank as usize / 64).is_some_and(|word| word >> (rank % 64) & 1 == 1)
    }
}

/// What a node asks a request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Asked {
    attribute: Attribute,
    /// The protocol without which the attribute does not count, and all expressions that ask for it hold.
    only_in: Option<Box<str>>,
    /// Whether only parts of the value are wanted.
    inner: bool,
}

#[derive(Debug)]
struct Node {
    /// Lowest rank below.
    first: u32,
    asked: u32,
    exact: AHashMap<Box<[u8]>, Ref>,
    prefixes: Option<Radix<Ref>>,
    suffixes: Option<Radix<Ref>>,
    inner: Option<Box<Inner>>,
    /// For requests of another protocol than [`Asked::only_in`].
    elsewhere: Ref,
    /// For expressions that do not ask.
    rest: Ref,
}

/// A rank, and whether its expression is known to hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry(u32);

impl Entry {
    fn new(rank: u32, certain: bool) -> Self {
        Entry(rank << 1 | u32::from(certain))
    }
    fn rank(self) -> u32 {
        self.0 >> 1
    }
    fn certain(self) -> bool {
        self.0 & 1 == 1
    }
}

#[derive(Clone, Copy, Debug)]
enum Ref {
    Nothing,
    One(Entry),
    /// Entries by rank.
    List {
        start: u32,
        length: u32,
    },
    Node(u32),
}

impl Default for Index {
    fn default() -> Self {
        Index {
            asked: Box::default(),
            nodes: Box::default(),
            lists: Box::default(),
            root: Ref::Nothing,
            hiding: Box::default(),
        }
    }
}

/// One look-up.
struct Search<'s> {
    index: &'s Index,
    view: &'s View<'s>,
    matchers: &'s [Matcher],
    gone: &'s Ranks,
    best: u32,
}

impl Index {
    /// The lowest rank whose expression holds, leaving out those that are `gone`. Ranks are the matchers'
    /// numbers. None that is [`Index::hiding`] others may be gone.
    pub fn find(&self, view: &View<'_>, matchers: &[Matcher], gone: &Ranks) -> Option<u32> {
        let mut search = Search { index: self, view, matchers, gone, best: u32::MAX };
        search.visit(self.root);
        (search.best != u32::MAX).then_some(search.best)
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        let node = |node: &Node| {
            let keys: usize = node.exact.keys().map(|key| key.len()).sum();
            let radix = |tree: &Option<Radix<Ref>>| tree.as_ref().map_or(0, Radix::memory);
            keys + node.exact.capacity() * (size_of::<(Box<[u8]>, Ref)>() + 1)
                + radix(&node.prefixes)
                + radix(&node.suffixes)
                + node.inner.as_ref().map_or(0, |inner| inner.memory())
        };
        size_of_val(&*self.nodes) + size_of_val(&*self.lists) + self.nodes.iter().map(node).sum::<usize>()
    }
}

impl Search<'_> {
    fn visit(&mut self, at: Ref) {
        match at {
            Ref::Nothing => {}
            Ref::One(entry) => self.consider(entry),
            Ref::List { start, length } => {
                for &entry in &self.index.lists[start as usize..][..length as usize] {
                    if entry.rank() >= self.best {
                        break;
                    }
                    self.consider(entry);
                }
            }
            Ref::Node(number) => self.descend(&self.index.nodes[number as usize]),
        }
    }

    fn consider(&mut self, entry: Entry) {
        let rank = entry.rank();
        if rank < self.best
            && !self.gone.contains(rank)
            && (entry.certain() || self.matchers[rank as usize].when.holds(self.view, &mut None))
        {
            self.best = rank;
        }
    }

    fn descend(&mut self, node: &Node) {
        if node.first >= self.best {
            return;
        }
        let asked = &self.index.asked[node.asked as usize];
        if asked.only_in.as_deref().is_some_and(|protocol| protocol != self.view.protocol()) {
            self.visit(node.elsewhere);
        } else {
            self.by_value(node, &asked.attribute);
        }
        self.visit(node.rest);
    }

    fn by_value(&mut self, node: &Node, attribute: &Attribute) {
        match attribute.field {
            Field::SourcePort | Field::DestinationPort | Field::HostPort | Field::SegmentCount => {
                if let Some(number) = self.view.number(&attribute.field) {
                    self.keys(node, &number.to_be_bytes());
                }
            }
            Field::SourceIp | Field::DestinationIp => match self.view.address(&attribute.field) {
                Some(std::net::IpAddr::V4(address)) => self.keys(node, &address.octets()),
                Some(std::net::IpAddr::V6(address)) => self.keys(node, &address.octets()),
                None => {}
            },
            _ => {
                let view = self.view;
                view.each(&attribute.field, |value| {
                    self.keys(node, &attribute.case.apply(value));
                    // Where all values must hold, the first must: that is enough to find the expression.
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
        if let Some(inner) = &node.inner {
            inner.walk(value, |next| self.visit(next));
        }
    }
}
