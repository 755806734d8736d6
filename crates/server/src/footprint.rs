//! What the program needs only to start or to reload is not kept in memory while it serves.

use rustix::mm::{Advice, madvise};

/// Lets the kernel unmap the program's own code. What is needed comes back from the page cache as it is
/// called: a small part of it, where reading and checking a configuration touches nearly all. Does nothing
/// where the system does not tell what is mapped.
pub fn release_code() {
    let Ok(maps) = std::fs::read_to_string("/proc/self/maps") else { return };
    let Ok(program) = std::env::current_exe() else { return };
    for line in maps.lines() {
        if let Some((begin, end)) = code(line, &program.to_string_lossy()) {
            let pages = std::ptr::with_exposed_provenance_mut(begin);
            // SAFETY: a private mapping of a file, readable and executable and never written, so each of its
            // pages is clean: dropped, it is read again from the file when it is next touched. Nothing that
            // relocation has written is in it, as the linker puts that elsewhere.
            #[allow(unsafe_code, reason = "no safe call does it")]
            let advised = unsafe { madvise(pages, end - begin, Advice::LinuxDontNeed) };
            if let Err(error) = advised {
                tracing::debug!("the program's code stays in memory: {error}");
            }
        }
    }
}

/// Begin and end of a mapping of that file's code, as a line of `/proc/self/maps` tells of one.
fn code(line: &str, program: &str) -> Option<(usize, usize)> {
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
    fn only_the_program_s_own_code_is_found() {
        let line = |rights: &str, path: &str| {
            format!("556f838b8000-556f84953000 {rights} 00504000 fe:00 1234                  {path}")
        };
        assert_eq!(code(&line("r-xp", "/bin/gw"), "/bin/gw"), Some((0x556f_838b_8000, 0x556f_8495_3000)));
        assert_eq!(
            code(&line("r--p", "/bin/gw"), "/bin/gw"),
            None,
            "relocations may have been written there"
        );
        assert_eq!(code(&line("rw-p", "/bin/gw"), "/bin/gw"), None);
        assert_eq!(code(&line("r-xp", "/lib/libc.so.6"), "/bin/gw"), None);
        assert_eq!(code("556f-", "/bin/gw"), None);
    }

    #[test]
    fn code_still_runs_when_it_was_released() {
        release_code();
        assert_eq!(["b", "a"].iter().max(), Some(&"b"));
    }
}
