use std::{sync::Barrier, thread};

use super::*;

fn text(registry: &Registry) -> String {
    let mut exposition = Exposition::default();
    registry.write(&mut exposition);
    exposition.into_text()
}

/// Runs `work` on a thread that is the worker of that number.
fn on_worker<'s>(scope: &'s thread::Scope<'s, '_>, number: usize, work: impl FnOnce() + Send + 's) {
    scope.spawn(move || {
        set_worker(number);
        work();
    });
}

const MILLISECONDS: Buckets = Buckets { bounds: &[1_000, 2_500, 10_000], scale: 1_000 };

#[test]
fn values_of_all_threads_are_summed() {
    let registry = Registry::new(3);
    let requests = registry.counter("requests_total", "Requests", &["status"]).unwrap();
    let open = registry.gauge("open", "Connections", &[]).unwrap();
    let (requests, open) = (requests.with(&["200"]), open.with(&[]));
    let start = Barrier::new(8);
    thread::scope(|scope| {
        // Three workers have cells of their own; two more, and threads that are no workers, share one.
        for number in 0..5 {
            on_worker(scope, number, || {
                start.wait();
                (0..1000).for_each(|_| requests.increment());
                open.add(10);
            });
        }
        for _ in 0..3 {
            scope.spawn(|| {
                start.wait();
                (0..1000).for_each(|_| requests.increment());
                open.add(-20);
            });
        }
    });
    assert_eq!((requests.value(), open.value()), (8000, -10));
    let expected = "# HELP open Connections\n# TYPE open gauge\nopen -10\n\
        # HELP requests_total Requests\n# TYPE requests_total counter\nrequests_total{status=\"200\"} 8000\n";
    assert_eq!(text(&registry), expected);
}

#[test]
fn a_histogram_has_cumulative_buckets_in_the_unit_of_the_metric() {
    let registry = Registry::new(1);
    let family = registry.histogram("wait_ms", "Wait", &["path"], MILLISECONDS).unwrap();
    let wait = family.with(&["/a"]);
    // A value at a bound belongs to its bucket.
    for value in [0, 999, 1_000, 1_001, 2_500, 9_999, 10_001, 3_000_000] {
        wait.observe(value);
    }
    assert_eq!(wait.count(), 8);
    let expected = "# HELP wait_ms Wait\n# TYPE wait_ms histogram\n\
        wait_ms_bucket{path=\"/a\",le=\"1\"} 3\n\
        wait_ms_bucket{path=\"/a\",le=\"2.5\"} 5\n\
        wait_ms_bucket{path=\"/a\",le=\"10\"} 6\n\
        wait_ms_bucket{path=\"/a\",le=\"+Inf\"} 8\n\
        wait_ms_sum{path=\"/a\"} 3025.5\n\
        wait_ms_count{path=\"/a\"} 8\n";
    assert_eq!(text(&registry), expected);
}

#[test]
fn help_and_label_values_are_escaped() {
    let registry = Registry::new(1);
    let family = registry.counter("c", "a \\ \"b\"\nc", &["l", "m"]).unwrap();
    family.with(&["q\" b\\ n\n é", ""]).increment();
    let expected = "# HELP c a \\\\ \"b\"\\nc\n# TYPE c counter\nc{l=\"q\\\" b\\\\ n\\n é\"} 1\n";
    assert_eq!(text(&registry), expected);
}

#[test]
fn a_full_family_drops_unused_series_and_counts_the_rest_in_one() {
    let registry = Registry::with_max_series(1, 2);
    let family = registry.counter("c", "", &["l"]).unwrap();
    family.with(&["unused"]).increment();
    let (a, b) = (family.with(&["a"]), family.with(&["b"]));
    a.increment();
    b.increment();
    for value in ["x", "y"] {
        family.with(&[value]).increment();
    }
    family.with(&["a"]).increment();
    let text = text(&registry);
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(samples, ["c{l=\"a\"} 2", "c{l=\"b\"} 1", "c{l=\"other\"} 2"]);
}

#[test]
fn a_long_label_value_is_cut() {
    let registry = Registry::new(1);
    let family = registry.counter("c", "", &["l"]).unwrap();
    family.with(&["é".repeat(1000).as_str()]).increment();
    assert!(text(&registry).ends_with(&format!("c{{l=\"{}\"}} 1\n", "é".repeat(MAX_LABEL_BYTES / 2))));
}

#[test]
fn a_name_belongs_to_one_metric() {
    let registry = Registry::new(1);
    let first = registry.counter("c", "help", &["l"]).unwrap();
    first.with(&["a"]).increment();
    let again = registry.counter("c", "the text of the first one stays", &["l"]).unwrap();
    assert_eq!(again.with(&["a"]).value(), 1);
    assert!(matches!(registry.counter("c", "", &["m"]), Err(RegisterError::Conflict(_))));
    assert!(matches!(registry.gauge("c", "", &["l"]), Err(RegisterError::Conflict(_))));
    for name in ["", "1a", "a-b", "é"] {
        assert!(matches!(registry.counter(name, "", &[]), Err(RegisterError::Name(_))), "{name}");
    }
    for label in ["", "a:b", "le", "__name__"] {
        assert!(matches!(registry.counter("d", "", &[label]), Err(RegisterError::Label(_))), "{label}");
    }
}
