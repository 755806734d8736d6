//! Start-up warnings: one line each, in the log and from `serve --check`.

use super::{ConfigHash, ServeOptions, admin, descriptors};
use config::Loaded;
use net::ServerTls;
use plugin::UNSUPPORTED_SUFFIX;
use proxy::Listener;
use runtime::Mock;
use source::{Finding, Level};

/// Collects all warnings, in no order of importance.
pub fn at_start(serve: &ServeOptions, loaded: &Loaded) -> Vec<String> {
    let mut all = admin::warnings(&serve.admin);
    all.extend(descriptors::raise());
    all.extend(of_mocks(serve.options.mock));
    all.extend(of_certificates(serve));
    all.extend(of_suites(&serve.options.tls));
    all.extend(of_unsupported(loaded));
    all.extend(no_routes_warning(loaded));
    all
}

/// Warns of a configuration without routes.
pub fn no_routes_warning(loaded: &Loaded) -> Option<String> {
    let is_empty = loaded.state.as_ref().is_some_and(|state| state.routes.is_empty());
    is_empty.then(|| match ConfigHash::of(loaded) {
        ConfigHash::EMPTY => {
            "no configuration was given: every request is answered 404 until one arrives by POST /config"
                .to_owned()
        }
        _ => "the configuration has no routes: every request is answered 404".to_owned(),
    })
}

fn of_mocks(mock: Mock) -> Option<String> {
    let which = match mock {
        Mock::Off => return None,
        Mock::Unresolved => "upstreams whose host does not resolve are",
        Mock::All => "every upstream is",
    };
    Some(format!("--mock-upstreams: {which} replaced by a built-in echo; this is for trying things out"))
}

/// Warns of TLS listeners that use the generated self-signed certificate.
fn of_certificates(serve: &ServeOptions) -> Vec<String> {
    if !serve.options.certificates.is_empty() {
        return Vec::new();
    }
    let with_tls = |listeners: &[Listener]| {
        let tls = listeners.iter().filter(|listener| listener.tls);
        tls.map(|listener| listener.address.to_string()).collect::<Vec<_>>().join(", ")
    };
    let api = |listeners: &[Listener], certificate: &Option<_>| match certificate {
        None => with_tls(listeners),
        Some(_) => String::new(),
    };
    let admin = &serve.admin;
    [
        (with_tls(&serve.listeners), "ssl_cert", " where no SNI of the configuration matches"),
        (api(&admin.listeners, &admin.certificate), "admin_ssl_cert", ""),
        (api(&admin.status_listeners, &admin.status_certificate), "status_ssl_cert", ""),
    ]
    .into_iter()
    .filter(|(addresses, ..)| !addresses.is_empty())
    .map(|(addresses, setting, place)| {
        format!(
            "TLS on {addresses} uses a self-signed certificate made at this start{place}: set {setting} and \
             {setting}_key"
        )
    })
    .collect()
}

/// Warns of cipher suites in `ssl_ciphers` that are never negotiated.
fn of_suites(tls: &ServerTls) -> Option<String> {
    let names = tls.unsupported_suites();
    let mut warning = match names.as_slice() {
        [] if !tls.lacks_tls12_suites() => return None,
        [] => "ssl_ciphers names no suite of TLS 1.2".to_owned(),
        names => format!("ssl_ciphers: not supported, and never negotiated: {}", names.join(", ")),
    };
    if tls.lacks_tls12_suites() {
        warning += "; clients without TLS 1.3 are refused";
    }
    Some(warning)
}

/// Lists the settings that `--allow-unsupported` accepts without effect.
fn of_unsupported(loaded: &Loaded) -> Option<String> {
    let passed =
        |finding: &&Finding| finding.level == Level::Warning && finding.code.ends_with(UNSUPPORTED_SUFFIX);
    let named: Vec<String> = loaded
        .findings
        .iter()
        .filter(passed)
        .map(|finding| match finding.labels.first() {
            Some(label) => format!("{}: {}", loaded.sources.display_position(label.span), finding.message),
            None => finding.message.clone(),
        })
        .collect();
    (!named.is_empty()).then(|| format!("--allow-unsupported: accepted without effect: {}", named.join("; ")))
}
