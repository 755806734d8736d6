//! How many files and sockets this process may have open (`RLIMIT_NOFILE`).

/// Fewer than these are a warning: a request takes two, its client's connection and its upstream's.
const FEW: u64 = 4096;

/// Raises the limit as far as the system allows; the warning, if that is not far.
pub fn raise() -> Option<String> {
    warning(raised()?)
}

fn warning(limit: u64) -> Option<String> {
    (limit < FEW).then(|| {
        format!(
            "at most {limit} files and sockets may be open at a time, and a request takes two: raise the limit to \
             {FEW} or more (`ulimit -n`, LimitNOFILE= of systemd)"
        )
    })
}

/// The limit after raising it; none if there is no limit or the system does not say.
#[cfg(unix)]
fn raised() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current?;
    if maximum.is_some_and(|maximum| maximum <= current) {
        return Some(current);
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        // Some systems have a lower limit than they tell.
        Err(_) => Some(current),
    }
}

#[cfg(not(unix))]
fn raised() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_named() {
        assert!(warning(1024).is_some_and(|text| text.contains("at most 1024 files")));
        assert_eq!(warning(4096), None);
    }
}
