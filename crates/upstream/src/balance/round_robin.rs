//! Weighted turns: a fixed sequence in which each target has its share, spread as evenly as can be.

use std::sync::atomic::{AtomicUsize, Ordering};

/// A sequence of target numbers, walked round and round.
#[derive(Debug, Default)]
pub struct RoundRobin {
    sequence: Box<[u16]>,
    next: AtomicUsize,
}

/// Longest sequence; weights that would need more are rounded.
const LONGEST: u64 = 10_000;

impl RoundRobin {
    /// The sequence for these weights, all above 0.
    pub fn new(weights: &[u32]) -> Self {
        let divisor = weights.iter().fold(0, |a, &b| gcd(a, u64::from(b))).max(1);
        let total: u64 = weights.iter().map(|&w| u64::from(w) / divisor).sum();
        let scale = |weight: u32| {
            let share = u64::from(weight) / divisor;
            let share = if total > LONGEST { (share * LONGEST / total).max(1) } else { share };
            i64::try_from(share).unwrap_or(i64::MAX)
        };
        let shares: Vec<i64> = weights.iter().map(|&w| scale(w)).collect();
        let total: i64 = shares.iter().sum();
        // Each turn everyone gains their share, and the richest pays the whole round.
        let mut credit = vec![0_i64; shares.len()];
        let sequence = (0..total)
            .filter_map(|_| {
                for (have, share) in credit.iter_mut().zip(&shares) {
                    *have += share;
                }
                let richest = (0..credit.len()).rev().max_by_key(|&i| credit[i])?;
                credit[richest] -= total;
                u16::try_from(richest).ok()
            })
            .collect();
        RoundRobin { sequence, next: AtomicUsize::new(0) }
    }

    /// The next in turn; none if there is nobody.
    pub fn next(&self) -> Option<usize> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.sequence.get(turn % self.sequence.len().max(1)).map(|&i| usize::from(i))
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(weights: &[u32], count: usize) -> Vec<usize> {
        let order = RoundRobin::new(weights);
        (0..count).filter_map(|_| order.next()).collect()
    }

    #[test]
    fn equal_weights_take_turns() {
        assert_eq!(turns(&[100, 100], 4), [0, 1, 0, 1]);
    }

    #[test]
    fn shares_follow_weights_and_are_spread() {
        assert_eq!(turns(&[50, 10, 10], 7), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn huge_weights_keep_everyone_in() {
        let all = turns(&[65_535, 1], 20_000);
        assert!(all.contains(&1) && all.iter().filter(|&&t| t == 1).count() < 10);
    }

    #[test]
    fn nobody_has_no_turn() {
        assert_eq!(RoundRobin::new(&[]).next(), None);
    }
}
