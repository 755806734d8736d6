//! The cache against a model, over random sequences of lookups, changes of records and time.

use hickory_resolver::proto::{op::ResponseCode, rr::RecordType};
use proptest::prelude::*;

use super::{
    server::{Reply, addresses},
    *,
};

const NAMES: [&str; 3] = ["a.test", "b.test", "c.test"];
const WORKERS: usize = 3;
/// Unit of time: longer than a sequence takes.
const UNIT: Duration = Duration::from_secs(100);
/// Lifetimes in units.
const TTL: u32 = 3;
const STALE_TTL: u32 = 5;
const NOT_FOUND_TTL: u32 = 2;
const ERROR_TTL: u32 = 1;

/// What the server knows of a name.
#[derive(Clone, Copy, Debug)]
enum Zone {
    Address(u8),
    NotFound,
    Failing,
}

#[derive(Clone, Debug)]
enum Step {
    Change { name: usize, to: Zone },
    Resolve { worker: usize, name: usize },
    Pass { units: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    let zone = prop_oneof![any::<u8>().prop_map(Zone::Address), Just(Zone::NotFound), Just(Zone::Failing)];
    prop_oneof![
        1 => (0..NAMES.len(), zone).prop_map(|(name, to)| Step::Change { name, to }),
        4 => (0..WORKERS, 0..NAMES.len()).prop_map(|(worker, name)| Step::Resolve { worker, name }),
        2 => (1_u32..7).prop_map(|units| Step::Pass { units }),
    ]
}

/// Cached answer of the model: an address or none.
#[derive(Clone, Copy, Debug)]
struct Cached {
    address: Option<u8>,
    expires_at: u32,
    usable_until: u32,
}

/// Returns the answer of a lookup at `now`.
fn answer(zone: Zone, previous: Option<Cached>, now: u32) -> Cached {
    match (zone, previous) {
        (Zone::Address(n), _) => {
            Cached { address: Some(n), expires_at: now + TTL, usable_until: now + TTL + STALE_TTL }
        }
        (Zone::Failing, Some(Cached { address: Some(n), usable_until, .. })) if now < usable_until => {
            Cached { address: Some(n), expires_at: usable_until.min(now + ERROR_TTL), usable_until }
        }
        (Zone::Failing, _) => {
            Cached { address: None, expires_at: now + ERROR_TTL, usable_until: now + ERROR_TTL }
        }
        (Zone::NotFound, _) => {
            Cached { address: None, expires_at: now + NOT_FOUND_TTL, usable_until: now + NOT_FOUND_TTL }
        }
    }
}

async fn run(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let conf = file("options timeout:60 attempts:1\n");
    let rig = Rig::with(|options| {
        options.resolv_conf = conf.path().to_owned();
        options.valid_ttl = Some(TTL * UNIT);
        options.stale_ttl = STALE_TTL * UNIT;
        options.not_found_ttl = NOT_FOUND_TTL * UNIT;
        options.error_ttl = ERROR_TTL * UNIT;
    })
    .await;
    let workers: Vec<_> = (0..WORKERS).map(|_| rig.worker()).collect();
    let (mut now, mut queries) = (0, 0);
    let mut zones = [Zone::NotFound; NAMES.len()];
    let mut cache = [None::<Cached>; NAMES.len()];
    for step in steps {
        match step {
            Step::Pass { units } => {
                now += units;
                pass(units * UNIT).await;
            }
            Step::Change { name, to } => {
                zones[name] = to;
                match to {
                    Zone::Address(n) => {
                        let ip = format!("10.0.0.{n}");
                        rig.server.set(NAMES[name], RecordType::A, addresses(1, &[&ip]));
                    }
                    Zone::NotFound => rig.server.remove(NAMES[name]),
                    Zone::Failing => {
                        rig.server.set(NAMES[name], RecordType::A, Reply::Code(ResponseCode::ServFail));
                    }
                }
            }
            Step::Resolve { worker, name } => {
                let previous = cache[name];
                let is_fresh = previous.is_some_and(|cached| now < cached.expires_at);
                let stale = previous.filter(|cached| cached.address.is_some() && now < cached.usable_until);
                if !is_fresh {
                    cache[name] = Some(answer(zones[name], previous, now));
                    queries += 1;
                }
                // A stale answer is used once more, and the new one by the next request.
                let expected = stale.or(cache[name]).and_then(|cached| cached.address);
                let entry = rig.process.entry(NAMES[name]);
                let end = entry.flight_end();
                let resolved = workers[worker].resolve(NAMES[name], 80).await.ok();
                if !is_fresh && stale.is_some() {
                    end.await;
                }
                let expected = expected.map(|n| SocketAddr::from(([10, 0, 0, n], 80)));
                prop_assert_eq!(resolved, expected);
            }
        }
        prop_assert_eq!(rig.server.queries().len(), queries);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn the_cache_behaves_as_its_model(steps in prop::collection::vec(step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(run(steps))?;
    }
}
