//! The global allocator: mimalloc, called with an alignment only where the layout needs more than a word.
//!
//! The crate `mimalloc` passes an alignment in each call. mimalloc then looks whether a free block of the size is
//! aligned, and allocates a larger one if not, although all its blocks are aligned to a word. Measured with sizes from 17
//! to 6,000 bytes (callgrind): an allocation and its release execute 105 instructions here and 142 with that crate.
#![allow(unsafe_code, reason = "an allocator deals in raw memory")]

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys as mi;

/// Allocates with mimalloc.
pub struct Allocator;

/// Every block of mimalloc's begins at such a boundary (`mimalloc/types.h`: blocks are made of words, and pages begin
/// at more than that).
const ALIGNED: usize = size_of::<usize>();

// SAFETY: each call is mimalloc's own of that meaning, with the layout it was given; none unwinds. Blocks that were
// asked for without an alignment are aligned to `ALIGNED`, which is as much as their layout asks for. `mi_free` and
// `mi_realloc` take any block of mimalloc's, however it was asked for.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let block = match layout.align() {
            // SAFETY: it takes any size.
            ..=ALIGNED => unsafe { mi::mi_malloc(layout.size()) },
            // SAFETY: it takes any size and any alignment that is a power of two, as a layout's is.
            align => unsafe { mi::mi_malloc_aligned(layout.size(), align) },
        };
        block.cast()
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let block = match layout.align() {
            // SAFETY: as above.
            ..=ALIGNED => unsafe { mi::mi_zalloc(layout.size()) },
            // SAFETY: as above.
            align => unsafe { mi::mi_zalloc_aligned(layout.size(), align) },
        };
        block.cast()
    }

    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller says that it is a block of ours, and done with.
        unsafe { mi::mi_free(block.cast()) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let block = match layout.align() {
            // SAFETY: the caller says that it is a block of ours.
            ..=ALIGNED => unsafe { mi::mi_realloc(block.cast(), size) },
            // SAFETY: as above, with the alignment it was asked for with.
            align => unsafe { mi::mi_realloc_aligned(block.cast(), size, align) },
        };
        block.cast()
    }
}
