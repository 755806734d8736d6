use super::*;

fn error(name: &str, value: &str) -> Option<String> {
    rule(name).expect("a rule of that name")(value).err()
}

#[test]
fn hosts_are_distinguished_from_addresses_and_ports() {
    assert_eq!(error("host", "a_b"), None);
    assert_eq!(error("host", "::1"), None);
    assert_eq!(error("host", "a."), None);
    assert_eq!(error("host", "a:80").as_deref(), Some("must not have a port"));
    assert_eq!(error("host", "x-.com").as_deref(), Some("invalid value: x-.com"));
    assert_eq!(error("host", "a..b").as_deref(), Some("invalid value: a..b"));
    assert_eq!(
        error("upstream_name", "1.2.3.4").as_deref(),
        Some("Invalid name ('1.2.3.4'); no ip addresses allowed")
    );
    assert_eq!(error("target", "-x"), None);
    assert!(error("target", "a:99999").is_some());
    assert!(error("target", "1.2.3.400").is_some());
    assert_eq!(error("target", "[::1]:80"), None);
}

#[test]
fn wildcards_are_allowed_at_one_end() {
    for fine in ["*.a.com", "a.*", "x:80", "*.a.com:80", "::1"] {
        assert_eq!(error("route_host", fine), None, "{fine}");
    }
    for bad in ["a.*.com", "*a.com", "*.a.*", "a b"] {
        assert!(error("route_host", bad).is_some(), "{bad}");
    }
    assert_eq!(error("wildcard_sni", "*.x.com"), None);
}

#[test]
fn paths_are_normal_or_regular_expressions() {
    for fine in ["/a b", "~/a", "/a%2Fb", "/", "/a-b_c.d~e", "/%C3%A9"] {
        assert_eq!(error("route_path", fine), None, "{fine}");
    }
    assert_eq!(
        error("route_path", "/a/../b").as_deref(),
        Some("non-normalized path, consider use '/b' instead")
    );
    assert_eq!(error("route_path", "/%zz").as_deref(), Some("invalid url-encoded value: '%zz'"));
    assert_eq!(
        error("route_path", "/%41").as_deref(),
        Some("non-normalized path, consider use '/A' instead")
    );
    assert!(error("route_path", "~/(").is_some());
}

#[test]
fn keys_are_those_that_kong_accepts() {
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
        assert_eq!((error("public_key", &file(name)), error("key", &file(name))), (None, None), "{name}");
    }
    assert_eq!(
        error("public_key", r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#).as_deref(),
        Some("invalid key")
    );
    assert_eq!(error("public_key", &file("p256-ca.pem")).as_deref(), Some("invalid key"));
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(error("key", encrypted).is_some_and(|text| text.contains("it is encrypted")));
    assert_eq!(error("public_key", encrypted).as_deref(), Some("invalid key"));
    let fits = |cert: &str, key: &str| pem::key_fits(&file(cert), &file(key));
    assert!(
        fits("rsa1024-ca.pem", "rsa1024.pkcs8.pem") && fits("rsa1024-ca.pem", "rsa1024.pkcs1-public.pem")
    );
    assert!(!fits("rsa1024-ca.pem", "rsa2048.pkcs1.pem") && !fits("p256-ca.pem", "ed25519.pkcs8.pem"));
    assert!(!pem::keys_fit(&file("rsa2048.spki.pem"), &file("rsa1024.pkcs1.pem")));
}
