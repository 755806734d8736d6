//! Eviction of the program's code pages (setting `code_page_eviction`): code used only to start or to reload does not
//! stay resident.

use rustix::mm::{Advice, madvise};

/// Has the kernel drop the resident pages of the program's code. Pages are faulted in again from the page cache when
/// they are executed: serving needs a small part of them, loading a configuration nearly all. Does nothing if
/// `/proc/self/maps` cannot be read.
pub fn evict_code_pages() {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    let Ok(program) = std::env::current_exe() else { return };
    for line in maps.lines() {
        if let Some((begin, end)) = code_range(line, &program.to_string_lossy()) {
            let pages = std::ptr::with_exposed_provenance_mut(begin);
            // SAFETY: the range is a private file mapping, readable and executable and never written, so each of its
            // pages is clean: a dropped page is read again from the file when it is next accessed. It contains no
            // relocations, which the linker puts into a writable segment.
            #[allow(unsafe_code, reason = "there is no safe wrapper of madvise")]
            let advised = unsafe { madvise(pages, end - begin, Advice::LinuxDontNeed) };
            if let Err(error) = advised {
                tracing::debug!("the program's code stays in memory: {error}");
            }
        }
    }
}

/// Parses a line of `/proc/self/maps`; returns start and end if it is a code mapping of that file.
fn code_range(line: &str, program: &str) -> Option<(usize, usize)> {
    let mut words = line.split_ascii_whitespace();
    let (range, rights) = (words.next()?, words.next()?);
    let path = words.nth(3)?;
    if rights != "r-xp" || path != program {
        return None;
    }
    let (begin, end) = range.split_once('-')?;
    Some((usize::from_str_radix(begin, 16).ok()?, usize::from_str_radix(end, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_mappings_of_the_program_match() {
        let line = |rights: &str, path: &str| {
            format!("556f838b8000-556f84953000 {rights} 00504000 fe:00 1234                  {path}")
        };
        assert_eq!(
            code_range(&line("r-xp", "/bin/gw"), "/bin/gw"),
            Some((0x556f_838b_8000, 0x556f_8495_3000))
        );
        assert_eq!(
            code_range(&line("r--p", "/bin/gw"), "/bin/gw"),
            None,
            "relocations may have been written there"
        );
        assert_eq!(code_range(&line("rw-p", "/bin/gw"), "/bin/gw"), None);
        assert_eq!(code_range(&line("r-xp", "/lib/libc.so.6"), "/bin/gw"), None);
        assert_eq!(code_range("556f-", "/bin/gw"), None);
    }

    #[test]
    fn code_runs_after_its_eviction() {
        evict_code_pages();
        assert_eq!(["b", "a"].iter().max(), Some(&"b"));
    }
}
