//! The numbers of events.

/// Numbers events as they came, and once an event of our own went out, on from that one.
#[derive(Debug, Default)]
pub(super) struct Count {
    /// The number written last.
    last: Option<u64>,
    ours: bool,
}

impl Count {
    /// Writes the number of an event that came with `raw`.
    pub(super) fn write(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        if self.ours {
            let next = self.next();
            out.extend_from_slice(next.to_string().as_bytes());
            return;
        }
        let number = std::str::from_utf8(raw).ok().and_then(|raw| raw.parse().ok());
        self.last = number.or(self.last);
        out.extend_from_slice(raw);
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
