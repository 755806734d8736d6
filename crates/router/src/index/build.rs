//! Building the index: what of each expression can be looked up, and which attribute to ask for first.

use ahash::AHashMap;

use smallvec::SmallVec;

use super::{Asked, Entry, Index, Node, Radix, Ref, inner::Inner};
use crate::expr::{Attribute, Expr, Field, NumberOp, Op, Test, TextOp};

/// A list this short is tried one by one.
const SHORT: usize = 4;
/// How many expressions could be tried in the time it takes to look for literals anywhere in a value.
const INNER_COST: usize = 16;
/// Attributes that can be asked for; conditions on further ones are evaluated.
const MAX_ASKED: usize = 63;
/// In a set of attributes: something that the index does not look up.
const UNSEEN: u64 = 1 << 63;

/// Collects what expressions ask.
#[derive(Default)]
pub(crate) struct Builder {
    asked: Vec<Asked>,
    nodes: Vec<Node>,
    lists: Vec<Entry>,
    hiding: Vec<u32>,
}

/// What can be looked up of one expression.
struct Plan<'e> {
    terms: SmallVec<[Term<'e>; 2]>,
    /// Whether there is more than the terms say.
    unseen: bool,
}

/// Values of one attribute, one of which a request must have.
struct Term<'e> {
    asked: u32,
    keys: SmallVec<[Key<'e>; 1]>,
    /// Whether it also holds wherever the attribute does not count.
    elsewhere: bool,
}

#[derive(Clone)]
struct Key<'e> {
    kind: Kind,
    text: std::borrow::Cow<'e, [u8]>,
    /// Whether a request with that value meets the condition for sure.
    certain: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Exact,
    Prefix,
    Suffix,
    /// Anywhere.
    Inner,
}

/// Expressions in one place of the tree, by rank.
type Items = SmallVec<[Item; 1]>;

/// An expression on its way through the tree.
#[derive(Clone, Copy)]
struct Item {
    rank: u32,
    /// What is still to be proved, as a set of attributes.
    open: u64,
    /// Attributes that have not been asked for yet.
    unasked: u64,
}

