//! The numbers of events.

use crate::protocol::json::Raw;

/// Numbers events as they came, and once an event of our own went out, on from that one.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// The number written last.
    last: Option<u64>,
    ours: bool,
}

impl Count {
    /// Writes the number of an event that came with `raw`. False: it keeps its number, and nothing is written.
    pub(super) fn write(&mut self, raw: Raw<'_>, out: &mut Vec<u8>) -> bool {
        if self.ours {
            return raw.instead(self.next().to_string().as_bytes(), out);
        }
        let number = std::str::from_utf8(raw.bytes).ok().and_then(|raw| raw.parse().ok());
        self.last = number.or(self.last);
        false
    }

    /// From now on events go out in another order than they came in.
    pub(super) fn reorder(&mut self) {
        self.ours = true;
    }

    /// The number of an event of our own.
    pub(super) fn next(&mut self) -> u64 {
        self.ours = true;
        let next = self.last.map_or(0, |last| last.saturating_add(1));
        self.last = Some(next);
        next
    }
}
