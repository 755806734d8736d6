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

#[test]
fn keys_are_what_kong_reads() {
    let file = |name: &str| {
        let path = format!("{}/../../tests/fixtures/keys/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a fixture")
    };
    for name in [
        "rsa1024.spki.pem",
        "rsa1024.pkcs1-public.pem",
        "rsa1024.pkcs1.pem",
        "p256.sec1.pem",
        "ed25519.pkcs8.pem",
    ] {
        assert_eq!((said("public_key", &file(name)), said("key", &file(name))), (None, None), "{name}");
    }
    assert_eq!(
        said("public_key", r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#).as_deref(),
        Some("invalid key")
    );
    assert_eq!(said("public_key", &file("p256-ca.pem")).as_deref(), Some("invalid key"));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(said("key", encrypted).is_some_and(|text| text.contains("it is encrypted")));
    assert_eq!(said("public_key", encrypted).as_deref(), Some("invalid key"));
    let fits = |cert: &str, key: &str| pem::key_fits(&file(cert), &file(key));
    assert!(
        fits("rsa1024-ca.pem", "rsa1024.pkcs8.pem") && fits("rsa1024-ca.pem", "rsa1024.pkcs1-public.pem")
    );
    assert!(!fits("rsa1024-ca.pem", "rsa2048.pkcs1.pem") && !fits("p256-ca.pem", "ed25519.pkcs8.pem"));
    assert!(!pem::keys_fit(&file("rsa2048.spki.pem"), &file("rsa1024.pkcs1.pem")));
}
