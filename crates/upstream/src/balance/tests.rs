//! The balancer against a model, over random sequences of selections, reports and reloads.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use http::StatusCode;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Destination, DnsOptions, Resolver, Selected, WorkerResolver};

fn upstream() -> Upstream {
    let row = json!({ "id": "00000000-0000-4000-8000-000000000001", "name": "u" });
    serde_json::from_value(row).expect("an upstream")
}

fn target(number: usize, weight: u32) -> Target {
    let row = json!({
        "id": format!("00000000-0000-4000-8000-0000000001{number:02}"),
        "target": format!("10.0.0.{number}:80"),
        "weight": weight,
        "upstream": { "id": "00000000-0000-4000-8000-000000000001" },
    });
    serde_json::from_value(row).expect("a target")
}

/// Creates the balancer of targets by number, with their weights.
fn balancer(weights: &BTreeMap<usize, u32>, previous: Option<&Balancer>) -> Arc<Balancer> {
    let rows: Vec<Target> = weights.iter().map(|(number, weight)| target(*number, *weight)).collect();
    Arc::new(Balancer::new(&upstream(), rows.iter(), previous))
}

fn resolver() -> WorkerResolver {
    WorkerResolver::new(Resolver::new(DnsOptions::default()), None)
}

/// Selects; nothing is waited for, since all targets are addresses.
fn select<'a>(
    destination: &'a Destination,
    resolver: &WorkerResolver,
    tried: &mut Tried,
) -> Option<Selected<'a>> {
    let selecting = std::pin::pin!(destination.select(resolver, None, tried));
    futures_util::FutureExt::now_or_never(selecting).expect("no name to resolve").ok()
}

fn number_of(selected: &Selected<'_>) -> usize {
    let std::net::IpAddr::V4(ip) = selected.address.ip() else { panic!("IPv4") };
    usize::from(ip.octets()[3])
}

const TARGETS: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    /// A request: its tries fail before the last one, which responds or not.
    Request { failures: usize, responds: bool },
    /// The oldest request in flight ends.
    End,
    /// A configuration with these weights; a target that is not in it is removed.
    Reload { weights: BTreeMap<usize, u32> },
}

fn weights() -> impl Strategy<Value = BTreeMap<usize, u32>> {
    prop::collection::btree_map(0..TARGETS, 0_u32..5, 0..TARGETS)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0_usize..8, any::<bool>()).prop_map(|(failures, responds)| Step::Request { failures, responds }),
        3 => Just(Step::End),
        1 => weights().prop_map(|weights| Step::Reload { weights }),
    ]
}

/// State of a target in the model.
#[derive(Clone, Debug, Default, PartialEq)]
struct Expected {
    in_flight: usize,
    counts: TryCounts,
}

fn run(first: BTreeMap<usize, u32>, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let resolver = resolver();
    let mut weights = first;
    let mut current = balancer(&weights, None);
    let mut model: BTreeMap<usize, Expected> =
        weights.keys().map(|number| (*number, Expected::default())).collect();
    // Requests in flight, with the generation of the target's state.
    let mut open: Vec<(usize, InFlight)> = Vec::new();
    for step in steps {
        match step {
            Step::Request { failures, responds } => {
                let destination = Destination::Balanced(Arc::clone(&current));
                let usable: BTreeSet<usize> =
                    weights.iter().filter(|(_, weight)| **weight > 0).map(|(number, _)| *number).collect();
                let (mut tried, mut remaining) = (Tried::default(), usable.clone());
                for attempt in 0..=failures {
                    let Some(selected) = select(&destination, &resolver, &mut tried) else {
                        prop_assert!(usable.is_empty());
                        break;
                    };
                    if remaining.is_empty() {
                        remaining.clone_from(&usable);
                    }
                    let number = number_of(&selected);
                    prop_assert!(remaining.remove(&number), "{} was tried, {:?} remain", number, remaining);
                    let expected = model.get_mut(&number).expect("in the model");
                    prop_assert_eq!(
                        selected.target.map(|target| target.state().in_flight()),
                        Some(expected.in_flight + 1)
                    );
                    if attempt < failures {
                        let (result, count) = match attempt % 2 {
                            0 => (TryResult::ConnectionFailed, &mut expected.counts.connection_failures),
                            _ => (TryResult::TimedOut, &mut expected.counts.timeouts),
                        };
                        selected.report(result);
                        *count += 1;
                        continue;
                    }
                    if responds {
                        selected.report(TryResult::Response(StatusCode::OK));
                        expected.counts.successes += 1;
                    }
                    expected.in_flight += 1;
                    open.push((number, selected.into_in_flight().expect("a balanced destination")));
                }
            }
            Step::End => {
                if !open.is_empty() {
                    let (number, guard) = open.remove(0);
                    drop(guard);
                    // `None` if the target has been removed meanwhile.
                    if let Some(expected) = model.get_mut(&number) {
                        expected.in_flight -= 1;
                    }
                }
            }
            Step::Reload { weights: next } => {
                current = balancer(&next, Some(&current));
                // A target that returns after its removal has a new state, which requests of the old one do not change.
                open.retain(|(number, _)| next.contains_key(number));
                model.retain(|number, _| next.contains_key(number));
                for number in next.keys() {
                    model.entry(*number).or_default();
                }
                weights = next;
            }
        }
        let states: BTreeMap<usize, Expected> = weights
            .keys()
            .zip(current.targets())
            .map(|(number, target)| {
                let state = target.state();
                (*number, Expected { in_flight: state.in_flight(), counts: state.try_counts() })
            })
            .collect();
        prop_assert_eq!(&states, &model);
    }
    Ok(())
}

proptest! {
    #[test]
    fn selections_reports_and_reloads_agree_with_the_model(
        first in weights(),
        steps in prop::collection::vec(step(), 1..80),
    ) {
        run(first, steps)?;
    }

    #[test]
    fn a_period_of_selections_without_retries_has_the_shares_of_the_weights(weights in weights()) {
        let balancer = balancer(&weights, None);
        let total: u32 = weights.values().sum();
        let mut shares: BTreeMap<&str, u32> = BTreeMap::new();
        for _ in 0..total {
            let target = balancer.select(None, &mut Tried::default()).expect("a target");
            *shares.entry(&*target.name).or_default() += 1;
        }
        for (number, weight) in &weights {
            let name = format!("10.0.0.{number}");
            prop_assert_eq!(shares.get(&*name).copied().unwrap_or(0), *weight);
        }
    }
}

#[test]
fn every_usable_target_is_found_among_many_that_were_tried() {
    let weights: BTreeMap<usize, u32> = (0..50).map(|number| (number, 1 + number as u32 % 7)).collect();
    let balancer = balancer(&weights, None);
    let mut tried = Tried::default();
    let names: BTreeSet<&str> =
        (0..50).filter_map(|_| balancer.select(None, &mut tried)).map(|target| &*target.name).collect();
    assert_eq!(names.len(), 50);
    assert!(balancer.select(None, &mut tried).is_some(), "all were tried: any is selected");
}

#[test]
fn a_reload_continues_the_rotation() {
    let weights = BTreeMap::from([(0, 1), (1, 1), (2, 1)]);
    let mut current = balancer(&weights, None);
    let mut names = Vec::new();
    for _ in 0..6 {
        names.push(current.select(None, &mut Tried::default()).expect("a target").name.to_string());
        current = balancer(&weights, Some(&current));
    }
    assert_eq!(names[..3], ["10.0.0.0", "10.0.0.1", "10.0.0.2"]);
    assert_eq!(names[3..], names[..3]);
}
