//! Storage format of credentials: Kong's password hashes, and their verification.

use std::num::NonZeroU32;

use aws_lc_rs::{digest, pbkdf2};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use uuid::Uuid;

use super::vault;
use model::{State, rule::pem};

/// Transforms rows for storage unless a file has `_transform: false`: hashes passwords and computes digests.
pub(super) fn transform(state: &mut State) {
    state.basicauth_credentials.change(|row| {
        row.password = password(&row.password, &row.consumer.id.to_string());
    });
    state.ca_certificates.change(|row| row.cert_digest = pem::digest(&row.cert));
    state.oauth2_credentials.change(|row| {
        if row.hash_secret {
            row.client_secret = client_secret(&row.client_secret);
        }
    });
}

/// Transforms the displayed rows by copying the values computed for the served ones, since hashes are salted;
/// vault references remain.
pub(super) fn transform_displayed(written: &State, served: &State) -> State {
    let mut displayed = written.clone();
    let own = |text: &str| vault::is_reference(text);
    displayed.basicauth_credentials.change(|row| {
        if let Some(ix) = served.basicauth_credentials.by_id(row.id).filter(|_| !own(&row.password)) {
            row.password.clone_from(&served.basicauth_credentials[ix].password);
        }
    });
    displayed.ca_certificates.change(|row| {
        if let Some(ix) = served.ca_certificates.by_id(row.id) {
            row.cert_digest.clone_from(&served.ca_certificates[ix].cert_digest);
        }
    });
    displayed.oauth2_credentials.change(|row| {
        if let Some(ix) = served.oauth2_credentials.by_id(row.id).filter(|_| !own(&row.client_secret)) {
            row.client_secret.clone_from(&served.oauth2_credentials[ix].client_secret);
        }
    });
    displayed
}

/// Verifies a basic-auth password of a consumer.
pub fn is_password(plain: &str, consumer: &str, stored: &str) -> bool {
    stored == password(plain, consumer)
}

/// Verifies an OAuth 2.0 client secret with the salt and parameters of its stored form.
pub fn is_client_secret(plain: &str, stored: &str) -> bool {
    let verified = || {
        let mut parts = stored.strip_prefix("$pbkdf2-sha512$")?.split('$');
        let (parameters, salt, hash) = (parts.next()?, parts.next()?, parts.next()?);
        let parameter = |name: &str| parameters.split(',').find_map(|p| p.strip_prefix(name));
        // The iteration count comes from stored data: more than a hundred times Kong's own is rejected.
        let rounds =
            NonZeroU32::new(parameter("i=")?.parse().ok()?).filter(|n| n.get() <= 100 * ROUNDS.get())?;
        let (salt, hash) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(hash).ok()?);
        pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA512, rounds, &salt, plain.as_bytes(), &hash).ok()
    };
    verified().is_some()
}

/// Returns the lower-case hex SHA-1 of password and consumer id.
fn password(plain: &str, consumer: &str) -> String {
    use std::fmt::Write as _;
    let text = format!("{plain}{consumer}");
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    hash.as_ref().iter().fold(String::with_capacity(40), |mut out, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Kong's iteration count.
const ROUNDS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9_999);

/// Hashes a client secret: `$pbkdf2-sha512$i=10000,l=32$<salt>$<hash>`, with a random 16-byte salt.
fn client_secret(plain: &str) -> String {
    let salt = *Uuid::new_v4().as_bytes();
    let mut hash = [0; 32];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA512, ROUNDS, &salt, plain.as_bytes(), &mut hash);
    format!(
        "$pbkdf2-sha512$i={ROUNDS},l=32${}${}",
        STANDARD_NO_PAD.encode(salt),
        STANDARD_NO_PAD.encode(hash)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_value_verifies_against_its_stored_form() {
        let consumer = Uuid::new_v4().to_string();
        assert!(is_password("s", &consumer, &password("s", &consumer)));
        assert!(!is_password("t", &consumer, &password("s", &consumer)));
        let stored = client_secret("s");
        assert!(is_client_secret("s", &stored) && !is_client_secret("t", &stored));
        for broken in
            ["", "s", "$pbkdf2-sha512$", "$pbkdf2-sha512$i=4294967295,l=32$AA$AA", "$pbkdf2-sha512$i=0$AA$AA"]
        {
            assert!(!is_client_secret("s", broken), "{broken}");
        }
    }
}
