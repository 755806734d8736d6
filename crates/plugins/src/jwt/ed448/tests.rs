use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).expect("hex")).collect()
}

fn key(hex: &str) -> PublicKey {
    PublicKey::new(&bytes(hex)).expect("a key")
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

#[test]
fn shake256_conforms_to_fips_202() {
    let hash = shake::shake256::<150>(&[]);
    assert_eq!(
        hash[..114],
        bytes(
            "46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762fd75dc4ddd8c0f200cb05019d67b592f6fc821c\
             49479ab48640292eacb3b7c4be141e96616fb13957692cc7edd0b45ae3dc07223c8e92937bef84bc0eab862853349ec75546f5\
             8fb7c2775c38462c5010d846"
        )[..]
    );
    assert_eq!(hash, shake::shake256::<150>(&[b"", b""]), "parts are one text");
    assert_ne!(hash, shake::shake256::<150>(&[&[0; 136]]), "a full block is followed by another");
}

#[test]
fn only_the_signatures_of_the_rfc_are_valid() {
    for (public, message, signature) in VECTORS {
        let (public, message, signature) = (key(public), bytes(message), bytes(signature));
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
    assert!(!key(VECTORS[1].0).verify(&bytes(message), &bytes(signature)), "another key");
}

#[test]
fn signatures_are_not_malleable() {
    let (public, message, signature) = VECTORS[0];
    let mut longer = bytes(signature);
    // s + L is the same scalar modulo the order.
    let mut carry = 0;
    for (i, byte) in longer[ENCODED_BYTES..].iter_mut().enumerate() {
        let order = (ORDER[i / 8] >> (8 * (i % 8))) as u8;
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    assert!(!key(public).verify(&bytes(message), &longer));
}

#[test]
fn encodings_that_are_not_points_are_rejected() {
    let key = |encoded: [u8; ENCODED_BYTES]| PublicKey::new(&encoded);
    let mut neutral_with_sign = [0; ENCODED_BYTES];
    (neutral_with_sign[0], neutral_with_sign[56]) = (1, 0x80);
    assert!(key(neutral_with_sign).is_none(), "zero has no sign");
    let mut p = [0xff; ENCODED_BYTES];
    (p[28], p[56]) = (0xfe, 0);
    assert!(key(p).is_none(), "y is not below p");
    assert!(key([0xff; ENCODED_BYTES]).is_none());
    assert!(PublicKey::new(b"").is_none());
    let off_curve = (2..40).filter(|y| {
        let mut encoded = [0; ENCODED_BYTES];
        encoded[0] = *y;
        key(encoded).is_none()
    });
    assert!((5..35).contains(&off_curve.count()), "about half of all y have no x");
}

#[test]
fn the_base_point_is_on_the_curve_and_has_its_order() {
    let order = Scalar(ORDER);
    let zero = Scalar([0; 8]);
    assert!(Point::sum_of_multiples(&order, &Point::BASE, &zero, &Point::NEUTRAL).is_neutral());
    let mut encoded = [0; ENCODED_BYTES];
    encoded.copy_from_slice(&bytes(
        "14fa30f25b790898adc8d74e2c13bdfdc4397ce61cffd33ad7c2a0051e9c78874098a36c7373ea4b62c7c9563720768824bcb66e71\
         463f6900",
    ));
    let decoded = Point::decode(&encoded).expect("a point");
    assert_eq!((decoded.x, decoded.y), (Point::BASE.x, Point::BASE.y));
}
