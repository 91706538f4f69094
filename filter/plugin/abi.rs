//! The proxy-wasm ABI (0.2.1), call by call, without a panic.
//!
//! The SDK's own wrappers panic on any status they do not expect, and a client can provoke some of them (a header that
//! is not UTF-8, a map that is gone). These take every status as a number: what cannot be done gives `None`.
//! Calls to services still go through the SDK, which must learn their tokens to route the replies.

use std::ptr::{null, null_mut};

/// `OK` of the ABI; every other status is a failure.
const OK: u32 = 0;

/// A header map.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum Map {
    RequestHeaders = 0,
    RequestTrailers = 1,
    ResponseHeaders = 2,
    ResponseTrailers = 3,
    CallHeaders = 6,
    CallTrailers = 7,
}

/// A buffer.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CallBody = 4,
    PluginConfiguration = 7,
}

/// A direction of the stream.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum Stream {
    Request = 0,
    Response = 1,
}

/// A kind of metric.
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub(super) enum MetricKind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, len: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_property(path: *const u8, len: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, len: usize, data: *const u8, size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        kind: u32,
        start: usize,
        max: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(kind: u32, start: usize, size: usize, data: *const u8, len: usize) -> u32;
    fn proxy_get_header_map_pairs(kind: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        kind: u32,
        key: *const u8,
        klen: usize,
        val: *const u8,
        vlen: usize,
    ) -> u32;
    fn proxy_add_header_map_value(kind: u32, key: *const u8, klen: usize, val: *const u8, vlen: usize)
    -> u32;
    fn proxy_remove_header_map_value(kind: u32, key: *const u8, klen: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_len: usize,
        body: *const u8,
        body_len: usize,
        headers: *const u8,
        headers_len: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_continue_stream(kind: u32) -> u32;
    fn proxy_close_stream(kind: u32) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_len: usize,
        args: *const u8,
        args_len: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_len: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_len: usize, data: *const u8, len: usize, cas: u32) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, len: usize, id: *mut u32) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_set_effective_context(id: u32) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
}

/// Takes over what the host wrote into memory it asked our allocator for.
///
/// # Safety
/// `data` is null, or came from the host with `size` bytes allocated by `proxy_on_memory_allocate`.
unsafe fn owned(data: *mut u8, size: usize) -> Option<Vec<u8>> {
    if data.is_null() {
        return None;
    }
    // SAFETY: by the ABI the host allocates exactly `size` bytes through the SDK's allocator, which hands out a Vec.
    Some(unsafe { Vec::from_raw_parts(data, size, size) })
}

/// Runs a call that returns bytes by two out-pointers.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Option<Vec<u8>> {
    let mut data: *mut u8 = null_mut();
    let mut size: usize = 0;
    if call(&mut data, &mut size) != OK {
        return None;
    }
    // SAFETY: the host said OK, so the pair is what the ABI promises.
    Some(unsafe { owned(data, size) }.unwrap_or_default())
}

pub(super) fn log(level: u32, text: &str) {
    // SAFETY: the host reads `len` bytes at `text`.
    unsafe { proxy_log(level, text.as_ptr(), text.len()) };
}

pub(super) fn now() -> u64 {
    let mut time = 0;
    // SAFETY: the host writes one u64.
    unsafe { proxy_get_current_time_nanoseconds(&mut time) };
    time
}

pub(super) fn property(path: &[&str]) -> Option<Vec<u8>> {
    let path = path.join("\0");
    // SAFETY: the host reads the path and writes the two out-pointers.
    returned(|data, size| unsafe { proxy_get_property(path.as_ptr(), path.len(), data, size) })
        .filter(|value| !value.is_empty())
}

pub(super) fn set_property(path: &str, value: &[u8]) {
    // SAFETY: the host reads both.
    unsafe { proxy_set_property(path.as_ptr(), path.len(), value.as_ptr(), value.len()) };
}

pub(super) fn buffer(kind: Buffer, size: usize) -> Option<Vec<u8>> {
    // SAFETY: the host writes the two out-pointers.
    returned(|data, len| unsafe { proxy_get_buffer_bytes(kind as u32, 0, size, data, len) })
}

pub(super) fn set_buffer(kind: Buffer, size: usize, with: &[u8]) -> bool {
    // SAFETY: the host reads `with`.
    unsafe { proxy_set_buffer_bytes(kind as u32, 0, size, with.as_ptr(), with.len()) == OK }
}

pub(super) fn map(kind: Map) -> Vec<(Vec<u8>, Vec<u8>)> {
    // SAFETY: the host writes the two out-pointers.
    returned(|data, size| unsafe { proxy_get_header_map_pairs(kind as u32, data, size) })
        .and_then(|bytes| pairs(&bytes))
        .unwrap_or_default()
}

