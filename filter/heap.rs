//! Memory for small blocks, given out again by their size.
//!
//! A guarded call asks for some three hundred blocks, nearly all of them small and gone when it ends. The allocator of the C
//! library looks for the best fit and joins what is freed, and that was a tenth of what the module does for a call. Here
//! a block that is freed is kept in a list of its size, and the next one of that size is taken from there. What is
//! larger, and what is too much to keep, goes to the allocator below.
//!
//! Sizes are rounded up as that allocator rounds them itself (WASI's C library: steps of 16 bytes of which 4 are its own),
//! so a small block takes no more room than without this.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr::{self, NonNull};

/// Steps between the sizes, in bytes, and what the allocator below needs of each.
const STEP: usize = 16;
const OWN: usize = 4;
/// How many sizes there are: up to a kilobyte.
const SIZES: usize = 64;
/// The strictest alignment of a block that is kept: the allocator below gives it to all.
const ALIGN: usize = 8;
/// Bytes that are kept of one size at most. All of them together are a mebibyte.
const MOST_KEPT: usize = 16 * 1024;

/// An allocator that keeps small blocks of another.
pub struct Heap<A> {
    below: A,
    kept: UnsafeCell<[Kept; SIZES]>,
}

/// The free blocks of one size.
#[derive(Clone, Copy)]
struct Kept {
    first: Option<NonNull<Free>>,
    bytes: usize,
}

/// What stands in a block while it is free.
struct Free {
    next: Option<NonNull<Free>>,
}

impl<A> Heap<A> {
    /// Over another allocator, which gives blocks of any size an alignment of eight.
    pub const fn new(below: A) -> Self {
        Self { below, kept: UnsafeCell::new([Kept { first: None, bytes: 0 }; SIZES]) }
    }

    /// Does something with the list of a size.
    ///
    /// # Safety
    /// No other thread uses this allocator.
    #[inline(always)]
    unsafe fn with<T>(&self, size: usize, act: impl FnOnce(&mut Kept) -> T) -> Option<T> {
        // SAFETY: by the caller no other thread has it, and no `act` asks for memory.
        let kept = unsafe { &mut *self.kept.get() };
        kept.get_mut(size).map(act)
    }
}

/// Which size a block is of; `None`: it is not kept.
#[inline(always)]
fn kept_as(layout: Layout) -> Option<usize> {
    let size = layout.size().wrapping_add(OWN).wrapping_sub(1) / STEP;
    (size < SIZES && layout.align() <= ALIGN).then_some(size)
}

/// The block that is asked for, of a size.
#[inline(always)]
fn block(size: usize) -> Layout {
    let bytes = size.wrapping_mul(STEP).wrapping_add(STEP - OWN);
    // SAFETY: the alignment is a power of two, and the largest size is far from what overflows.
    unsafe { Layout::from_size_align_unchecked(bytes, ALIGN) }
}

