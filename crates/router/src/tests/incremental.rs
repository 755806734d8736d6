//! Incremental rebuild: after any edit, the result equals that of a full build.

use super::{
    random::{Dice, cases, mixed, request, route},
    *,
};
use crate::incremental::{IncrementalTable, RetainedRoutes};

/// Random routes that are edited.
struct Rows {
    /// Id and fields of each route.
    routes: Vec<(usize, Value)>,
    next: usize,
}

impl Rows {
    fn add(&mut self, at: usize, row: Value) {
        self.routes.insert(at, (self.next, row));
        self.next += 1;
    }

    fn edit(&mut self, dice: &mut Dice, route: &mut impl FnMut(&mut Dice) -> Value) {
        for _ in 0..=dice.roll(4) {
            let at = dice.roll(self.routes.len() + 1);
            match dice.roll(6) {
                0 | 1 => {
                    let row = route(dice);
                    self.add(at, row);
                }
                2 if at < self.routes.len() => drop(self.routes.remove(at)),
                3 if at < self.routes.len() => self.routes[at].1 = route(dice),
                4 if at < self.routes.len() => {
                    let moved = self.routes.remove(at);
                    self.routes.insert(dice.roll(self.routes.len() + 1), moved);
                }
                // A copy under another id: one shadows the other.
                5 if at < self.routes.len() => {
                    let row = self.routes[at].1.clone();
                    self.add(dice.roll(at + 1), row);
                }
                _ => {}
            }
        }
    }

    /// Creates the configuration; the service with number `off` is disabled.
    fn state(&self, off: usize, loaded: i64) -> State {
        let id = |number: usize| format!("00000000-0000-4000-8000-{number:012}");
        let mut state = State::default();
        for (number, row) in &self.routes {
            let mut whole = json!({ "id": id(*number), "service": { "id": id(number % 7) } });
            whole["created_at"] = if number % 50 == 49 { 1.into() } else { loaded.into() };
            whole.as_object_mut().unwrap().extend(row.as_object().unwrap().clone());
            state.routes.push(serde_json::from_value(whole).unwrap());
        }
        for number in 0..7 {
            let service = json!({ "id": id(number), "host": "h", "enabled": number != off });
            state.services.push(serde_json::from_value(service).unwrap());
        }
        state
    }
}

/// Number of incremental and of full builds.
#[derive(Debug, Default)]
struct BuildCounts {
    incremental: usize,
    full: usize,
}

fn check(
    flavor: Flavor,
    seed: u64,
    requests: usize,
    mut route: impl FnMut(&mut Dice) -> Value,
) -> BuildCounts {
    let rules = Rules { flavor, calculation: PriorityMode::Original };
    let mut dice = Dice(seed);
    let mut counts = BuildCounts::default();
    for table in 0..requests / 200 {
        let mut rows = Rows { routes: Vec::new(), next: 0 };
        for at in 0..[3, 12, 40, 100][table % 4] {
            let row = route(&mut dice);
            rows.add(at, row);
        }
        let mut state = rows.state(7, 100);
        let (mut incremental, errors) = IncrementalTable::build(&state, rules, false, None);
        assert!(errors.is_empty(), "{errors:?}");
        for step in 1..=10 {
            rows.edit(&mut dice, &mut route);
            let now = rows.state(dice.roll(20), 100 + step);
            let retained = RetainedRoutes::of(&state, &now);
            let (full, errors) = IncrementalTable::build(&now, rules, false, None);
            assert!(errors.is_empty(), "{errors:?}");
            incremental = match incremental.update(usize::MAX, &retained, &now) {
                Some((rebuilt, errors)) => {
                    assert!(errors.is_empty(), "{errors:?}");
                    counts.incremental += 1;
                    rebuilt
                }
                None => {
                    counts.full += 1;
                    IncrementalTable::build(&now, rules, false, Some(&incremental)).0
                }
            };
            state = now;
            for _ in 0..20 {
                let request = request(&mut dice);
                let find = |incremental: &IncrementalTable| {
                    request.with(|line, path| {
                        let found = || incremental.find(&MatchInput::of_request(line, path));
                        incremental.is_utf8(line, path).then(found).flatten()
                    })
                };
                assert_eq!(
                    find(&incremental),
                    find(&full),
                    "table {table}, step {step}: {request:?}\n{:#?}",
                    rows.routes
                );
            }
        }
    }
    counts
}

/// Asserts that both kinds of build occurred; otherwise the test proves nothing.
fn assert_both(counts: BuildCounts) {
    assert!(counts.incremental > counts.full / 10 && counts.full > 0, "{counts:?}");
}

#[test]
fn incremental_rebuild_equals_full_build() {
    assert_both(check(Flavor::TraditionalCompatible, 0x5eed_5eed_1234_9876, cases(8_000), route));
}

#[test]
fn incremental_rebuild_equals_full_build_in_flavor_traditional() {
    assert_both(check(Flavor::Traditional, 0x0bad_cafe_1357_2468, cases(8_000), route));
}

#[test]
fn incremental_rebuild_equals_full_build_with_expressions() {
    assert_both(check(Flavor::Expressions, 0x1122_3344_5566_7788, cases(8_000), mixed));
}
