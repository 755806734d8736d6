//! What the files hold, as a number that differs when their content does.

use std::{
    fs::File,
    hash::{BuildHasher, Hasher},
    io::{self, ErrorKind, Read as _},
    path::Path,
};

use super::places::Places;

/// Bytes of a file that are read at a time: the kernel interrupts no call for another thread, and requests may wait for
/// the core.
const PIECE_BYTES: usize = 64 << 10;

/// The content of all files at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub hash: u64,
    /// A file is absent: it may be on its way.
    pub is_incomplete: bool,
}

impl Content {
    /// Reads the files.
    pub fn of(places: &Places) -> Self {
        // Fixed keys: the number is compared with later ones of the same process only.
        let mut hasher = ahash::RandomState::with_seeds(1, 2, 3, 4).build_hasher();
        let mut piece = vec![0; PIECE_BYTES];
        let mut is_incomplete = places.incomplete;
        for source in &places.sources {
            hasher.write(source.as_os_str().as_encoded_bytes());
            if let Err(error) = read(source, &mut piece, &mut hasher) {
                is_incomplete |= error.kind() == ErrorKind::NotFound;
                hasher.write_u8(0);
            }
        }
        hasher.write_u8(u8::from(is_incomplete));
        Content { hash: hasher.finish(), is_incomplete }
    }
}

fn read(path: &Path, piece: &mut [u8], hasher: &mut impl Hasher) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut length = 0;
    loop {
        match file.read(&mut piece[length..]) {
            // Full pieces alone are hashed, so that the number does not depend on how the file was read.
            Ok(read) if read > 0 && length + read < piece.len() => length += read,
            Ok(read) => {
                hasher.write(&piece[..length + read]);
                length = 0;
                if read == 0 {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