impl Builder {
    /// Builds the index over expressions in order of rank.
    pub fn build<'e>(mut self, expressions: impl Iterator<Item = &'e Expr>) -> Index {
        let plans: Vec<Plan<'e>> = expressions.map(|expr| self.plan(expr)).collect();
        let inner =
            (0..).zip(&self.asked).filter(|(_, asked)| asked.inner).fold(0, |set, (i, _)| set | 1 << i);
        let items = plans.iter().zip(0..).map(|(plan, rank)| {
            let asked = plan.terms.iter().fold(0_u64, |set, term| set | 1 << term.asked);
            // What stands somewhere in a value proves nothing.
            Item { rank, open: asked & !inner | if plan.unseen { UNSEEN } else { 0 }, unasked: asked }
        });
        let root = self.tree(&plans, items.collect());
        Index {
            asked: self.asked.into(),
            nodes: self.nodes.into(),
            lists: self.lists.into(),
            root,
            hiding: self.hiding.into(),
        }
    }

    fn plan<'e>(&mut self, expr: &'e Expr) -> Plan<'e> {
        let mut plan = Plan { terms: SmallVec::new(), unseen: false };
        for part in expr.conjuncts() {
            let inner = self.inner_term(part);
            match self.term(part) {
                Some(term) if plan.terms.iter().all(|other| other.asked != term.asked) => {
                    plan.terms.push(term)
                }
                _ => plan.unseen = true,
            }
            if let Some(inner) = inner
                && plan.terms.iter().all(|other| other.asked != inner.asked)
            {
                plan.terms.push(inner);
            }
        }
        plan
    }

    /// What must stand somewhere in the value for a condition to hold, where that is all there is: the
    /// literal parts of regular expressions.
    fn inner_term<'e>(&mut self, condition: &'e Expr) -> Option<Term<'e>> {
        let parts = match condition {
            Expr::Any(parts) => parts,
            other => std::slice::from_ref(other),
        };
        let Expr::Is(Test { attribute, .. }) = parts.first()? else { return None };
        let mut keys = SmallVec::new();
        let mut regex = false;
        for part in parts {
            let Expr::Is(test) = part else { return None };
            let text = match &test.op {
                Op::Regex(pattern) => {
                    regex = true;
                    pattern.inner()?
                }
                Op::Text(TextOp::NotEqual, _) => return None,
                Op::Text(op, text) => {
                    regex |= *op == TextOp::Contains;
                    text.as_bytes()
                }
                _ => return None,
            };
            if test.attribute != *attribute || text.is_empty() {
                return None;
            }
            keys.push(Key { kind: Kind::Inner, text: text.into(), certain: false });
        }
        if !regex {
            return None;
        }
        Some(Term { asked: self.number(attribute, None, true)?, keys, elsewhere: false })
    }

    /// What can be looked up of a condition.
    fn term<'e>(&mut self, condition: &'e Expr) -> Option<Term<'e>> {
        let parts = match condition {
            Expr::Any(parts) => parts,
            other => std::slice::from_ref(other),
        };
        let only_in = parts.iter().find_map(|part| match part {
            Expr::Is(Test {
                attribute: Attribute { field: Field::Protocol, .. },
                op: Op::Text(TextOp::NotEqual, text),
            }) if parts.len() > 1 => Some(text),
            _ => None,
        });
        let mut keys = SmallVec::new();
        let mut attribute = None;
        for part in parts {
            let (test, whole) = match part {
                Expr::Is(test) if only_in.is_some() && test.attribute.field == Field::Protocol => {
                    match &test.op {
                        Op::Text(TextOp::NotEqual, text) if Some(text) == only_in => continue,
                        _ => return None,
                    }
                }
                Expr::Is(test) => (test, true),
                // Of conditions that must hold together one is enough to look up.
                Expr::All(both) => match both.first()? {
                    Expr::Is(test) => (test, false),
                    _ => return None,
                },
                _ => return None,
            };
            let mut key = key(test)?;
            key.certain &= whole;
            if *attribute.get_or_insert(&test.attribute) != &test.attribute {
                return None;
            }
            keys.push(key);
        }
        let asked = self.number(attribute?, only_in.map(|text| &**text), false)?;
        Some(Term { asked, keys, elsewhere: only_in.is_some() })
    }

    /// The number of what is asked; few things are, so they are looked through.
    fn number(&mut self, attribute: &Attribute, only_in: Option<&str>, inner: bool) -> Option<u32> {
        let same =
            |a: &Asked| a.inner == inner && a.attribute == *attribute && a.only_in.as_deref() == only_in;
        let number = self.asked.iter().position(same).unwrap_or(self.asked.len());
        if number == self.asked.len() {
            if number == MAX_ASKED {
                return None;
            }
            self.asked.push(Asked { attribute: attribute.clone(), only_in: only_in.map(Into::into), inner });
        }
        Some(number as u32)
    }

    /// The tree over expressions in order of rank.
    fn tree(&mut self, plans: &[Plan<'_>], mut items: Items) -> Ref {
        // What comes after an expression that holds for sure is never reached.
        if let Some(sure) = items.iter().position(|item| item.open == 0)
            && sure + 1 < items.len()
        {
            self.hiding.push(items[sure].rank);
            items.truncate(sure + 1);
        }
        let Some(first) = items.first().map(|item| item.rank) else { return Ref::Nothing };
        let Some(asked) = (items.len() > SHORT).then(|| self.best(plans, &items)).flatten() else {
            return self.list(&items);
        };
        let bit = 1_u64 << asked;
        let mut buckets: AHashMap<(Kind, &[u8]), Items> = AHashMap::new();
        let mut rest = Items::new();
        let mut elsewhere = Items::new();
        for item in items {
            if item.unasked & bit == 0 {
                rest.push(item);
                continue;
            }
            let next = |certain| Item {
                open: if certain { item.open & !bit } else { item.open },
                unasked: item.unasked & !bit,
                ..item
            };
            let Some(term) = plans[item.rank as usize].terms.iter().find(|term| term.asked == asked) else {
                continue;
            };
            for key in &term.keys {
                let bucket = buckets.entry((key.kind, &key.text)).or_default();
                match bucket.last_mut() {
                    // Two keys of one expression in one place: what one of them proves is proved.
                    Some(last) if last.rank == item.rank => last.open &= next(key.certain).open,
                    _ => bucket.push(next(key.certain)),
                }
            }
            if term.elsewhere {
                elsewhere.push(next(true));
            }
        }
        let mut exact = AHashMap::new();
        let mut prefixes = Vec::new();
        let mut suffixes = Vec::new();
        let mut inner = Vec::new();
        for ((kind, text), items) in buckets {
            let next = self.tree(plans, items);
            match kind {
                Kind::Exact => drop(exact.insert(text.into(), next)),
                Kind::Prefix => prefixes.push((text, next)),
                Kind::Suffix => suffixes.push((text, next)),
                Kind::Inner => inner.push((text, next)),
            }
        }
        exact.shrink_to_fit();
        let node = Node {
            first,
            asked,
            exact,
            prefixes: (!prefixes.is_empty()).then(|| Radix::new::<false>(prefixes)),
            suffixes: (!suffixes.is_empty()).then(|| Radix::new::<true>(suffixes)),
            inner: Inner::new(inner),
            elsewhere: self.tree(plans, elsewhere),
            rest: self.tree(plans, rest),
        };
        self.nodes.push(node);
        Ref::Node(self.nodes.len() as u32 - 1)
    }

    /// The attribute that leaves the shortest list in its worst case; none if no attribute shortens the list.
    fn best(&self, plans: &[Plan<'_>], items: &[Item]) -> Option<u32> {
        let mut candidates = items.iter().fold(0, |set, item| set | item.unasked);
        let mut best = None;
        let mut sizes: AHashMap<(Kind, &[u8]), usize> = AHashMap::new();
        while candidates != 0 {
            let asked = candidates.trailing_zeros();
            candidates &= candidates - 1;
            sizes.clear();
            let mut asking = 0;
            for item in items.iter().filter(|item| item.unasked & 1 << asked != 0) {
                asking += 1;
                let terms = &plans[item.rank as usize].terms;
                for key in terms.iter().filter(|term| term.asked == asked).flat_map(|term| &term.keys) {
                    *sizes.entry((key.kind, &key.text)).or_default() += 1;
                }
            }
            let mut gain = asking - sizes.values().copied().max().unwrap_or(0).min(asking);
            if self.asked[asked as usize].inner {
                // Looking everywhere costs as much as trying some expressions.
                gain = gain.saturating_sub(INNER_COST);
            }
            if gain > 0 && best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, asked));
            }
        }
        best.map(|(_, asked)| asked)
    }

    fn list(&mut self, items: &[Item]) -> Ref {
        let entry = |item: &Item| Entry::new(item.rank, item.open == 0);
        if let [item] = items {
            return Ref::One(entry(item));
        }
        let start = self.lists.len() as u32;
        self.lists.extend(items.iter().map(entry));
        Ref::List { start, length: items.len() as u32 }
    }
}

