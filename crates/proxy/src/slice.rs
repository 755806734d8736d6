//! A worker's right of way on its core.

/// Asks the kernel to let this thread run as soon as a request wakes it. A hint: only Linux from 6.12 on takes it.
///
/// The kernel lets a thread run its slice out when another wakes, unless that asks for less at a time; and it looks
/// again only at its next tick. With the usual 3 ms for both, a request may wait 4 ms for a reload on the same core,
/// although that steps back.
pub fn ask_for_less() {
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "no crate has a safe call for it")]
    {
        /// In nanoseconds, the least that is taken.
        const SLICE: u64 = 100_000;
        // SAFETY: all its fields are numbers.
        let mut wanted: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of_val(&wanted) as u32;
        // SAFETY: the kernel writes no more bytes behind the pointer than the size says, and keeps none. 0 is the
        // thread that calls.
        let known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut wanted, size, 0) };
        // Threads that are scheduled by other rules are left alone.
        if known == 0 && wanted.sched_policy == libc::SCHED_OTHER as u32 {
            wanted.sched_runtime = SLICE;
            // SAFETY: the kernel reads as many bytes behind the pointer as `wanted.size` says, and keeps none.
            unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wanted, 0) };
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_else_about_the_thread_changes() {
        let nice = rustix::process::nice(3).unwrap();
        super::ask_for_less();
        assert_eq!(rustix::process::nice(0).unwrap(), nice);
    }
}
