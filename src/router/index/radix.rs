//! A radix tree over bytes that is built once: for a text it gives the entries of all keys the text
//! starts with. With `REVERSED` it reads keys and texts from their ends, and so finds suffixes.

use smallvec::SmallVec;

/// The tree; `V` is what a key leads to.
#[derive(Debug)]
pub(super) struct Radix<V> {
    nodes: Box<[Node<V>]>,
    /// First bytes of the nodes' edges, so that one search over neighbours finds the child.
    heads: Box<[u8]>,
    /// All edges, one after the other.
    edges: Box<[u8]>,
}

#[derive(Debug)]
struct Node<V> {
    edge: u32,
    length: u32,
    first_child: u32,
    children: u32,
    value: Option<V>,
}

impl<V: Copy> Radix<V> {
    /// Builds a tree. Keys must be distinct.
    pub fn new<const REVERSED: bool>(keys: Vec<(&[u8], V)>) -> Self {
        let mut keys: Vec<(Vec<u8>, V)> = keys
            .into_iter()
            .map(|(key, value)| {
                let key = if REVERSED { key.iter().rev().copied().collect() } else { key.to_vec() };
                (key, value)
            })
            .collect();
        keys.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        let mut nodes = vec![Node { edge: 0, length: 0, first_child: 0, children: 0, value: None }];
        let mut heads = vec![0];
        let mut edges = Vec::new();
        // Node, its keys, and how many of their bytes lie on the way to it, edge included.
        let mut work = vec![(0, 0..keys.len(), 0)];
        while let Some((at, mut range, depth)) = work.pop() {
            if let Some((key, value)) = keys.get(range.start)
                && key.len() == depth
                && !range.is_empty()
            {
                nodes[at].value = Some(*value);
                range.start += 1;
            }
            nodes[at].first_child = nodes.len() as u32;
            while !range.is_empty() {
                let first = &keys[range.start].0;
                let head = first[depth];
                let end = range.start + keys[range.clone()].partition_point(|(key, _)| key[depth] == head);
                let last = &keys[end - 1].0;
                let shared = first[depth..].iter().zip(&last[depth..]).take_while(|(a, b)| a == b).count();
                work.push((nodes.len(), range.start..end, depth + shared));
                heads.push(head);
                nodes.push(Node {
                    edge: edges.len() as u32,
                    length: shared as u32,
                    first_child: 0,
                    children: 0,
                    value: None,
                });
                edges.extend_from_slice(&first[depth..depth + shared]);
                nodes[at].children += 1;
                range.start = end;
            }
        }
        Radix { nodes: nodes.into(), heads: heads.into(), edges: edges.into() }
    }

    /// Calls `found` with the values of all keys that the text starts (or ends) with, longest key first.
    pub fn walk<const REVERSED: bool>(&self, text: &[u8], mut found: impl FnMut(V)) {
        let mut hits: SmallVec<[V; 16]> = SmallVec::new();
        let mut node = &self.nodes[0];
        let mut depth = 0;
        loop {
            hits.extend(node.value);
            if depth == text.len() || node.children == 0 {
                break;
            }
            let head = if REVERSED { text[text.len() - 1 - depth] } else { text[depth] };
            let first = node.first_child as usize;
            let Some(offset) = memchr::memchr(head, &self.heads[first..first + node.children as usize])
            else {
                break;
            };
            node = &self.nodes[first + offset];
            let edge = &self.edges[node.edge as usize..][..node.length as usize];
            if text.len() - depth < edge.len() {
                break;
            }
            let equal = if REVERSED {
                text[..text.len() - depth].iter().rev().zip(edge).all(|(a, b)| a == b)
            } else {
                text[depth..].starts_with(edge)
            };
            if !equal {
                break;
            }
            depth += edge.len();
        }
        hits.into_iter().rev().for_each(&mut found);
    }

    /// Bytes on the heap.
    pub fn memory(&self) -> usize {
        size_of_val(&*self.nodes) + self.heads.len() + self.edges.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_prefixes_are_found_longest_first() {
        let keys = ["", "/", "/a", "/ab", "/abc/d", "/b"];
        let tree = Radix::new::<false>(keys.iter().map(|k| k.as_bytes()).zip(0..).collect());
        let found = |text: &str| {
            let mut out = Vec::new();
            tree.walk::<false>(text.as_bytes(), |i: usize| out.push(keys[i]));
            out
        };
        assert_eq!(found("/abc/d/e"), ["/abc/d", "/ab", "/a", "/", ""]);
        assert_eq!(found("/abc/"), ["/ab", "/a", "/", ""]);
        assert_eq!(found("/c"), ["/", ""]);
        assert_eq!(found("x"), [""]);
    }

    #[test]
    fn all_suffixes_are_found_longest_first() {
        let keys = [".com", ".a.com", ".b.com"];
        let tree = Radix::new::<true>(keys.iter().map(|k| k.as_bytes()).zip(0..).collect());
        let mut out = Vec::new();
        tree.walk::<true>(b"x.a.com", |i: usize| out.push(keys[i]));
        assert_eq!(out, [".a.com", ".com"]);
    }
}
