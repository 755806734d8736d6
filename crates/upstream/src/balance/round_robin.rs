//! Smooth weighted round-robin (as in nginx), precomputed as a sequence of one period.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::Tried;

/// Cyclic sequence of target indexes, shared by all workers.
#[derive(Debug, Default)]
pub struct RoundRobin {
    sequence: Box<[u16]>,
    cursor: AtomicUsize,
}

/// Maximum length of the sequence. Weights with a longer period are rounded.
const MAX_SEQUENCE_LEN: u64 = 10_000;

impl RoundRobin {
    /// Computes the sequence for weights. `position` is where a previous sequence has arrived: reloads must not prefer the
    /// first target.
    pub fn new(weights: &[u32], position: usize) -> Self {
        RoundRobin {
            sequence: weighted_sequence(weights, MAX_SEQUENCE_LEN),
            cursor: AtomicUsize::new(position),
        }
    }

    /// Returns how many selections there were.
    pub fn position(&self) -> usize {
        self.cursor.load(Ordering::Relaxed)
    }

    /// Returns the index of the next target that was not tried; `None` if there is none.
    pub fn select(&self, tried: &Tried) -> Option<u16> {
        let len = self.sequence.len();
        if len == 0 {
            return None;
        }
        let start = self.cursor.fetch_add(1, Ordering::Relaxed) % len;
        let (passed, next) = self.sequence.split_at(start);
        if tried.is_empty() {
            return next.first().copied();
        }
        next.iter().chain(passed).copied().find(|index| !tried.contains(*index))
    }
}

/// Computes a sequence of indexes in proportion to weights. Weights whose sequence would be longer than `max_len` are rounded;
/// each index with a weight above 0 occurs at least once.
pub fn weighted_sequence(weights: &[u32], max_len: u64) -> Box<[u16]> {
    let divisor = weights.iter().fold(0, |a, &b| gcd(a, u64::from(b))).max(1);
    let total: u64 = weights.iter().map(|&w| u64::from(w) / divisor).sum();
    let scale = |weight: u32| {
        let share = u64::from(weight) / divisor;
        let share = if total > max_len { (share * max_len / total).max(share.min(1)) } else { share };
        i64::try_from(share).unwrap_or(i64::MAX)
    };
    let shares: Vec<i64> = weights.iter().map(|&w| scale(w)).collect();
    let total: i64 = shares.iter().sum();
    // In each step every target gains its share, the one with the highest current weight is selected, and the total
    // is subtracted from it.
    let mut current_weights = vec![0_i64; shares.len()];
    (0..total)
        .filter_map(|_| {
            for (current, share) in current_weights.iter_mut().zip(&shares) {
                *current += share;
            }
            let selected = (0..current_weights.len()).rev().max_by_key(|&index| current_weights[index])?;
            current_weights[selected] -= total;
            u16::try_from(selected).ok()
        })
        .collect()
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selections(weights: &[u32], count: usize) -> Vec<usize> {
        let balancer = RoundRobin::new(weights, 0);
        (0..count).filter_map(|_| balancer.select(&Tried::default()).map(usize::from)).collect()
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
    fn a_target_with_weight_0_is_never_selected() {
        assert_eq!(selections(&[0, 2, 0, 1, 0], 6), [1, 3, 1, 1, 3, 1]);
        assert!(!selections(&[65_535, 0, 1, 65_535], 20_000).contains(&1));
    }

    #[test]
    fn rounding_never_excludes_a_target() {
        let all = selections(&[65_535, 1], 20_000);
        assert!(all.contains(&1) && all.iter().filter(|&&index| index == 1).count() < 10);
    }

    #[test]
    fn without_targets_there_is_no_selection() {
        for weights in [&[][..], &[0, 0]] {
            assert_eq!(RoundRobin::new(weights, 7).select(&Tried::default()), None);
        }
    }
}
