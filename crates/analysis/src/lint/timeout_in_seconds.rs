//! Times in the wrong unit.

use super::{Lint, LintContext, Report, called};
use model::Row;
use source::Level;

pub static LINT: Lint = Lint {
    code: "lint/timeout-in-seconds",
    level: Some(Level::Warning),
    summary: "a time in milliseconds looks like seconds, or one in seconds like milliseconds",
    explanation: "Timeouts of services and of Redis are in milliseconds: `read_timeout: 60` gives up after six \
            hundredths of a second. Intervals and timeouts of health checks are in seconds: `interval: \
            5000` probes once in 83 minutes. Write `60000`, and `5`.",
    bad: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', read_timeout: 60}\n",
    good: "_format_version: '3.0'\nservices:\n- {name: a, url: 'https://a.test', read_timeout: 60000}\n",
    run,
};

/// Below it a number of milliseconds is rather one of seconds.
const FEW_MILLISECONDS: f64 = 100.0;
/// Numbers of seconds that people choose, which as milliseconds would be odd.
const ROUND_SECONDS: [f64; 6] = [120.0, 180.0, 240.0, 300.0, 600.0, 900.0];
/// From it a number of seconds is rather one of milliseconds.
const MANY_SECONDS: f64 = 1000.0;

fn run(context: &LintContext<'_>, report: &mut Report<'_>) {
    let state = context.state;
    for service in state.services.rows() {
        let timeouts = [
            ("connect_timeout", service.connect_timeout),
            ("write_timeout", service.write_timeout),
            ("read_timeout", service.read_timeout),
        ];
        for (field, value) in timeouts {
            if let Some(value) = value {
                milliseconds(context, report, service, &[field], f64::from(value));
            }
        }
    }
    for plugin in context.plugins() {
        let path = ["config", "redis", "timeout"];
        if context.node(plugin, &path).is_some()
            && let Some(value) = plugin.config.json()["redis"]["timeout"].as_f64()
        {
            milliseconds(context, report, plugin, &path, value);
        }
    }
    for upstream in state.upstreams.rows() {
        let active = &upstream.healthchecks.active;
        let times: [(&[&str], Option<f64>); 3] = [
            (&["timeout"], active.timeout),
            (&["healthy", "interval"], active.healthy.interval),
            (&["unhealthy", "interval"], active.unhealthy.interval),
        ];
        for (field, value) in times {
            let Some(value) = value.filter(|v| *v >= MANY_SECONDS) else { continue };
            let path: Vec<&str> = ["healthchecks", "active"].iter().chain(field).copied().collect();
            report.at(
                context.span(upstream, &path),
                format!("{} of upstream {} is {value} seconds", field.join("."), called(upstream)),
                &format!("for {value} milliseconds write {}", value / 1000.0),
            );
        }
    }
}

/// A time in milliseconds, if it was written.
fn milliseconds<T: Row>(
    context: &LintContext<'_>,
    report: &mut Report<'_>,
    row: &T,
    path: &[&str],
    value: f64,
) {
    let few = value > 0.0 && value < FEW_MILLISECONDS || ROUND_SECONDS.contains(&value);
    if few && context.node(row, path).is_some() {
        report.at(
            context.span(row, path),
            format!("{} of {} is {value} milliseconds", path.join("."), called(row)),
            &format!("for {value} seconds write {}", value * 1000.0),
        );
    }
}
