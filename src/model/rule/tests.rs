use super::*;

fn said(name: &str, value: &str) -> Option<String> {
    rule(name).expect("a rule of that name")(value).err()
}

#[test]
fn hosts_are_told_from_addresses_and_ports() {
    assert_eq!(said("host", "a_b"), None);
    assert_eq!(said("host", "::1"), None);
    assert_eq!(said("host", "a."), None);
    assert_eq!(said("host", "a:80").as_deref(), Some("must not have a port"));
    assert_eq!(said("host", "x-.com").as_deref(), Some("invalid value: x-.com"));
    assert_eq!(said("host", "a..b").as_deref(), Some("invalid value: a..b"));
    assert_eq!(
        said("upstream_name", "1.2.3.4").as_deref(),
        Some("Invalid name ('1.2.3.4'); no ip addresses allowed")
    );
    assert_eq!(said("target", "-x"), None);
    assert!(said("target", "a:99999").is_some());
    assert!(said("target", "1.2.3.400").is_some());
    assert_eq!(said("target", "[::1]:80"), None);
}

#[test]
fn wildcards_stand_at_one_end() {
    for fine in ["*.a.com", "a.*", "x:80", "*.a.com:80", "::1"] {
        assert_eq!(said("route_host", fine), None, "{fine}");
    }
    for bad in ["a.*.com", "*a.com", "*.a.*", "a b"] {
        assert!(said("route_host", bad).is_some(), "{bad}");
    }
    assert_eq!(said("wildcard_sni", "*.x.com"), None);
}

#[test]
fn paths_are_normal_or_regular_expressions() {
    for fine in ["/a b", "~/a", "/a%2Fb", "/", "/a-b_c.d~e", "/%C3%A9"] {
        assert_eq!(said("route_path", fine), None, "{fine}");
    }
    assert_eq!(
        said("route_path", "/a/../b").as_deref(),
        Some("non-normalized path, consider use '/b' instead")
    );
    assert_eq!(said("route_path", "/%zz").as_deref(), Some("invalid url-encoded value: '%zz'"));
    assert_eq!(said("route_path", "/%41").as_deref(), Some("non-normalized path, consider use '/A' instead"));
    assert!(said("route_path", "~/(").is_some());
}
