//! Construction of the index: extracts the conditions that can be looked up, and chooses the attribute of each node.

use ahash::AHashMap;

use smallvec::SmallVec;

use super::{AttributeKey, Entry, Index, Node, NodeRef, Radix, substring::SubstringIndex};
use crate::expr::{Attribute, Expr, Field, NumberOp, Op, Predicate, TextOp};

/// Longest list whose entries are evaluated one by one.
const MAX_LIST_LEN: usize = 4;
/// Cost of a substring search, in evaluated expressions.
const SUBSTRING_COST: usize = 16;
/// Most attributes of an index; conditions on further ones are evaluated.
const MAX_ATTRIBUTES: usize = 63;
/// Bit in a set of attributes: a condition that the index does not cover.
const UNINDEXED: u64 = 1 << 63;

/// Builder of an index.
#[derive(Default)]
pub(crate) struct Builder {
    attributes: Vec<AttributeKey>,
    nodes: Vec<Node>,
    lists: Vec<Entry>,
    shadowing: Vec<u32>,
}

/// The conditions of one expression that can be looked up.
struct Plan<'e> {
    terms: SmallVec<[Term<'e>; 2]>,
    /// Whether the expression has conditions that the terms do not cover.
    has_unindexed: bool,
}

/// A disjunction of values of one attribute.
struct Term<'e> {
    attribute: u32,
    keys: SmallVec<[Key<'e>; 1]>,
    /// Whether the condition is true for requests of other protocols.
    other_protocol: bool,
}

#[derive(Clone)]
struct Key<'e> {
    kind: Kind,
    text: std::borrow::Cow<'e, [u8]>,
    /// Whether the value implies that the condition is true.
    proven: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Exact,
    Prefix,
    Suffix,
    /// Anywhere in the value.
    Substring,
}

/// Expressions of a subtree, in order of rank.
type Items = SmallVec<[Item; 1]>;

/// An expression during the construction of a subtree.
#[derive(Clone, Copy)]
struct Item {
    rank: u32,
    /// Attributes whose conditions are not proven yet, as a bit set.
    unproven: u64,
    /// Attributes that no node on the path has tested, as a bit set.
    untried: u64,
}

