//! An immutable radix tree over bytes: finds all keys that are prefixes of a text. With `REVERSED`, keys and texts are
//! read from their ends, which finds suffixes.

use smallvec::SmallVec;

/// The tree; `V` is the value of a key.
#[derive(Debug)]
pub(super) struct Radix<V> {
    nodes: Box<[Node<V>]>,
    /// First bytes of the edges: those of siblings are contiguous, so that one search finds the child.
    heads: Box<[u8]>,
    /// All edges, concatenated.
    edges: Box<[u8]>,
}

/// A node: half a cache line with the values of the index.
#[derive(Debug)]
struct Node<V> {
    /// The incoming edge, if it is short: inline, it saves a cache miss.
    short: [u8; 4],
    /// Offset of the incoming edge in `edges`.
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
        let node = |edges: &mut Vec<u8>, edge: &[u8]| {
            let mut short = [0; 4];
            short.iter_mut().zip(edge).for_each(|(to, byte)| *to = *byte);
            let at = edges.len() as u32;
            edges.extend_from_slice(edge);
            Node { short, edge: at, length: edge.len() as u32, first_child: 0, children: 0, value: None }
        };
        let mut edges = Vec::new();
        let mut nodes = vec![node(&mut edges, &[])];
        let mut heads = vec![0];
        // Each item: a node, the range of its keys, and its depth in bytes, including its edge.
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
                nodes.push(node(&mut edges, &first[depth..depth + shared]));
                nodes[at].children += 1;
                range.start = end;
            }
        }
        Radix { nodes: nodes.into(), heads: heads.into(), edges: edges.into() }
    }

    /// Calls `found` with the values of all keys that the text starts (or ends) with, longest key first.
    pub fn walk<const REVERSED: bool>(&self, text: &[u8], mut found: impl FnMut(V)) {
        let mut hits: SmallVec<[V; 16]> = SmallVec::new();
        let byte = |at: usize| if REVERSED { text[text.len() - 1 - at] } else { text[at] };
        let mut node = &self.nodes[0];
        let mut depth = 0;
        loop {
            if let Some(value) = node.value {
                hits.push(value);
            }
            if depth == text.len() || node.children == 0 {
                break;
            }
            let first = node.first_child as usize;
            let heads = &self.heads[first..first + node.children as usize];
            let offset = match heads.len() {
                // Nodes rarely have more children than digits: for these a loop is faster than `memchr`.
                ..=16 => heads.iter().position(|&head| head == byte(depth)),
                _ => memchr::memchr(byte(depth), heads),
            };
            let Some(offset) = offset else { break };
            node = &self.nodes[first + offset];
            let length = node.length as usize;
            let edge = match node.short.get(..length) {
                Some(short) => short,
                None => &self.edges[node.edge as usize..][..length],
            };
            // The first byte of the edge is the head, which matches already.
            if text.len() - depth < length || (1..length).any(|at| byte(depth + at) != edge[at]) {
                break;
            }
            depth += length;
        }
        hits.into_iter().rev().for_each(&mut found);
    }

    /// Heap size in bytes.
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
