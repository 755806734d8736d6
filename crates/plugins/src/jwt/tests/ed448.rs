//! Ed448 signatures (RFC 8032 section 5.2), which a crate of its own verifies.

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

/// Parses a key as a JWK; `None` if it is not a point of the curve.
fn key(encoded: &[u8]) -> Option<Verifier> {
    let jwk = json!({"kty": "OKP", "crv": "Ed448", "x": URL.encode(encoded)});
    Verifier::public(Algorithm::EdDsa, Some(&jwk.to_string())).ok()
}

/// RFC 8032 section 7.4: public key, message, signature.
const VECTORS: [(&str, &str, &str); 2] = [
    (
        "5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeaf\
         e8256180",
        "",
        "533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a2\
         1bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71\
         d95808ff2e652600",
    ),
    (
        "43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b\
         4c3a9480",
        "03",
        "26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037ab\
         7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d2\
         34441cf807c03a00",
    ),
];

/// Order of the base point, little-endian.
const ORDER: &str = "f34458ab92c27823558fc58d72c26c219036d6ae49db4ec4e923ca7cffffffffffffffffffffffffffffffffffffff\
                     ffffffffffffffff3f00";

#[test]
fn only_the_signatures_of_the_rfc_are_valid() {
    for (public, message, signature) in VECTORS {
        let (public, message, signature) =
            (key(&bytes(public)).expect("a key"), bytes(message), bytes(signature));
        assert!(public.verify(&message, &signature));
        assert!(!public.verify(&[&message[..], b"x"].concat(), &signature), "another message");
        for at in [0, 56, 57, 113] {
            let mut other = signature.clone();
            other[at] ^= 1;
            assert!(!public.verify(&message, &other), "bit flipped in byte {at}");
        }
        assert!(!public.verify(&message, &signature[..113]));
        assert!(!public.verify(&message, &[&signature[..], &[0]].concat()));
        assert!(!public.verify(&message, &[]));
    }
    let (_, message, signature) = VECTORS[0];
    let other = key(&bytes(VECTORS[1].0)).expect("a key");
    assert!(!other.verify(&bytes(message), &bytes(signature)), "another key");
}

#[test]
fn signatures_are_not_malleable() {
    let (public, message, signature) = VECTORS[0];
    let mut longer = bytes(signature);
    // s plus the order is the same scalar.
    let mut carry = 0;
    for (byte, order) in longer[57..].iter_mut().zip(bytes(ORDER)) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert!(!key(&bytes(public)).expect("a key").verify(&bytes(message), &longer));
}

#[test]
fn encodings_that_are_not_points_are_rejected() {
    let mut neutral_with_sign = [0; 57];
    (neutral_with_sign[0], neutral_with_sign[56]) = (1, 0x80);
    assert!(key(&neutral_with_sign).is_none(), "zero has no sign");
    let mut p = [0xff; 57];
    (p[28], p[56]) = (0xfe, 0);
    assert!(key(&p).is_none(), "y is not below p");
    assert!(key(&[0xff; 57]).is_none());
    assert!(key(b"").is_none());
    let off_curve = (2..40).filter(|y| {
        let mut encoded = [0; 57];
        encoded[0] = *y;
        key(&encoded).is_none()
    });
    assert!((5..35).contains(&off_curve.count()), "about half of all y have no x");
}

#[test]
fn a_private_key_stands_for_its_public_key() {
    // Generated with OpenSSL 3; the token was signed with it.
    let private = "-----BEGIN PRIVATE KEY-----\n\
                   MEcCAQAwBQYDK2VxBDsEOYflWTCUvQOgiaeZfSK7uCGw9kDIMTKdThXn6HGeqzZD\n\
                   vTF75AzLAR5rxKswP3CA1uAvG3pao25SdQ==\n-----END PRIVATE KEY-----\n";
    let signature = "ERXKnzoDPOG0yuKljYmMveeNrWLMef523Kh8xnDlopYp-8CPolhHzm3-qLxMfsTj8CqP6eK1jSaAsG4dOP8Y7C2giO9zLcaq\
                     H0JCTjtXghXatsK9dO_YcEY4ZLncN3SqfX5hvyUL2LaRxV20t7V0_QAA";
    let verifier = Verifier::public(Algorithm::EdDsa, Some(private)).expect("a key");
    let signature = URL.decode(signature).expect("base64url");
    assert!(verifier.verify(b"eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJpc3MxIn0", &signature));
}
