//! Verification of Ed448 signatures (RFC 8032 section 5.2), which `EdDSA` tokens may use (RFC 8037) and aws-lc does
//! not support. There is no signing. All inputs are public, so that the arithmetic need not be constant-time. Field
//! arithmetic is in `field`, the hash function in `shake`.

mod field;
mod shake;

use field::Element;

/// Length in bytes of a key, and of each half of a signature.
const ENCODED_BYTES: usize = 57;

/// Order of the base point, in 64-bit limbs, least significant first.
const ORDER: [u64; 8] = [
    0x2378_c292_ab58_44f3,
    0x216c_c272_8dc5_8f55,
    0xc44e_db49_aed6_3690,
    0xffff_ffff_7cca_23e9,
    0xffff_ffff_ffff_ffff,
    0xffff_ffff_ffff_ffff,
    0x3fff_ffff_ffff_ffff,
    0,
];

/// A public key.
#[derive(Debug)]
pub struct PublicKey {
    encoded: [u8; ENCODED_BYTES],
    point: Point,
}

impl PublicKey {
    /// Decodes a key (RFC 8032 section 5.2.5); `None` if it is not a point of the curve.
    pub fn new(encoded: &[u8]) -> Option<Self> {
        let encoded: [u8; ENCODED_BYTES] = encoded.try_into().ok()?;
        Some(PublicKey { point: Point::decode(&encoded)?, encoded })
    }

    /// Returns whether this is a valid signature of the message.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some((r, s)) = signature.split_at_checked(ENCODED_BYTES) else { return false };
        let (Ok(r), Ok(s)) = (r.try_into(), <&[u8; ENCODED_BYTES]>::try_from(s)) else { return false };
        let Some(commitment) = Point::decode(r) else { return false };
        let s = Scalar::from_bytes(s);
        if !s.is_reduced() {
            return false;
        }
        // dom4: no prehash, no context.
        let challenge = shake::shake256::<114>(&[b"SigEd448\0\0", r, &self.encoded, message]);
        let k = Scalar::reduced(&challenge);
        // Check s·B = R + k·A, multiplied by the cofactor 4.
        let difference =
            Point::sum_of_multiples(&s, &Point::BASE, &k, &self.point.negated()).plus(&commitment.negated());
        difference.doubled().doubled().is_neutral()
    }
}

/// A number below 2^512, in 64-bit limbs, least significant first.
struct Scalar([u64; 8]);

impl Scalar {
    fn from_bytes(bytes: &[u8; ENCODED_BYTES]) -> Self {
        let mut digits = [0; 8];
        for (i, byte) in bytes.iter().enumerate() {
            digits[i / 8] |= u64::from(*byte) << (8 * (i % 8));
        }
        Scalar(digits)
    }

    /// Reduces a little-endian number of any length modulo the order.
    fn reduced(bytes: &[u8]) -> Self {
        let mut rest = Scalar([0; 8]);
        for bit in (0..8 * bytes.len()).rev() {
            let mut carry = u64::from(bytes[bit / 8] >> (bit % 8) & 1);
            for digit in &mut rest.0 {
                let out = *digit >> 63;
                *digit = *digit << 1 | carry;
                carry = out;
            }
            if !rest.is_reduced() {
                rest.subtract_order();
            }
        }
        rest
    }

    fn is_reduced(&self) -> bool {
        self.0.iter().rev().lt(ORDER.iter().rev())
    }

    fn subtract_order(&mut self) {
        let mut borrow = false;
        for (digit, order) in self.0.iter_mut().zip(ORDER) {
            let (less, first) = digit.overflowing_sub(order);
            let (less, second) = less.overflowing_sub(u64::from(borrow));
            (*digit, borrow) = (less, first || second);
        }
    }

    fn bit(&self, at: usize) -> bool {
        self.0[at / 64] >> (at % 64) & 1 == 1
    }
}

/// A point of the curve x² + y² = 1 + d·x²·y², d = -39081, in projective coordinates X/Z and Y/Z.
#[derive(Clone, Debug)]
struct Point {
    x: Element,
    y: Element,
    z: Element,
}

