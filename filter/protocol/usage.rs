//! Usage that a stream reports because we asked for it, taken out again for a caller who did not ask.
//!
//! Asked for its usage, a stream of chat completions has two things more: `"usage":null` in each event, and an event with the
//! usage and no choices before the last. Both go, and all other bytes are the bytes that came. What a provider says
//! of its usage beside a choice it would have said in any case: that stays.

use std::ops::Range;

use super::sse::{Event, Frame, Framer};

const KEY: &[u8] = b"\"usage\"";

/// What becomes of an event.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Stays,
    Goes,
    /// Without these bytes of its data.
    Cut(Range<usize>),
}

/// Takes the usage out of whole events; what is no whole event stays.
pub fn hide(out: &mut Vec<u8>) {
    if memchr::memmem::find(out, KEY).is_none() {
        return;
    }
    let came = std::mem::take(out);
    out.reserve(came.len());
    let mut framer = Framer::default();
    let mut seen = 0usize;
    // An event too long to be read is none of those, and stays with all behind it.
    let _stays = framer.push(&came, |frame| {
        match frame {
            Frame::Pass(bytes) => {
                seen = seen.saturating_add(bytes.len());
                out.extend_from_slice(bytes);
            }
            Frame::Event(event) => {
                seen = seen.saturating_add(event.raw.len());
                write(&event, out);
            }
        }
        Ok(())
    });
    out.extend_from_slice(came.get(seen..).unwrap_or_default());
}

fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    let Some((before, data, behind)) = event.single() else { return out.extend_from_slice(event.raw) };
    match fate(data) {
        Fate::Stays => out.extend_from_slice(event.raw),
        Fate::Goes => {}
        Fate::Cut(at) => {
            let (kept, rest) = (data.get(..at.start), data.get(at.end..));
            let parts = [before, kept.unwrap_or_default(), rest.unwrap_or_default(), behind];
            parts.iter().for_each(|part| out.extend_from_slice(part));
        }
    }
}

fn fate(data: &[u8]) -> Fate {
    if memchr::memmem::find(data, KEY).is_none() {
        return Fate::Stays;
    }
    let Some(members) = members(data) else { return Fate::Stays };
    let value = |member: &Member| data.get(member.value.clone()).unwrap_or_default();
    let named = |name: &[u8]| members.iter().position(|member| data.get(member.key.clone()) == Some(name));
    let Some((at, usage)) = named(KEY).and_then(|at| Some((at, members.get(at)?))) else {
        return Fate::Stays;
    };
    if value(usage) != b"null" {
        let choices = named(b"\"choices\"").and_then(|at| members.get(at)).map(value).unwrap_or_default();
        let none = choices.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
        let alone = none.is_some_and(|inner| inner.trim_ascii().is_empty());
        return if alone { Fate::Goes } else { Fate::Stays };
    }
    // With the comma before it, or as the first one with that behind it.
    match (at.checked_sub(1).and_then(|at| members.get(at)), members.get(at.saturating_add(1))) {
        (Some(before), _) => Fate::Cut(before.value.end..usage.value.end),
        (None, Some(behind)) => Fate::Cut(usage.key.start..behind.key.start),
        (None, None) => Fate::Cut(usage.key.start..usage.value.end),
    }
}

/// A member of an object: where its key stands, quotes included, and where its value.
struct Member {
    key: Range<usize>,
    value: Range<usize>,
}

/// The members of a document that is an object; `None`: it is none.
fn members(data: &[u8]) -> Option<Vec<Member>> {
    let mut members = Vec::new();
    let mut at = blank(data, 0);
    if data.get(at) != Some(&b'{') {
        return None;
    }
    loop {
        at = blank(data, at.checked_add(1)?);
        if data.get(at) == Some(&b'}') && members.is_empty() {
            return Some(members);
        }
        let key = at..string(data, at)?;
        let colon = blank(data, key.end);
        if data.get(colon) != Some(&b':') {
            return None;
        }
        let start = blank(data, colon.checked_add(1)?);
        let value = start..value(data, start)?;
        at = blank(data, value.end);
        members.push(Member { key, value });
        match data.get(at)? {
            b',' => {}
            b'}' => return Some(members),
            _ => return None,
        }
    }
}

fn blank(data: &[u8], from: usize) -> usize {
    let rest = data.get(from..).unwrap_or_default();
    from.saturating_add(rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count())
}

