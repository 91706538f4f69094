//! Chains that ended, and chains that go on from them.
//!
//! A chain that is cut off at its end shows nothing of it by itself. So all workers of a proxy keep a register of where
//! their chains stand, and a chain that ended (its worker left, or is silent) is named once by another that goes on: in the
//! first record of a chain that begins, or with the next anchor of one that is there. That record says where the other
//! stood, so its lost tail shows, and so does the loss of all of it.
//!
//! The register is a value that workers share, written as lines of text: chain, number, hash, time, `open` or `over`.

use super::chain::Head;

/// A chain of which its worker says nothing for so long has ended, in nanoseconds: a worker says where it stands every
/// [`EVERY`].
const SILENT: u64 = 10_000_000_000;
/// How often a worker says where its chain stands, in nanoseconds.
pub const EVERY: u64 = 1_000_000_000;
/// Most chains in a register. Others name no predecessor, and are named by none.
const MOST: usize = 512;

/// Where the chains of a proxy stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Register(Vec<Entry>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    head: Head,
    /// When its worker said so.
    said: u64,
    over: bool,
}

impl Register {
    /// Reads a register; a line that is none is left out.
    pub fn read(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        Self(text.lines().filter_map(Entry::read).take(MOST).collect())
    }

    /// As [`Self::read`] reads it.
    pub fn write(&self) -> Vec<u8> {
        let lines = self.0.iter().map(|Entry { head, said, over }| {
            let state = if *over { "over" } else { "open" };
            format!("{} {} {} {said} {state}\n", head.chain, head.seq, head.hash)
        });
        lines.collect::<String>().into_bytes()
    }

    /// Says where a chain stands now, and whether it ends there.
    pub fn note(&mut self, head: Head, now: u64, over: bool) {
        self.0.retain(|entry| entry.head.chain != head.chain);
        if self.0.len() < MOST {
            self.0.push(Entry { head, said: now, over });
        }
    }

    /// Takes out a chain that ended, and is not this one: whoever takes it out is to name it.
    pub fn take(&mut self, own: &str, now: u64) -> Option<Head> {
        let ended = |entry: &Entry| entry.over || now.saturating_sub(entry.said) >= SILENT;
        let at = self.0.iter().position(|entry| entry.head.chain != own && ended(entry))?;
        Some(self.0.remove(at).head)
    }
}

impl Entry {
    fn read(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (chain, seq, hash) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        let said = words.next()?.parse().ok()?;
        let over = match words.next()? {
            "over" => true,
            "open" => false,
            _ => return None,
        };
        let hex =
            |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let head = Head { chain: chain.to_owned(), seq, hash: hash.to_owned() };
        (hex(chain, 32) && hex(hash, 64)).then_some(Self { head, said, over })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(chain: u8, seq: u64) -> Head {
        Head { chain: format!("{chain:032x}"), seq, hash: format!("{seq:064x}") }
    }

    #[test]
    fn a_chain_that_ended_is_named_once_and_by_another() {
        let mut register = Register::default();
        register.note(head(1, 7), 100, false);
        register.note(head(1, 9), 200, true);
        register.note(head(2, 3), 200, false);
        assert_eq!(register.take(&head(1, 0).chain, 300), None, "it does not name itself");
        assert_eq!(register.take(&head(2, 0).chain, 300), Some(head(1, 9)));
        assert_eq!(register.take(&head(2, 0).chain, 300), None);
    }

    #[test]
    fn a_chain_whose_worker_is_silent_has_ended() {
        let mut register = Register::default();
        register.note(head(1, 7), 100, false);
        assert_eq!(register.take(&head(2, 0).chain, 100 + SILENT - 1), None);
        assert_eq!(register.take(&head(2, 0).chain, 100 + SILENT), Some(head(1, 7)));
        // Its worker was only slow: it is there again.
        register.note(head(1, 8), 200 + SILENT, false);
        assert_eq!(register.take(&head(2, 0).chain, 200 + SILENT), None);
    }

    #[test]
    fn a_clock_that_is_set_back_ends_no_chain() {
        let mut register = Register::default();
        register.note(head(1, 7), 100 + SILENT, false);
        assert_eq!(register.take(&head(2, 0).chain, 0), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in proptest::collection::vec((any::<u8>(), any::<u64>(), any::<u64>(), any::<bool>()), 0..20)) {
            let mut register = Register::default();
            for (chain, seq, said, over) in entries {
                register.note(head(chain, seq), said, over);
            }
            prop_assert_eq!(Register::read(&register.write()), register);
        }

        #[test]
        fn no_bytes_trap_it_and_it_is_bounded(bytes in "([0-9a-f]{32} [0-9]{1,25} [0-9a-f]{64} [0-9]{1,20} (over|open|x)\n|.{0,9}){0,9}") {
            let mut register = Register::read(bytes.as_bytes());
            register.note(head(1, 1), 1, true);
            while register.take("", u64::MAX).is_some() {}
            prop_assert_eq!(register, Register::default());
        }
    }

    #[test]
    fn a_register_that_is_full_takes_no_more() {
        let mut register = Register::default();
        for n in 0..=MOST as u64 {
            register.note(Head { chain: format!("{n:032x}"), ..head(0, n) }, n, false);
        }
        assert_eq!(Register::read(&register.write()).0.len(), MOST);
    }
}
