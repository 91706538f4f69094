//! The module's allocator.

use std::alloc::System;

use crate::heap::Heap;

#[global_allocator]
static HEAP: Heap<System> = Heap::new(System);

// SAFETY: a module of Envoy has one thread; of a target that has more this does not compile.
#[cfg(not(target_feature = "atomics"))]
unsafe impl Sync for Heap<System> {}