/// Where the string ends that begins there.
fn string(data: &[u8], from: usize) -> Option<usize> {
    if data.get(from) != Some(&b'"') {
        return None;
    }
    let mut at = from.checked_add(1)?;
    loop {
        at = at.checked_add(memchr::memchr2(b'"', b'\\', data.get(at..)?)?)?;
        match data.get(at)? {
            b'"' => return at.checked_add(1),
            _ => at = at.checked_add(2)?,
        }
    }
}

/// Where the value ends that begins there.
fn value(data: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0usize);
    loop {
        match data.get(at)? {
            b'"' => at = string(data, at)?,
            b'{' | b'[' => {
                depth = depth.checked_add(1)?;
                at = at.checked_add(1)?;
                continue;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at = at.checked_add(1)?;
            }
            b',' | b':' if depth > 0 => {
                at = at.checked_add(1)?;
                continue;
            }
            byte if byte.is_ascii_whitespace() && depth > 0 => {
                at = at.checked_add(1)?;
                continue;
            }
            _ => {
                let rest = data.get(at..)?;
                let len = rest
                    .iter()
                    .take_while(|byte| !matches!(byte, b',' | b':' | b'}' | b']' | b'"' | b'{' | b'['))
                    .take_while(|byte| !byte.is_ascii_whitespace())
                    .count();
                at = at.checked_add(len.max(1))?;
            }
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hidden(text: &str) -> String {
        let mut out = text.as_bytes().to_vec();
        hide(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_stream_is_as_if_its_usage_had_not_been_asked_for() {
        let chunk = |usage: &str, more: &str| {
            format!(
                "data: {{\"id\":\"c\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"a \\\"usage\\\":null\"}}}}]{usage}{more}}}\n\n"
            )
        };
        let bare = chunk("", "") + &chunk("", ",\"obfuscation\":\"x\"") + "data: [DONE]\n\n";
        let asked = chunk(",\"usage\":null", "")
            + &chunk(", \"usage\" : null", ",\"obfuscation\":\"x\"")
            + "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"total_tokens\":3}}\n\n"
            + "data: [DONE]\n\n";
        assert_eq!(hidden(&asked), bare);
        assert_eq!(hidden(&bare), bare);
    }

    #[test]
    fn what_a_provider_tells_by_itself_stays() {
        for stays in [
            "data: {\"choices\":[{\"delta\":{}}],\"usage\":{\"total_tokens\":3}}\n\n",
            "data: {\"choices\":[{\"usage\":null}]}\n\n",
            "data: {\"choices\":[],\"prompt_filter_results\":[]}\n\n",
            ": \"usage\"\n\n",
            "data: {\"choices\":[],\"usage\"\n\n",
            "data: {\"usage\":null",
            "data: \"usage\"\n\n",
        ] {
            assert_eq!(hidden(stays), stays);
        }
        assert_eq!(hidden("data: {\"usage\":null}\n\n"), "data: {}\n\n");
        assert_eq!(hidden("data: {\"usage\":null, \"a\":1}\n\n"), "data: {\"a\":1}\n\n");
        assert_eq!(hidden("data: {\"choices\":[ ],\"usage\":{}}\n\ndata: 1\n\n"), "data: 1\n\n");
    }

    proptest! {
        /// The members are those that another reader finds.
        #[test]
        fn the_other_members_are_left_as_they_are(
            keys in proptest::collection::vec(("[a-z\"\\\\é]{0,4}", prop_oneof![
                Just(serde_json::json!(null)), any::<i32>().prop_map(Into::into), ".{0,6}".prop_map(Into::into),
                Just(serde_json::json!({"usage": null, "a": [1, {}, []]})),
            ]), 0..5),
            at in 0_usize..5,
            pretty: bool,
        ) {
            let mut object = serde_json::Map::new();
            for (place, (key, value)) in keys.iter().enumerate() {
                if place == at {
                    object.insert("usage".to_owned(), serde_json::Value::Null);
                }
                object.insert(key.clone(), value.clone());
            }
            let text = serde_json::Value::Object(object.clone());
            let text = if pretty { text.to_string().replace(',', " , ") } else { text.to_string() };
            prop_assume!(serde_json::from_str::<serde_json::Value>(&text).unwrap() == serde_json::Value::Object(object.clone()));
            object.remove("usage");
            let out = hidden(&format!("data: {text}\n\n"));
            let data = out.strip_prefix("data: ").unwrap();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(data).unwrap(), serde_json::Value::Object(object));
        }

        #[test]
        fn no_bytes_panic(text in "(data: )?[{}\\[\\]\"\\\\,:nul sage\n]{0,40}") {
            hidden(&text.replace("sa", "\"usage\""));
        }
    }
}
