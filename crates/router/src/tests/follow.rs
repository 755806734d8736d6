//! Routers that follow a configuration: after any edit they answer as one built anew.

use super::{
    random::{Dice, cases, mixed, request, route},
    *,
};
use crate::live::{Kept, Live};

/// A random table under edit.
struct Rows {
    /// Id and rest of each route.
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
                // The same again under another id: one hides the other.
                5 if at < self.routes.len() => {
                    let row = self.routes[at].1.clone();
                    self.add(dice.roll(at + 1), row);
                }
                _ => {}
            }
        }
    }

    /// The configuration; `off` is the service that is disabled.
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

/// How often a table was followed, and how often built anew.
#[derive(Debug, Default)]
struct Ways {
    followed: usize,
    anew: usize,
}

fn check(flavor: Flavor, seed: u64, requests: usize, mut route: impl FnMut(&mut Dice) -> Value) -> Ways {
    let rules = Rules { flavor, calculation: Calculation::Original };
    let mut dice = Dice(seed);
    let mut ways = Ways::default();
    for table in 0..requests / 200 {
        let mut rows = Rows { routes: Vec::new(), next: 0 };
        for at in 0..[3, 12, 40, 100][table % 4] {
            let row = route(&mut dice);
            rows.add(at, row);
        }
        let mut state = rows.state(7, 100);
        let (mut live, errors) = Live::build(&state, rules, false, None);
        assert!(errors.is_empty(), "{errors:?}");
        for step in 1..=10 {
            rows.edit(&mut dice, &mut route);
            let now = rows.state(dice.roll(20), 100 + step);
            let kept = Kept::of(&state, &now);
            let (anew, errors) = Live::build(&now, rules, false, None);
            assert!(errors.is_empty(), "{errors:?}");
            live = match live.update(usize::MAX, &kept, &now) {
                Some((followed, errors)) => {
                    assert!(errors.is_empty(), "{errors:?}");
                    ways.followed += 1;
                    followed
                }
                None => {
                    ways.anew += 1;
                    Live::build(&now, rules, false, Some(&live)).0
                }
            };
            state = now;
            for _ in 0..20 {
                let asking = request(&mut dice);
                let find = |live: &Live| {
                    asking.with(|line, path| {
                        let found = || live.find(&View::of_request(line, path));
                        live.readable(line, path).then(found).flatten()
                    })
                };
                assert_eq!(
                    find(&live),
                    find(&anew),
                    "table {table}, step {step}: {asking:?}\n{:#?}",
                    rows.routes
                );
            }
        }
    }
    ways
}

/// Both ways must have been taken, or the test has shown nothing.
fn both(ways: Ways) {
    assert!(ways.followed > ways.anew / 10 && ways.anew > 0, "{ways:?}");
}

#[test]
fn a_router_that_follows_edits_answers_as_one_built_anew() {
    both(check(Flavor::TraditionalCompatible, 0x5eed_5eed_1234_9876, cases(8_000), route));
}

#[test]
fn a_router_that_follows_edits_answers_as_one_built_anew_before_kong_3() {
    both(check(Flavor::Traditional, 0x0bad_cafe_1357_2468, cases(8_000), route));
}

#[test]
fn a_router_that_follows_edits_answers_as_one_built_anew_with_expressions() {
    both(check(Flavor::Expressions, 0x1122_3344_5566_7788, cases(8_000), mixed));
}
