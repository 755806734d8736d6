//! Scheduling of worker threads.

/// Requests a short time slice, so that this thread runs as soon as a request wakes it. A hint, supported by
/// Linux 6.12 and later.
///
/// EEVDF lets a running thread finish its slice unless the woken one has a shorter slice, and decides again
/// only at the next tick. With the default of 3 ms for both, a request may wait 4 ms for a reload on the same
/// core, although the reload thread has a lower priority.
pub fn set_short_timeslice() {
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "no crate has a safe call for it")]
    {
        /// The minimum that the kernel accepts.
        const SLICE_NANOSECONDS: u64 = 100_000;
        // SAFETY: all fields are integers, for which zero is valid.
        let mut attributes: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of_val(&attributes) as u32;
        // SAFETY: the kernel writes at most `size` bytes at the pointer, and does not retain it. 0 is the
        // calling thread.
        let result = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
        // Threads with another scheduling policy are left alone.
        if result == 0 && attributes.sched_policy == libc::SCHED_OTHER as u32 {
            attributes.sched_runtime = SLICE_NANOSECONDS;
            // SAFETY: the kernel reads `attributes.size` bytes at the pointer, and does not retain it.
            unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
        }
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn the_nice_value_stays() {
        let nice = rustix::process::nice(3).unwrap();
        super::set_short_timeslice();
        assert_eq!(rustix::process::nice(0).unwrap(), nice);
    }
}
