//! Options of name resolution.

use std::path::Path;

use crate::ServeError;
use config::settings::{DnsRecord, Settings};
use upstream::{DnsOptions, OrderItem, QueryType};

/// Converts the settings `dns_*`.
///
/// # Errors
/// When a hosts file other than the default does not exist.
pub fn options(settings: &Settings) -> Result<DnsOptions, ServeError> {
    let default = DnsOptions::default();
    let hosts_file = Path::new(&settings.dns_hostsfile).to_owned();
    // Small container images have no file at the default path.
    if hosts_file != default.hosts_file && !hosts_file.is_file() {
        let message = format!("there is no file `{}`", settings.dns_hostsfile);
        return Err(ServeError::Setting(settings.error("dns_hostsfile", message, None)));
    }
    let order_item = |record: &DnsRecord| match record {
        DnsRecord::Last => OrderItem::Last,
        DnsRecord::Srv => OrderItem::Type(QueryType::Srv),
        DnsRecord::A => OrderItem::Type(QueryType::A),
        DnsRecord::Aaaa => OrderItem::Type(QueryType::Aaaa),
        DnsRecord::Cname => OrderItem::Type(QueryType::Cname),
    };
    Ok(DnsOptions {
        name_servers: settings.dns_resolver.clone(),
        hosts_file,
        order: settings.dns_order.iter().map(order_item).collect(),
        valid_ttl: settings.dns_valid_ttl,
        stale_ttl: settings.dns_stale_ttl,
        cache_size: settings.dns_cache_size as usize,
        not_found_ttl: settings.dns_not_found_ttl,
        error_ttl: settings.dns_error_ttl,
        no_sync: settings.dns_no_sync,
        ..default
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use config::settings::{self, Sources};

    fn of(flags: &[(&str, &str)]) -> Result<DnsOptions, ServeError> {
        let flags = flags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (settings, issues) = settings::load(&Sources { flags, ..Sources::default() });
        assert!(issues.is_empty(), "{issues:?}");
        options(&settings)
    }

    #[test]
    fn the_defaults_of_the_settings_are_those_of_the_resolver() {
        let (of_settings, own) = (of(&[]).expect("valid"), DnsOptions::default());
        assert_eq!(format!("{of_settings:?}"), format!("{own:?}"));
    }

    #[test]
    fn every_setting_is_converted() {
        let error = of(&[("dns_hostsfile", "/nowhere/hosts")]).expect_err("no such file").to_string();
        assert_eq!(error, "--dns-hostsfile: there is no file `/nowhere/hosts`");
        let options = of(&[
            ("dns_resolver", "127.0.0.1:5353, ::1"),
            ("dns_hostsfile", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")),
            ("dns_order", "A,SRV"),
            ("dns_valid_ttl", "1"),
            ("dns_stale_ttl", "2"),
            ("dns_cache_size", "3"),
            ("dns_not_found_ttl", "4"),
            ("dns_error_ttl", "5"),
            ("dns_no_sync", "on"),
        ])
        .expect("valid");
        let shown = format!("{options:?}");
        for part in [
            "name_servers: [127.0.0.1:5353, [::1]:53]",
            "Cargo.toml\"",
            "order: [Type(A), Type(Srv)], valid_ttl: Some(1s), stale_ttl: 2s, cache_size: 3, not_found_ttl: 4s, \
             error_ttl: 5s, no_sync: true",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}
