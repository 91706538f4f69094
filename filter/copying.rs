//! Bytes copied, filled and compared: what compiled code asks for by the names of C.
//!
//! WebAssembly has instructions for the first two. V8 compiles them to calls of C++, which saves and restores all that
//! is in registers around them: some 15 ns, whatever the length. A guarded call copies more than a thousand times, most
//! often a name, a number or a piece of JSON. So the module is compiled without these instructions (`tools/lib.sh`), and the
//! functions that are called in their place are these. (A standard library that comes compiled has them all the same, and
//! then all code has: such a module works, and is as slow as V8 makes it.)
//!
//! Up to sixty-four bytes are read whole before any is written, from both ends so that what is read may overlap: there is
//! no loop, and it does not matter whether source and destination share bytes. Longer ones take the last (or first)
//! sixty-four the same way, and a loop does the rest.

/// Bytes that are moved by one instruction.
const LANES: usize = 16;
/// Bytes that a turn of the loop moves.
const TURN: usize = 4 * LANES;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
type Vector = std::arch::wasm32::v128;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
type Vector = u128;

/// Moves a block whose first and last bytes are read as `T`s: its length is that of one to two of them.
///
/// # Safety
/// `len` bytes may be read at `from` and written at `to`; it is at least the size of `T`, and at most twice.
#[inline(always)]
unsafe fn ends<T: Copy>(to: *mut u8, from: *const u8, len: usize) {
    let last = len.wrapping_sub(size_of::<T>());
    // SAFETY: by the caller both places are within the blocks; nothing is asked of their alignment.
    unsafe {
        let (a, b) = (from.cast::<T>().read_unaligned(), from.add(last).cast::<T>().read_unaligned());
        to.cast::<T>().write_unaligned(a);
        to.add(last).cast::<T>().write_unaligned(b);
    }
}

/// Moves sixty-four bytes at most.
///
/// # Safety
/// `len` bytes may be read at `from` and written at `to`.
#[inline(always)]
unsafe fn few(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: by the caller, and each is asked for lengths that it is made for.
    unsafe {
        match len {
            0 => {}
            1 => to.write(from.read()),
            2..4 => ends::<u16>(to, from, len),
            4..8 => ends::<u32>(to, from, len),
            8..16 => ends::<u64>(to, from, len),
            16..=32 => ends::<Vector>(to, from, len),
            _ => ends::<[Vector; 2]>(to, from, len),
        }
    }
}

/// Copies a block to a place that is free, or starts before it.
///
/// # Safety
/// `len` bytes may be read at `from` and written at `to`; `to` is not within the block, but for its first byte.
#[inline(always)]
pub unsafe fn copy(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: by the caller. All of a turn is read before any of it is written, and what is written lies before what the next turn reads. The last
    // turn is read first: its bytes may be written over.
    unsafe {
        if len <= TURN {
            return few(to, from, len);
        }
        let turn = |at: usize| from.add(at).cast::<[Vector; 4]>().read_unaligned();
        let end = len.wrapping_sub(TURN);
        let last = turn(end);
        let mut at = 0;
        while at < end {
            to.add(at).cast::<[Vector; 4]>().write_unaligned(turn(at));
            at = at.wrapping_add(TURN);
        }
        to.add(end).cast::<[Vector; 4]>().write_unaligned(last);
    }
}

/// Copies a block to a place that may share bytes with it.
///
/// # Safety
/// `len` bytes may be read at `from` and written at `to`.
#[inline(always)]
pub unsafe fn shift(to: *mut u8, from: *const u8, len: usize) {
    // SAFETY: by the caller. From the end on, all that is written lies behind what the next turn reads; the first turn is read first.
    unsafe {
        if to.addr().wrapping_sub(from.addr()) >= len {
            return copy(to, from, len);
        }
        if len <= TURN {
            return few(to, from, len);
        }
        let turn = |at: usize| from.add(at).cast::<[Vector; 4]>().read_unaligned();
        let first = turn(0);
        let mut end = len;
        while end > TURN {
            end = end.wrapping_sub(TURN);
            to.add(end).cast::<[Vector; 4]>().write_unaligned(turn(end));
        }
        to.cast::<[Vector; 4]>().write_unaligned(first);
    }
}

/// Writes one byte over a block.
///
/// # Safety
/// `len` bytes may be written at `to`.
#[inline(always)]
pub unsafe fn fill(to: *mut u8, byte: u8, len: usize) {
    // SAFETY: by the caller, and each is asked for lengths that it is made for.
    unsafe {
        let word = u64::from_ne_bytes([byte; 8]);
        match len {
            0 => {}
            1..4 => {
                to.write(byte);
                to.add(len / 2).write(byte);
                to.add(len.wrapping_sub(1)).write(byte);
            }
            4..8 => both(to, u32::from_ne_bytes([byte; 4]), len),
            8..16 => both(to, word, len),
            _ => {
                let lanes = vector(byte);
                let end = len.wrapping_sub(LANES);
                let mut at = 0;
                while at < end {
                    to.add(at).cast::<Vector>().write_unaligned(lanes);
                    at = at.wrapping_add(LANES);
                }
                to.add(end).cast::<Vector>().write_unaligned(lanes);
            }
        }
    }
}