pub(super) fn set(kind: Map, name: &str, value: &[u8]) {
    // SAFETY: the host reads both.
    unsafe {
        proxy_replace_header_map_value(kind as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    };
}

pub(super) fn add(kind: Map, name: &str, value: &[u8]) {
    // SAFETY: the host reads both.
    unsafe {
        proxy_add_header_map_value(kind as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    };
}

pub(super) fn remove(kind: Map, name: &str) {
    // SAFETY: the host reads the name.
    unsafe { proxy_remove_header_map_value(kind as u32, name.as_ptr(), name.len()) };
}

pub(super) fn respond(status: u16, headers: &[(&str, &[u8])], body: &[u8], details: &str, grpc: i32) -> bool {
    let headers = serialise(headers);
    // SAFETY: the host reads all four.
    unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            if body.is_empty() { null() } else { body.as_ptr() },
            body.len(),
            headers.as_ptr(),
            headers.len(),
            grpc,
        ) == OK
    }
}

pub(super) fn resume(stream: Stream) {
    // SAFETY: no pointers.
    unsafe { proxy_continue_stream(stream as u32) };
}

pub(super) fn close(stream: Stream) {
    // SAFETY: no pointers.
    unsafe { proxy_close_stream(stream as u32) };
}

/// `None`: the host has no such function, or refused the arguments; the status tells.
pub(super) fn foreign(name: &str, arguments: &[u8]) -> Result<Vec<u8>, u32> {
    let mut data: *mut u8 = null_mut();
    let mut size: usize = 0;
    // SAFETY: the host reads name and arguments and writes the two out-pointers.
    let status = unsafe {
        proxy_call_foreign_function(
            name.as_ptr(),
            name.len(),
            arguments.as_ptr(),
            arguments.len(),
            &mut data,
            &mut size,
        )
    };
    if status != OK {
        return Err(status);
    }
    // SAFETY: the host said OK, so the pair is what the ABI promises.
    Ok(unsafe { owned(data, size) }.unwrap_or_default())
}

/// A shared value with its number; an empty one may be a null pointer.
pub(super) fn shared(key: &str) -> Option<(Vec<u8>, u32)> {
    let mut cas = 0;
    // SAFETY: the host reads the key and writes the three out-pointers.
    let data = returned(|data, size| unsafe {
        proxy_get_shared_data(key.as_ptr(), key.len(), data, size, &mut cas)
    })?;
    Some((data, cas))
}

/// Sets a shared value; `cas` 0: in any case.
pub(super) fn share(key: &str, value: &[u8], cas: u32) -> bool {
    // SAFETY: the host reads both.
    unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) == OK }
}

pub(super) fn define_metric(kind: MetricKind, name: &str) -> Option<u32> {
    let mut id = 0;
    // SAFETY: the host reads the name and writes one u32.
    let status = unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) };
    (status == OK).then_some(id)
}

pub(super) fn record_metric(id: u32, value: u64) {
    // SAFETY: no pointers.
    unsafe { proxy_record_metric(id, value) };
}

pub(super) fn increment_metric(id: u32, by: i64) {
    // SAFETY: no pointers.
    unsafe { proxy_increment_metric(id, by) };
}

/// Makes the following calls act on another context; false when it is gone: then call nothing on its behalf.
pub(super) fn set_effective_context(id: u32) -> bool {
    // SAFETY: no pointers.
    unsafe { proxy_set_effective_context(id) == OK }
}

pub(super) fn set_tick_period(milliseconds: u32) {
    // SAFETY: no pointers.
    unsafe { proxy_set_tick_period_milliseconds(milliseconds) };
}

/// Reads the ABI's encoding of a map: a count, the sizes, then each name and value with a NUL after it.
fn pairs(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let word = |at: usize| -> Option<usize> {
        let word = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(word)).ok()
    };
    let count = word(0)?;
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    if at > bytes.len() {
        return None;
    }
    let mut pairs = Vec::with_capacity(count);
    for index in 0..count {
        let sizes = index.checked_mul(8)?.checked_add(4)?;
        let mut take = |size: usize| -> Option<Vec<u8>> {
            let end = at.checked_add(size)?;
            let taken = bytes.get(at..end)?.to_vec();
            at = end.checked_add(1)?;
            Some(taken)
        };
        let name = take(word(sizes)?)?;
        let value = take(word(sizes.checked_add(4)?)?)?;
        pairs.push((name, value));
    }
    Some(pairs)
}

/// Writes the same encoding.
fn serialise(headers: &[(&str, &[u8])]) -> Vec<u8> {
    let word = |bytes: &mut Vec<u8>, len: usize| {
        bytes.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
    };
    let mut bytes = Vec::new();
    word(&mut bytes, headers.len());
    for (name, value) in headers {
        word(&mut bytes, name.len());
        word(&mut bytes, value.len());
    }
    for (name, value) in headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(value);
        bytes.push(0);
    }
    bytes
}
