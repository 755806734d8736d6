//! The content of the files, as a hash.

use std::{
    fs::File,
    hash::{BuildHasher, Hasher},
    io::{self, ErrorKind, Read as _},
    path::Path,
};

use super::places::Places;

/// Size of one read: short reads bound the time in the kernel, where another thread may wait for the core.
const CHUNK_BYTES: usize = 64 << 10;

/// The content of all files at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    pub hash: u64,
    /// A file is absent, possibly because it is being replaced.
    pub is_incomplete: bool,
}

impl Content {
    /// Reads the files.
    pub fn of(places: &Places) -> Self {
        // The keys are fixed: the hash is compared only within one process.
        let mut hasher = ahash::RandomState::with_seeds(1, 2, 3, 4).build_hasher();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut is_incomplete = places.incomplete;
        for source in &places.sources {
            hasher.write(source.as_os_str().as_encoded_bytes());
            if let Err(error) = read(source, &mut chunk, &mut hasher) {
                is_incomplete |= error.kind() == ErrorKind::NotFound;
                hasher.write_u8(0);
            }
        }
        hasher.write_u8(u8::from(is_incomplete));
        Content { hash: hasher.finish(), is_incomplete }
    }
}

fn read(path: &Path, chunk: &mut [u8], hasher: &mut impl Hasher) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut length = 0;
    loop {
        match file.read(&mut chunk[length..]) {
            // Only full chunks are hashed, so that the hash does not depend on the sizes of the reads.
            Ok(read) if read > 0 && length + read < chunk.len() => length += read,
            Ok(read) => {
                hasher.write(&chunk[..length + read]);
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
