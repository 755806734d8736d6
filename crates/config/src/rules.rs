//! Custom entity checks that need code: key pairs match certificates, JWKs are parsable. Plugins bring the checks of
//! their own entities.

use model::rule::pem;
use plugin::EntityRule;

/// The custom checks of this crate, by the names that schemas use.
const CHECKS: &[(&str, EntityRule)] = &[
    ("key_fits", |text| {
        let fits = pem::key_fits(&text("cert")?, &text("key")?);
        (!fits).then(|| "certificate does not match key".to_owned())
    }),
    ("key_alt_fits", |text| {
        let fits = pem::key_fits(&text("cert_alt")?, &text("key_alt")?);
        (!fits).then(|| "alternative certificate does not match key".to_owned())
    }),
    ("key_types_differ", |text| {
        pem::same_key_type(&text("cert")?, &text("cert_alt")?).then(|| {
            "certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), the \
             provided certificates were both of the same type"
                .to_owned()
        })
    }),
    ("authority", |text| pem::authority(&text("cert")?, now()).err().map(str::to_owned)),
    ("key_pair", |text| key_pair(text("public_key").as_deref(), text("private_key").as_deref())),
    ("jwk", |text| jwk(&text("jwk")?, text("kid").as_deref())),
    ("no_wasm", |_| Some("wasm support is not enabled".to_owned())),
];

/// Finds a custom check of this crate.
pub fn find(name: &str) -> Option<EntityRule> {
    CHECKS.iter().find(|(known, _)| *known == name).map(|(_, check)| *check)
}

/// Returns the Unix time in seconds.
pub fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| d.as_secs() as i64)
}

fn key_pair(public: Option<&str>, private: Option<&str>) -> Option<String> {
    use super::validator::messages::is_vault_reference;
    if public.is_some_and(is_vault_reference) || private.is_some_and(is_vault_reference) {
        return None;
    }
    if public.is_some_and(|p| !pem::is_public_key(p)) {
        return Some("could not load public key".to_owned());
    }
    if private.is_some_and(|p| !pem::is_private_key(p)) {
        return Some("could not load private key".to_owned());
    }
    let fit = public.zip(private).is_none_or(|(public, private)| pem::keys_fit(public, private));
    (!fit).then(|| "public key does not match private key".to_owned())
}

fn jwk(text: &str, kid: Option<&str>) -> Option<String> {
    let Ok(serde_json::Value::Object(jwk)) = serde_json::from_str(text) else {
        return Some("could not json decode jwk string".to_owned());
    };
    if jwk.get("kid").and_then(|k| k.as_str()) != kid {
        return Some("kid in jwk.kid must be equal to keys.kid".to_owned());
    }
    let has = |names: &[&str]| names.iter().all(|n| jwk.get(*n).is_some_and(|v| v.is_string()));
    let whole = match jwk.get("kty").and_then(|k| k.as_str()) {
        Some("RSA") => has(&["n", "e"]),
        Some("EC") => has(&["crv", "x", "y"]),
        Some("OKP") => has(&["crv", "x"]),
        Some("oct") => has(&["k"]),
        _ => false,
    };
    (!whole).then(|| "could not load JWK, likely not a valid key".to_owned())
}
