//! Bytes that are written once and read by many threads afterwards. The only raw pointers of the log are here.

use std::{cell::UnsafeCell, mem::MaybeUninit};

/// A fixed number of bytes, uninitialised until they are written.
///
/// Who writes and who reads which byte, and in what order, is the caller's promise: see the two methods.
pub(super) struct Cells {
    bytes: Box<[MaybeUninit<UnsafeCell<u8>>]>,
    /// Loom follows these instead of the bytes, one for each.
    #[cfg(loom)]
    tracked: Box<[loom::cell::UnsafeCell<()>]>,
}

// SAFETY: shared access goes through `write` and `read` only, whose callers promise that no byte is accessed by
// one thread while another writes it.
#[allow(unsafe_code)]
unsafe impl Sync for Cells {}

impl Cells {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            bytes: Box::new_uninit_slice(capacity),
            #[cfg(loom)]
            tracked: (0..capacity).map(|_| loom::cell::UnsafeCell::new(())).collect(),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Copies `from` to the bytes starting at `at`.
    ///
    /// # Safety
    /// No other thread accesses these bytes during the call, and no slice from `read` covers any of them.
    #[allow(unsafe_code)]
    pub(super) unsafe fn write(&self, at: usize, from: &[u8]) {
        let to = &self.bytes[at..at + from.len()];
        #[cfg(loom)]
        self.tracked[at..at + from.len()].iter().for_each(|cell| cell.with_mut(|_| ()));
        // SAFETY: `to` is in bounds and as long as `from`; it lies in an `UnsafeCell`, so writing through a shared
        // reference is allowed, and the caller promises that nobody else accesses it now. `from` cannot overlap it:
        // a slice of these bytes would have come from `read`.
        unsafe {
            let to = UnsafeCell::raw_get(to.as_ptr().cast::<UnsafeCell<u8>>());
            std::ptr::copy_nonoverlapping(from.as_ptr(), to, from.len());
        }
    }

    /// # Safety
    /// Every byte of the range was written, that write happened before this call, and none is written again while
    /// the slice lives.
    #[allow(unsafe_code)]
    pub(super) unsafe fn read(&self, at: usize, len: usize) -> &[u8] {
        let bytes = &self.bytes[at..at + len];
        #[cfg(loom)]
        self.tracked[at..at + len].iter().for_each(|cell| cell.with(|_| ()));
        // SAFETY: in bounds by the slicing above; initialised and no longer written to by the caller's promise.
        // `UnsafeCell<u8>` has the layout of `u8`.
        unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast::<u8>(), len) }
    }
}
