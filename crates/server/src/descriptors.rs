//! The limit of open file descriptors (`RLIMIT_NOFILE`).

/// Limits below this cause a warning: a request takes two descriptors, one to the client and one to the upstream.
const RECOMMENDED_MIN: u64 = 4096;

/// Raises the soft limit to the hard limit; returns a warning if that is low.
pub fn raise() -> Option<String> {
    warning(raise_limit()?)
}

fn warning(limit: u64) -> Option<String> {
    (limit < RECOMMENDED_MIN).then(|| {
        format!(
            "at most {limit} files and sockets may be open at a time, and a request takes two: raise the limit to \
             {RECOMMENDED_MIN} or more (`ulimit -n`, LimitNOFILE= of systemd)"
        )
    })
}

/// Raises the limit and returns it; `None` if there is no limit or the system does not report it.
#[cfg(unix)]
fn raise_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current?;
    if maximum.is_some_and(|maximum| maximum <= current) {
        return Some(current);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        // Some systems enforce a lower limit than they report.
        Err(_) => Some(current),
    }
}

#[cfg(not(unix))]
fn raise_limit() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_causes_a_warning() {
        assert!(warning(1024).is_some_and(|text| text.contains("at most 1024 files")));
        assert_eq!(warning(4096), None);
    }
}