/// The value that a predicate wants, if it wants one in particular.
fn key(test: &Test) -> Option<Key<'_>> {
    let several = matches!(test.attribute.field, Field::Header(_) | Field::Query(_));
    let certain = !several || test.attribute.any;
    let key = |kind, text: std::borrow::Cow<'static, [u8]>| Key { kind, text, certain };
    Some(match &test.op {
        Op::Text(TextOp::Equal, text) => Key { kind: Kind::Exact, text: text.as_bytes().into(), certain },
        Op::Text(TextOp::Prefix, text) => Key { kind: Kind::Prefix, text: text.as_bytes().into(), certain },
        Op::Text(TextOp::Suffix, text) => Key { kind: Kind::Suffix, text: text.as_bytes().into(), certain },
        Op::Regex(pattern) => Key { kind: Kind::Prefix, text: pattern.prefix()?.into(), certain: false },
        Op::Number(NumberOp::Equal, number) => key(Kind::Exact, number.to_be_bytes().to_vec().into()),
        Op::Address { equal: true, address } => match address {
            std::net::IpAddr::V4(address) => key(Kind::Exact, address.octets().to_vec().into()),
            std::net::IpAddr::V6(address) => key(Kind::Exact, address.octets().to_vec().into()),
        },
        _ => return None,
    })
}
