//! The extendable-output function SHAKE256 (FIPS 202).

/// Rate: bytes absorbed or squeezed between two permutations.
const RATE_BYTES: usize = 136;

/// Round constants of Keccak-f\[1600\].
const ROUND_CONSTANTS: [u64; 24] = [
    0x0000_0000_0000_0001,
    0x0000_0000_0000_8082,
    0x8000_0000_0000_808a,
    0x8000_0000_8000_8000,
    0x0000_0000_0000_808b,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8009,
    0x0000_0000_0000_008a,
    0x0000_0000_0000_0088,
    0x0000_0000_8000_8009,
    0x0000_0000_8000_000a,
    0x0000_0000_8000_808b,
    0x8000_0000_0000_008b,
    0x8000_0000_0000_8089,
    0x8000_0000_0000_8003,
    0x8000_0000_0000_8002,
    0x8000_0000_0000_0080,
    0x0000_0000_0000_800a,
    0x8000_0000_8000_000a,
    0x8000_0000_8000_8081,
    0x8000_0000_0000_8080,
    0x0000_0000_8000_0001,
    0x8000_0000_8000_8008,
];

/// Returns the first `N` bytes of the hash of the concatenated parts.
pub fn shake256<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    let mut lanes = [0_u64; 25];
    let mut at = 0;
    for byte in parts.iter().copied().flatten() {
        lanes[at / 8] ^= u64::from(*byte) << (8 * (at % 8));
        at += 1;
        if at == RATE_BYTES {
            permute(&mut lanes);
            at = 0;
        }
    }
    lanes[at / 8] ^= 0x1f << (8 * (at % 8));
    lanes[RATE_BYTES / 8 - 1] ^= 0x80 << 56;
    permute(&mut lanes);

    let mut out = [0; N];
    for (i, byte) in out.iter_mut().enumerate() {
        let at = i % RATE_BYTES;
        if i > 0 && at == 0 {
            permute(&mut lanes);
        }
        *byte = (lanes[at / 8] >> (8 * (at % 8))) as u8;
    }
    out
}

/// The permutation Keccak-f\[1600\]; lane (x, y) has the index x + 5y.
fn permute(lanes: &mut [u64; 25]) {
    for constant in ROUND_CONSTANTS {
        // θ
        let column: [u64; 5] = std::array::from_fn(|x| (0..5).fold(0, |sum, y| sum ^ lanes[x + 5 * y]));
        for (i, lane) in lanes.iter_mut().enumerate() {
            *lane ^= column[(i + 4) % 5] ^ column[(i + 1) % 5].rotate_left(1);
        }
        // ρ and π, along the orbit that visits every lane except (0, 0).
        let (mut x, mut y, mut carried) = (1, 0, lanes[1]);
        for step in 1..=24_u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let turned = carried.rotate_left(step * (step + 1) / 2 % 64);
            carried = std::mem::replace(&mut lanes[x + 5 * y], turned);
        }
        // χ
        for row in lanes.chunks_exact_mut(5) {
            let old: [u64; 5] = std::array::from_fn(|x| row[x]);
            for (x, lane) in row.iter_mut().enumerate() {
                *lane = old[x] ^ (!old[(x + 1) % 5] & old[(x + 2) % 5]);
            }
        }
        // ι
        lanes[0] ^= constant;
    }
}