// None of it is put into its callers: that would be one hundredth more code.
// SAFETY: a block that is given out is of the allocator below, at least as large as what is asked for and aligned as strictly;
// it is in no list while it is out, and goes back with the layout that it was asked for.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Heap<A> {
    #[inline(never)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(size) = kept_as(layout) else {
            // SAFETY: by the caller.
            return unsafe { self.below.alloc(layout) };
        };
        let take = |kept: &mut Kept| {
            let first = kept.first?;
            // SAFETY: what is in a list is free, and was written when it was put there.
            kept.first = unsafe { first.as_ref() }.next;
            kept.bytes = kept.bytes.wrapping_sub(block(size).size());
            Some(first)
        };
        // SAFETY: by who declares it `Sync`.
        match unsafe { self.with(size, take) }.flatten() {
            Some(free) => free.as_ptr().cast(),
            // SAFETY: no size is of no bytes.
            None => unsafe { self.below.alloc(block(size)) },
        }
    }

    #[inline(never)]
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        let (Some(size), Some(free)) = (kept_as(layout), NonNull::new(at.cast::<Free>())) else {
            // SAFETY: by the caller; it is of the allocator below, as it was asked for.
            return unsafe { self.below.dealloc(at, layout) };
        };
        let keep = |kept: &mut Kept| {
            let bytes = kept.bytes.wrapping_add(block(size).size());
            if bytes > MOST_KEPT {
                return false;
            }
            // SAFETY: the block is free now, large enough, and aligned for a pointer.
            unsafe { free.write(Free { next: kept.first }) };
            (kept.first, kept.bytes) = (Some(free), bytes);
            true
        };
        // SAFETY: by who declares it `Sync`.
        if unsafe { self.with(size, keep) } != Some(true) {
            // SAFETY: so it was asked for.
            unsafe { self.below.dealloc(at, block(size)) };
        }
    }

    #[inline(never)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if kept_as(layout).is_none() {
            // SAFETY: by the caller.
            return unsafe { self.below.alloc_zeroed(layout) };
        }
        // SAFETY: by the caller.
        let at = unsafe { self.alloc(layout) };
        if !at.is_null() {
            // SAFETY: so large it is.
            unsafe { at.write_bytes(0, layout.size()) };
        }
        at
    }

    #[inline(never)]
    unsafe fn realloc(&self, at: *mut u8, layout: Layout, len: usize) -> *mut u8 {
        // SAFETY: by the caller it does not overflow, rounded up to the alignment.
        let new = unsafe { Layout::from_size_align_unchecked(len, layout.align()) };
        match (kept_as(layout), kept_as(new)) {
            // SAFETY: by the caller.
            (None, None) => unsafe { self.below.realloc(at, layout, len) },
            (old, size) if old == size => at,
            _ => {
                // SAFETY: by the caller; the blocks are different ones, and both as large as what is copied.
                unsafe {
                    let to = self.alloc(new);
                    if !to.is_null() {
                        ptr::copy_nonoverlapping(at, to, layout.size().min(len));
                        self.dealloc(at, layout);
                    }
                    to
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::alloc::System;
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// Counts what is out.
    #[derive(Default)]
    struct Counted {
        bytes: Cell<usize>,
        calls: Cell<usize>,
    }

    // SAFETY: all is the system's.
    unsafe impl GlobalAlloc for Counted {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            self.bytes.set(self.bytes.get() + layout.size());
            self.calls.set(self.calls.get() + 1);
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
            self.bytes.set(self.bytes.get() - layout.size());
            unsafe { System.dealloc(at, layout) }
        }
    }

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn what_was_freed_is_given_out_again() {
        let heap = Heap::new(Counted::default());
        unsafe {
            let first = heap.alloc(layout(20, 4));
            heap.dealloc(first, layout(20, 4));
            assert_eq!(heap.alloc(layout(28, 8)), first);
            heap.dealloc(first, layout(28, 8));
        }
        assert_eq!(heap.below.calls.get(), 1);
    }

    #[test]
    fn no_more_than_so_much_is_kept_of_a_size() {
        let heap = Heap::new(Counted::default());
        for size in [1, 100, 1020] {
            let all: Vec<_> = (0..5000).map(|_| unsafe { heap.alloc(layout(size, 1)) }).collect();
            all.into_iter().for_each(|at| unsafe { heap.dealloc(at, layout(size, 1)) });
        }
        assert!((2 * MOST_KEPT..=3 * MOST_KEPT).contains(&heap.below.bytes.get()));
    }

    #[test]
    fn what_is_large_or_strictly_aligned_goes_by() {
        let heap = Heap::new(Counted::default());
        for layout in [layout(1021, 1), layout(64, 16), layout(4096, 8)] {
            unsafe {
                let at = heap.alloc(layout);
                heap.dealloc(at, layout);
            }
            assert_eq!(heap.below.bytes.get(), 0);
        }
    }

    #[derive(Debug, Clone)]
    enum Act {
        Get { size: usize, align: usize, zeroed: bool },
        Free(prop::sample::Index),
        Grow(prop::sample::Index, usize),
    }

    fn act() -> impl Strategy<Value = Act> {
        let size = || prop_oneof![1..64usize, 1..1100usize, 900..3000usize];
        let align = prop::sample::select(vec![1, 2, 4, 8, 16, 64]);
        prop_oneof![
            3 => (size(), align, any::<bool>()).prop_map(|(size, align, zeroed)| Act::Get { size, align, zeroed }),
            2 => any::<prop::sample::Index>().prop_map(Act::Free),
            1 => (any::<prop::sample::Index>(), size()).prop_map(|(which, size)| Act::Grow(which, size)),
        ]
    }

    /// A block that is out, with what was written there.
    struct Out {
        at: *mut u8,
        layout: Layout,
        mark: u8,
    }

    impl Out {
        fn holds(&self, len: usize) -> bool {
            (0..len).all(|byte| unsafe { self.at.add(byte).read() } == self.mark)
        }
    }

    proptest! {
        #[test]
        fn no_block_is_given_out_twice_and_none_loses_what_it_holds(acts in prop::collection::vec(act(), 1..200)) {
            let heap = Heap::new(Counted::default());
            let mut out: Vec<Out> = Vec::new();
            for (mark, act) in (0u8..=255).cycle().zip(acts) {
                match act {
                    Act::Get { size, align, zeroed } => {
                        let layout = layout(size, align);
                        let at = unsafe { if zeroed { heap.alloc_zeroed(layout) } else { heap.alloc(layout) } };
                        prop_assert_eq!(at.align_offset(align), 0);
                        let got = Out { at, layout, mark: if zeroed { 0 } else { mark } };
                        prop_assert!(!zeroed || got.holds(size));
                        unsafe { at.write_bytes(got.mark, size) };
                        out.push(got);
                    }
                    Act::Free(which) if !out.is_empty() => {
                        let gone = out.swap_remove(which.index(out.len()));
                        prop_assert!(gone.holds(gone.layout.size()));
                        unsafe { heap.dealloc(gone.at, gone.layout) };
                    }
                    Act::Grow(which, size) if !out.is_empty() => {
                        let at = which.index(out.len());
                        let one = &mut out[at];
                        one.at = unsafe { heap.realloc(one.at, one.layout, size) };
                        prop_assert!(one.holds(one.layout.size().min(size)));
                        one.layout = layout(size, one.layout.align());
                        unsafe { one.at.write_bytes(one.mark, size) };
                    }
                    Act::Free(_) | Act::Grow(..) => {}
                }
            }
            for one in &out {
                prop_assert!(one.holds(one.layout.size()));
                unsafe { heap.dealloc(one.at, one.layout) };
            }
        }
    }
}
