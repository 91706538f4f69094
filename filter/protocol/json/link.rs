//! Addresses that lead back to the provider.

/// Where an address is on the way to its path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Lead {
    slashes: u8,
    begun: bool,
}

/// Slashes up to and with the one that begins the path of `https://host/path`.
const OF_A_PATH: u8 = 3;

impl Lead {
    /// Parts the next piece of an address, as JSON has it, at where its path begins. What is a path already is all path.
    pub(crate) fn part<'b>(&mut self, piece: &'b [u8]) -> (&'b [u8], &'b [u8]) {
        if !self.begun && !piece.is_empty() {
            self.begun = true;
            // A slash may be escaped.
            if matches!(piece.first(), Some(b'/' | b'\\')) {
                self.slashes = OF_A_PATH;
            }
        }
        if self.slashes >= OF_A_PATH {
            return (&[], piece);
        }
        let path = piece.iter().position(|&byte| {
            self.slashes = self.slashes.saturating_add(u8::from(byte == b'/'));
            self.slashes >= OF_A_PATH
        });
        piece.split_at_checked(path.unwrap_or(piece.len())).unwrap_or((piece, &[]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(address: &str, cut: usize) -> String {
        let mut lead = Lead::default();
        let (first, second) = address.as_bytes().split_at(cut.min(address.len()));
        let kept = [lead.part(first).1, lead.part(second).1].concat();
        String::from_utf8(kept).unwrap()
    }

    #[test]
    fn an_address_keeps_its_path_alone_wherever_it_is_cut() {
        for (address, path) in [
            ("https://api.example.com/v1/messages/batches/b_1/results", "/v1/messages/batches/b_1/results"),
            ("http://127.0.0.1:80/a?b=c//d", "/a?b=c//d"),
            (r"https:\/\/api.example.com\/v1\/x", r"/v1\/x"),
            ("/v1/x//y", "/v1/x//y"),
            (r"\/v1\/x", r"\/v1\/x"),
            ("https://api.example.com", ""),
            ("", ""),
        ] {
            for cut in 0..=address.len() {
                assert_eq!(kept(address, cut), path, "{address} cut at {cut}");
            }
        }
    }
}
