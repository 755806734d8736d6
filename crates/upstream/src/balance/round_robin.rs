//! Smooth weighted round-robin (as in nginx), precomputed as a sequence of one period.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Cyclic sequence of target indexes, shared by all workers.
#[derive(Debug, Default)]
pub struct RoundRobin {
    sequence: Box<[u16]>,
    cursor: AtomicUsize,
}

/// Maximum length of the sequence. Weights with a longer period are rounded.
const MAX_SEQUENCE_LEN: u64 = 10_000;

impl RoundRobin {
    /// Computes the sequence for weights, which must be above 0.
    pub fn new(weights: &[u32]) -> Self {
        let divisor = weights.iter().fold(0, |a, &b| gcd(a, u64::from(b))).max(1);
        let total: u64 = weights.iter().map(|&w| u64::from(w) / divisor).sum();
        let scale = |weight: u32| {
            let share = u64::from(weight) / divisor;
            let share =
                if total > MAX_SEQUENCE_LEN { (share * MAX_SEQUENCE_LEN / total).max(1) } else { share };
            i64::try_from(share).unwrap_or(i64::MAX)
        };
        let shares: Vec<i64> = weights.iter().map(|&w| scale(w)).collect();
        let total: i64 = shares.iter().sum();
        // In each step every target gains its share, the one with the highest current weight is selected, and the total
        // is subtracted from it.
        let mut current_weights = vec![0_i64; shares.len()];
        let sequence = (0..total)
            .filter_map(|_| {
                for (current, share) in current_weights.iter_mut().zip(&shares) {
                    *current += share;
                }
                let selected =
                    (0..current_weights.len()).rev().max_by_key(|&index| current_weights[index])?;
                current_weights[selected] -= total;
                u16::try_from(selected).ok()
            })
            .collect();
        RoundRobin { sequence, cursor: AtomicUsize::new(0) }
    }

    /// Returns the index of the next target; `None` if there are none.
    pub fn next(&self) -> Option<usize> {
        let position = self.cursor.fetch_add(1, Ordering::Relaxed);
        self.sequence.get(position % self.sequence.len().max(1)).map(|&index| usize::from(index))
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selections(weights: &[u32], count: usize) -> Vec<usize> {
        let balancer = RoundRobin::new(weights);
        (0..count).filter_map(|_| balancer.next()).collect()
    }

    #[test]
    fn equal_weights_alternate() {
        assert_eq!(selections(&[100, 100], 4), [0, 1, 0, 1]);
    }

    #[test]
    fn selections_follow_weights_and_are_interleaved() {
        assert_eq!(selections(&[50, 10, 10], 7), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn rounding_never_excludes_a_target() {
        let all = selections(&[65_535, 1], 20_000);
        assert!(all.contains(&1) && all.iter().filter(|&&index| index == 1).count() < 10);
    }

    #[test]
    fn without_targets_there_is_no_selection() {
        assert_eq!(RoundRobin::new(&[]).next(), None);
    }
}
