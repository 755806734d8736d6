//! How the query of a request is logged: it may contain credentials.

use super::{Escape, variable::HIDDEN};

/// How queries are logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueryLogging {
    /// Names of arguments, with `***` in place of values: `?api_key=***&page=***`. A plugin may read a credential from
    /// any argument, so that no list of names is complete.
    #[default]
    Names,
    /// As the client sent it.
    Full,
    /// Not at all.
    Off,
}

/// Appends a query after `separator`.
pub fn push_query(
    query: Option<&str>,
    logging: QueryLogging,
    separator: Option<u8>,
    escape: Escape,
    line: &mut Vec<u8>,
) {
    let Some(query) = query else { return };
    match logging {
        QueryLogging::Off => {}
        QueryLogging::Full => {
            line.extend(separator);
            escape.push(query.as_bytes(), line);
        }
        QueryLogging::Names => {
            line.extend(separator);
            for (at, argument) in query.split('&').enumerate() {
                if at > 0 {
                    line.push(b'&');
                }
                match argument.split_once('=') {
                    Some((name, _)) => {
                        escape.push(name.as_bytes(), line);
                        line.push(b'=');
                        line.extend_from_slice(HIDDEN);
                    }
                    // The argument as a whole may be the credential.
                    None if !argument.is_empty() => line.extend_from_slice(HIDDEN),
                    None => {}
                }
            }
        }
    }
}