/// Writes a value at both ends of a block that is no longer than two of it.
///
/// # Safety
/// `len` bytes may be written at `to`; it is at least the size of `T`.
#[inline(always)]
unsafe fn both<T: Copy>(to: *mut u8, value: T, len: usize) {
    // SAFETY: by the caller.
    unsafe {
        to.cast::<T>().write_unaligned(value);
        to.add(len.wrapping_sub(size_of::<T>())).cast::<T>().write_unaligned(value);
    }
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[inline(always)]
fn vector(byte: u8) -> Vector {
    std::arch::wasm32::u8x16_splat(byte)
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
#[inline(always)]
fn vector(byte: u8) -> Vector {
    u128::from_ne_bytes([byte; LANES])
}

/// Which of two blocks comes first: less than 0, 0 or more, as the first byte in which they differ says.
///
/// # Safety
/// `len` bytes may be read at both.
#[inline(always)]
pub unsafe fn compare(a: *const u8, b: *const u8, len: usize) -> i32 {
    const WORD: usize = size_of::<u64>();
    // SAFETY: by the caller, who has at least as many bytes as are read.
    let word = |at: usize| unsafe {
        let read = |from: *const u8| u64::from_be(from.add(at).cast::<u64>().read_unaligned());
        (read(a), read(b))
    };
    let mut at = 0;
    if len >= WORD {
        let end = len.wrapping_sub(WORD);
        loop {
            let (one, other) = word(at);
            if one != other {
                return if one < other { -1 } else { 1 };
            }
            if at == end {
                return 0;
            }
            // The last word shares bytes with the one before.
            at = at.wrapping_add(WORD).min(end);
        }
    }
    while at < len {
        // SAFETY: by the caller.
        let (one, other) = unsafe { (a.add(at).read(), b.add(at).read()) };
        if one != other {
            return i32::from(one).wrapping_sub(i32::from(other));
        }
        at = at.wrapping_add(1);
    }
    0
}

/// What the linker takes for those of the C library.
#[cfg(all(target_arch = "wasm32", target_os = "wasi"))]
mod named {
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
        // SAFETY: as C asks of its callers.
        unsafe { super::copy(to, from, len) };
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
        // SAFETY: as C asks of its callers.
        unsafe { super::shift(to, from, len) };
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
        // SAFETY: as C asks of its callers. C says that the number's lowest byte counts.
        unsafe { super::fill(to, byte.to_le_bytes()[0], len) };
        to
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
        // SAFETY: as C asks of its callers.
        unsafe { super::compare(a, b, len) }
    }

    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
        // SAFETY: as C asks of its callers.
        unsafe { super::compare(a, b, len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: usize = 400;

    fn room(seed: u8) -> Vec<u8> {
        (0..ROOM).map(|at| (at as u8).wrapping_mul(31).wrapping_add(seed) ^ (at >> 8) as u8).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        #[test]
        fn blocks_are_shifted_as_the_standard_library_does(
            from in 0usize..200, to in 0usize..200, len in prop_oneof![0usize..70, 0usize..200], seed in any::<u8>(),
        ) {
            let (mut own, mut expected) = (room(seed), room(seed));
            expected.copy_within(from..from + len, to);
            // SAFETY: all is within the room.
            unsafe { shift(own.as_mut_ptr().add(to), own.as_ptr().add(from), len) };
            prop_assert_eq!(&own, &expected);
            if to <= from || to >= from + len {
                own = room(seed);
                // SAFETY: the same, and the place is none of the block's behind its first byte.
                unsafe { copy(own.as_mut_ptr().add(to), own.as_ptr().add(from), len) };
                prop_assert_eq!(&own, &expected);
            }
        }

        #[test]
        fn blocks_are_filled_and_nothing_beside_them(to in 0usize..100, len in 0usize..300, byte in any::<u8>()) {
            let (mut own, mut expected) = (room(7), room(7));
            expected[to..to + len].fill(byte);
            // SAFETY: all is within the room.
            unsafe { fill(own.as_mut_ptr().add(to), byte, len) };
            prop_assert_eq!(own, expected);
        }

        #[test]
        fn blocks_are_ordered_as_slices_are(
            text in proptest::collection::vec(any::<u8>(), 0..60), other in any::<(proptest::sample::Index, u8)>(), skip in 0usize..9,
        ) {
            let mut changed = text.clone();
            if let Some(byte) = (!text.is_empty()).then(|| other.0.get_mut(&mut changed)) {
                *byte = other.1;
            }
            let (a, b) = (text.get(skip..).unwrap_or_default(), changed.get(skip..).unwrap_or_default());
            // SAFETY: both are as long.
            let told = unsafe { compare(a.as_ptr(), b.as_ptr(), a.len()) };
            prop_assert_eq!(told.cmp(&0), a.cmp(b));
        }
    }
}
