//! Arithmetic modulo p = 2^448 - 2^224 - 1, the field of the curve's coordinates.

/// Bits of a limb.
const LIMB_BITS: u32 = 56;
const MASK: u64 = (1 << LIMB_BITS) - 1;

/// A field element in 56-bit limbs, least significant first. Limbs may slightly exceed 56 bits, and the value may
/// exceed p; only comparison and parity reduce it to canonical form.
#[derive(Clone, Debug)]
pub struct Element(pub [u64; 8]);

impl Element {
    pub const ZERO: Element = Element([0; 8]);
    pub const ONE: Element = Element([1, 0, 0, 0, 0, 0, 0, 0]);

    /// Decodes 56 little-endian bytes; `None` if the number is not below p.
    pub fn from_bytes(bytes: &[u8; 56]) -> Option<Self> {
        let mut digits = [0; 8];
        for (i, byte) in bytes.iter().enumerate() {
            digits[i / 7] |= u64::from(*byte) << (8 * (i % 7));
        }
        let element = Element(digits);
        (element.canonical() == digits).then_some(element)
    }

    pub fn plus(&self, other: &Self) -> Self {
        Element::reduce_weakly(std::array::from_fn(|i| u128::from(self.0[i]) + u128::from(other.0[i])))
    }

    pub fn minus(&self, other: &Self) -> Self {
        // Add 4·p, so that no limb underflows.
        Element::reduce_weakly(std::array::from_fn(|i| {
            let p = MASK - u64::from(i == 4);
            u128::from(self.0[i]) + 4 * u128::from(p) - u128::from(other.0[i])
        }))
    }

    pub fn times_small(&self, factor: u64) -> Self {
        Element::reduce_weakly(self.0.map(|digit| u128::from(digit) * u128::from(factor)))
    }

    pub fn times(&self, other: &Self) -> Self {
        let mut sums = [0_u128; 15];
        for (i, a) in self.0.iter().enumerate() {
            for (j, b) in other.0.iter().enumerate() {
                sums[i + j] += u128::from(*a) * u128::from(*b);
            }
        }
        // 2^448 is congruent to 2^224 + 1, and 224 bits are four limbs.
        for high in (8..15).rev() {
            sums[high - 4] += sums[high];
            sums[high - 8] += sums[high];
        }
        let [low @ .., _, _, _, _, _, _, _] = sums;
        Element::reduce_weakly(low)
    }

    pub fn squared(&self) -> Self {
        self.times(self)
    }

    /// Raises to the power (p - 3) / 4 = 2^446 - 2^222 - 1: in binary, 223 ones, a zero, 222 ones.
    pub fn pow_p_minus_3_over_4(&self) -> Self {
        let mut power = Element::ONE;
        for bit in (0..446).rev() {
            power = power.squared();
            if bit != 222 {
                power = power.times(self);
            }
        }
        power
    }

    pub fn is_odd(&self) -> bool {
        self.canonical()[0] & 1 == 1
    }

    /// Propagates carries until limbs have 56 bits. Sums of products are below 2^121, so that three rounds suffice up
    /// to one excess bit, for which the bounds above leave headroom.
    fn reduce_weakly(mut digits: [u128; 8]) -> Self {
        for _ in 0..3 {
            let mut carry = 0;
            for digit in &mut digits {
                *digit += carry;
                carry = *digit >> LIMB_BITS;
                *digit &= u128::from(MASK);
            }
            digits[0] += carry;
            digits[4] += carry;
        }
        Element(digits.map(|digit| digit as u64))
    }

    /// Returns the limbs of the value reduced to below p.
    fn canonical(&self) -> [u64; 8] {
        let mut digits = self.0;
        for _ in 0..3 {
            let top = carry(&mut digits);
            digits[0] += top;
            digits[4] += top;
        }
        // The value is at least p if adding 2^448 - p = 2^224 + 1 overflows 2^448; the sum modulo 2^448 is then the
        // value minus p.
        let mut more = digits;
        more[0] += 1;
        more[4] += 1;
        if carry(&mut more) == 1 { more } else { digits }
    }
}

/// Propagates carries through all limbs; returns the carry out of the highest one.
fn carry(digits: &mut [u64; 8]) -> u64 {
    let mut carry = 0;
    for digit in digits {
        *digit += carry;
        carry = *digit >> LIMB_BITS;
        *digit &= MASK;
    }
    carry
}

impl PartialEq for Element {
    fn eq(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }
}