/// The curve constant -d.
const MINUS_D: u64 = 39_081;

impl Point {
    const NEUTRAL: Point = Point { x: Element::ZERO, y: Element::ONE, z: Element::ONE };

    /// The base point (RFC 8032 section 5.2).
    const BASE: Point = Point {
        x: Element([
            0x26_a82b_c70c_c05e,
            0x80_e18b_0093_8e26,
            0xf7_2ab6_6511_433b,
            0xa3_d3a4_6412_ae1a,
            0x0f_1767_ea6d_e324,
            0x36_da9e_1465_7047,
            0xed_221d_15a6_22bf,
            0x4f_1970_c66b_ed0d,
        ]),
        y: Element([
            0x08_795b_f230_fa14,
            0x13_2c4e_d7c8_ad98,
            0x1c_e67c_39c4_fdbd,
            0x05_a0c2_d73a_d3ff,
            0xa3_9840_8778_9c1e,
            0xc7_624b_ea73_736c,
            0x24_8876_2037_56c9,
            0x69_3f46_716e_b6bc,
        ]),
        z: Element::ONE,
    };

    /// Decodes a point (section 5.2.3): y in 56 bytes, then the sign of x in the highest bit.
    fn decode(bytes: &[u8; ENCODED_BYTES]) -> Option<Self> {
        let [low @ .., sign] = bytes;
        if sign & 0x7f != 0 {
            return None;
        }
        let y = Element::from_bytes(low)?;
        let yy = y.squared();
        let u = yy.minus(&Element::ONE);
        let v = Element::ZERO.minus(&yy.times_small(MINUS_D)).minus(&Element::ONE);
        let u3v = u.squared().times(&u).times(&v);
        let x = u3v.times(&u3v.times(&u.squared()).times(&v.squared()).pow_p_minus_3_over_4());
        if x.squared().times(&v) != u {
            return None;
        }
        let wanted = sign >> 7 == 1;
        if x == Element::ZERO && wanted {
            return None;
        }
        let x = if x.is_odd() == wanted { x } else { Element::ZERO.minus(&x) };
        Some(Point { x, y, z: Element::ONE })
    }

    /// Adds two points (section 5.2.4).
    fn plus(&self, other: &Point) -> Point {
        let a = self.z.times(&other.z);
        let b = a.squared();
        let c = self.x.times(&other.x);
        let d = self.y.times(&other.y);
        let minus_e = c.times(&d).times_small(MINUS_D);
        let (f, g) = (b.plus(&minus_e), b.minus(&minus_e));
        let h = self.x.plus(&self.y).times(&other.x.plus(&other.y));
        Point {
            x: a.times(&f).times(&h.minus(&c).minus(&d)),
            y: a.times(&g).times(&d.minus(&c)),
            z: f.times(&g),
        }
    }

    /// Doubles a point (section 5.2.4).
    fn doubled(&self) -> Point {
        let b = self.x.plus(&self.y).squared();
        let (c, d) = (self.x.squared(), self.y.squared());
        let e = c.plus(&d);
        let h = self.z.squared();
        let j = e.minus(&h).minus(&h);
        Point { x: b.minus(&e).times(&j), y: e.times(&c.minus(&d)), z: e.times(&j) }
    }

    fn negated(&self) -> Point {
        Point { x: Element::ZERO.minus(&self.x), y: self.y.clone(), z: self.z.clone() }
    }

    /// Computes s·P + k·Q for scalars below 2^446.
    fn sum_of_multiples(s: &Scalar, p: &Point, k: &Scalar, q: &Point) -> Point {
        let both = p.plus(q);
        let mut sum = Point::NEUTRAL;
        for at in (0..446).rev() {
            sum = sum.doubled();
            match (s.bit(at), k.bit(at)) {
                (true, true) => sum = sum.plus(&both),
                (true, false) => sum = sum.plus(p),
                (false, true) => sum = sum.plus(q),
                (false, false) => {}
            }
        }
        sum
    }

    fn is_neutral(&self) -> bool {
        self.x == Element::ZERO && self.y == self.z
    }
}

#[cfg(test)]
mod tests;