impl Builder {
    /// Builds the index over expressions in order of rank.
    pub fn build<'e>(mut self, expressions: impl Iterator<Item = &'e Expr>) -> Index {
        let plans: Vec<Plan<'e>> = expressions.map(|expr| self.plan(expr)).collect();
        let substring =
            (0..).zip(&self.attributes).filter(|(_, key)| key.substring).fold(0, |set, (i, _)| set | 1 << i);
        let items = plans.iter().zip(0..).map(|(plan, rank)| {
            let used = plan.terms.iter().fold(0_u64, |set, term| set | 1 << term.attribute);
            // A substring match proves no condition.
            Item {
                rank,
                unproven: used & !substring | if plan.has_unindexed { UNINDEXED } else { 0 },
                untried: used,
            }
        });
        let root = self.tree(&plans, items.collect());
        Index {
            attributes: self.attributes.into(),
            nodes: self.nodes.into(),
            lists: self.lists.into(),
            root,
            shadowing: self.shadowing.into(),
        }
    }

    fn plan<'e>(&mut self, expr: &'e Expr) -> Plan<'e> {
        let mut plan = Plan { terms: SmallVec::new(), has_unindexed: false };
        for part in expr.conjuncts() {
            let substring = self.substring_term(part);
            match self.term(part) {
                Some(term) if plan.terms.iter().all(|other| other.attribute != term.attribute) => {
                    plan.terms.push(term)
                }
                _ => plan.has_unindexed = true,
            }
            if let Some(substring) = substring
                && plan.terms.iter().all(|other| other.attribute != substring.attribute)
            {
                plan.terms.push(substring);
            }
        }
        plan
    }

    /// Extracts the substrings of which a value must contain one: the literal parts of regular expressions. `None` if the
    /// condition does not require a substring, or has a more precise term.
    fn substring_term<'e>(&mut self, condition: &'e Expr) -> Option<Term<'e>> {
        let parts = match condition {
            Expr::Any(parts) => parts,
            other => std::slice::from_ref(other),
        };
        let Expr::Is(Predicate { attribute, .. }) = parts.first()? else { return None };
        let mut keys = SmallVec::new();
        let mut regex = false;
        for part in parts {
            let Expr::Is(test) = part else { return None };
            let text = match &test.op {
                Op::Regex(pattern) => {
                    regex = true;
                    pattern.substring()?
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
            keys.push(Key { kind: Kind::Substring, text: text.into(), proven: false });
        }
        if !regex {
            return None;
        }
        Some(Term { attribute: self.number(attribute, None, true)?, keys, other_protocol: false })
    }

    /// Extracts the lookup term of a condition.
    fn term<'e>(&mut self, condition: &'e Expr) -> Option<Term<'e>> {
        let parts = match condition {
            Expr::Any(parts) => parts,
            other => std::slice::from_ref(other),
        };
        let only_in = parts.iter().find_map(|part| match part {
            Expr::Is(Predicate {
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
                // One operand of a conjunction suffices for the lookup.
                Expr::All(both) => match both.first()? {
                    Expr::Is(test) => (test, false),
                    _ => return None,
                },
                _ => return None,
            };
            let mut key = key(test)?;
            key.proven &= whole;
            if *attribute.get_or_insert(&test.attribute) != &test.attribute {
                return None;
            }
            keys.push(key);
        }
        let number = self.number(attribute?, only_in.map(|text| &**text), false)?;
        Some(Term { attribute: number, keys, other_protocol: only_in.is_some() })
    }

    /// Returns the index of an attribute, adding it if it is new. The search is linear, since there are few. `None` if there
    /// are too many.
    fn number(&mut self, attribute: &Attribute, only_in: Option<&str>, substring: bool) -> Option<u32> {
        let same = |a: &AttributeKey| {
            a.substring == substring && a.attribute == *attribute && a.only_in.as_deref() == only_in
        };
        let number = self.attributes.iter().position(same).unwrap_or(self.attributes.len());
        if number == self.attributes.len() {
            if number == MAX_ATTRIBUTES {
                return None;
            }
            self.attributes.push(AttributeKey {
                attribute: attribute.clone(),
                only_in: only_in.map(Into::into),
                substring,
            });
        }
        Some(number as u32)
    }

    /// Builds the subtree of expressions in order of rank.
    fn tree(&mut self, plans: &[Plan<'_>], mut items: Items) -> NodeRef {
        // Expressions after a proven one are never reached.
        if let Some(sure) = items.iter().position(|item| item.unproven == 0)
            && sure + 1 < items.len()
        {
            self.shadowing.push(items[sure].rank);
            items.truncate(sure + 1);
        }
        let Some(first) = items.first().map(|item| item.rank) else { return NodeRef::Nothing };
        let Some(attribute) = (items.len() > MAX_LIST_LEN).then(|| self.best(plans, &items)).flatten() else {
            return self.list(&items);
        };
        let bit = 1_u64 << attribute;
        let mut buckets: AHashMap<(Kind, &[u8]), Items> = AHashMap::new();
        let mut independent = Items::new();
        let mut other_protocol = Items::new();
        for item in items {
            if item.untried & bit == 0 {
                independent.push(item);
                continue;
            }
            let next = |proven| Item {
                unproven: if proven { item.unproven & !bit } else { item.unproven },
                untried: item.untried & !bit,
                ..item
            };
            let Some(term) = plans[item.rank as usize].terms.iter().find(|term| term.attribute == attribute)
            else {
                continue;
            };
            for key in &term.keys {
                let bucket = buckets.entry((key.kind, &key.text)).or_default();
                match bucket.last_mut() {
                    // Two keys of one expression in the same bucket: what either proves is proven.
                    Some(last) if last.rank == item.rank => last.unproven &= next(key.proven).unproven,
                    _ => bucket.push(next(key.proven)),
                }
            }
            if term.other_protocol {
                other_protocol.push(next(true));
            }
        }
        let mut exact = AHashMap::new();
        let mut prefixes = Vec::new();
        let mut suffixes = Vec::new();
        let mut substring = Vec::new();
        for ((kind, text), items) in buckets {
            let next = self.tree(plans, items);
            match kind {
                Kind::Exact => drop(exact.insert(text.into(), next)),
                Kind::Prefix => prefixes.push((text, next)),
                Kind::Suffix => suffixes.push((text, next)),
                Kind::Substring => substring.push((text, next)),
            }
        }
        exact.shrink_to_fit();
        let node = Node {
            first,
            attribute,
            exact,
            prefixes: (!prefixes.is_empty()).then(|| Radix::new::<false>(prefixes)),
            suffixes: (!suffixes.is_empty()).then(|| Radix::new::<true>(suffixes)),
            substring: SubstringIndex::new(substring),
            other_protocol: self.tree(plans, other_protocol),
            independent: self.tree(plans, independent),
        };
        self.nodes.push(node);
        NodeRef::Node(self.nodes.len() as u32 - 1)
    }

    /// Chooses the attribute whose largest bucket is smallest; `None` if no attribute shortens the list.
    fn best(&self, plans: &[Plan<'_>], items: &[Item]) -> Option<u32> {
        let mut candidates = items.iter().fold(0, |set, item| set | item.untried);
        let mut best = None;
        let mut sizes: AHashMap<(Kind, &[u8]), usize> = AHashMap::new();
        while candidates != 0 {
            let attribute = candidates.trailing_zeros();
            candidates &= candidates - 1;
            sizes.clear();
            let mut testing = 0;
            for item in items.iter().filter(|item| item.untried & 1 << attribute != 0) {
                testing += 1;
                let terms = &plans[item.rank as usize].terms;
                for key in terms.iter().filter(|term| term.attribute == attribute).flat_map(|term| &term.keys)
                {
                    *sizes.entry((key.kind, &key.text)).or_default() += 1;
                }
            }
            let mut gain = testing - sizes.values().copied().max().unwrap_or(0).min(testing);
            if self.attributes[attribute as usize].substring {
                // A substring search costs as much as evaluating some expressions.
                gain = gain.saturating_sub(SUBSTRING_COST);
            }
            if gain > 0 && best.is_none_or(|(most, _)| gain > most) {
                best = Some((gain, attribute));
            }
        }
        best.map(|(_, attribute)| attribute)
    }

    fn list(&mut self, items: &[Item]) -> NodeRef {
        let entry = |item: &Item| Entry::new(item.rank, item.unproven == 0);
        if let [item] = items {
            return NodeRef::One(entry(item));
        }
        let start = self.lists.len() as u32;
        self.lists.extend(items.iter().map(entry));
        NodeRef::List { start, length: items.len() as u32 }
    }
}

/// Extracts the value that a predicate requires, if it requires a particular one.
fn key(test: &Predicate) -> Option<Key<'_>> {
    let several = matches!(test.attribute.field, Field::Header(_) | Field::Query(_));
    let proven = !several || test.attribute.any;
    let key = |kind, text: std::borrow::Cow<'static, [u8]>| Key { kind, text, proven };
    Some(match &test.op {
        Op::Text(TextOp::Equal, text) => Key { kind: Kind::Exact, text: text.as_bytes().into(), proven },
        Op::Text(TextOp::Prefix, text) => Key { kind: Kind::Prefix, text: text.as_bytes().into(), proven },
        Op::Text(TextOp::Suffix, text) => Key { kind: Kind::Suffix, text: text.as_bytes().into(), proven },
        Op::Regex(pattern) => Key { kind: Kind::Prefix, text: pattern.prefix()?.into(), proven: false },
        Op::Number(NumberOp::Equal, number) => key(Kind::Exact, number.to_be_bytes().to_vec().into()),
        Op::Address { equal: true, address } => match address {
            std::net::IpAddr::V4(address) => key(Kind::Exact, address.octets().to_vec().into()),
            std::net::IpAddr::V6(address) => key(Kind::Exact, address.octets().to_vec().into()),
        },
        _ => return None,
    })
}
