//! Addresses and keys of cryptocurrencies, really verified: four bytes of a double SHA-256 (Base58Check), the BCH code
//! of BIP 173 and BIP 350 (bech32, bech32m), the mixed case of EIP-55.
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Bech32m};
use sha2::{Digest, Sha256};

/// The payload's length of a Base58Check text (version included), if its checksum is right.
fn base58_check(value: &[u8]) -> Option<usize> {
    let mut decoded = [0u8; 96];
    let len = bs58::decode(value).onto(&mut decoded[..]).ok()?;
    let (payload, checksum) = decoded.get(..len)?.split_at_checked(len.checked_sub(4)?)?;
    let twice = Sha256::digest(Sha256::digest(payload));
    (twice.get(..4) == Some(checksum)).then_some(payload.len())
}

/// An address of Bitcoin, Litecoin, Dogecoin, Dash or Tron: a version and the hash of a key or of a script.
pub fn base58_address(value: &[u8]) -> bool {
    base58_check(value) == Some(21)
}

/// A private key in wallet import format, compressed or not.
pub fn wallet_key(value: &[u8]) -> bool {
    matches!(base58_check(value), Some(33 | 34))
}

/// An extended key of BIP 32, public or private.
pub fn extended_key(value: &[u8]) -> bool {
    base58_check(value) == Some(78)
}

/// An address in bech32 or bech32m.
pub fn bech32_address(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|text| {
        CheckedHrpstring::new::<Bech32>(text).is_ok() || CheckedHrpstring::new::<Bech32m>(text).is_ok()
    })
}

fn keccak_256(input: &[u8]) -> [u64; 4] {
    // Forty bytes are less than one block of 136: they are absorbed at once, with the padding of Keccak (01) and of
    // the block's end (80).
    let mut block = [0u8; 136];
    for (slot, &byte) in block.iter_mut().zip(input) {
        *slot = byte;
    }
    if let Some(after) = block.get_mut(input.len()) {
        *after ^= 0x01;
    }
    if let Some(last) = block.last_mut() {
        *last ^= 0x80;
    }
    let mut state = [0u64; 25];
    for (lane, bytes) in state.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    keccak::Keccak::new().with_f1600(|permute| permute(&mut state));
    let [a, b, c, d, ..] = state;
    [a, b, c, d]
}

/// An Ethereum address whose case is its checksum (EIP-55). One in a single case has none and needs a context.
pub fn ethereum(value: &[u8]) -> bool {
    let Some(hex) = value.strip_prefix(b"0x") else { return false };
    if hex.len() != 40 || !hex.iter().any(u8::is_ascii_uppercase) || !hex.iter().any(u8::is_ascii_lowercase) {
        return false;
    }
    let hash = keccak_256(&hex.to_ascii_lowercase());
    let bytes = hash.iter().flat_map(|lane| lane.to_le_bytes());
    let nibbles = bytes.flat_map(|byte| [byte >> 4, byte & 15]);
    hex.iter()
        .zip(nibbles)
        .all(|(b, nibble)| !b.is_ascii_alphabetic() || b.is_ascii_uppercase() == (nibble > 7))
}

#[cfg(test)]
mod tests {
    use super::super::table;
    use super::*;

    /// Every other character in one place.
    fn spoilt(value: &str, alphabet: &str) -> impl Iterator<Item = String> {
        let step = 1 + value.len() / 8;
        (1..value.len()).step_by(step).flat_map(move |at| {
            let others = alphabet.chars().filter(move |&c| Some(c) != value.chars().nth(at)).step_by(7);
            others.map(move |c| format!("{}{c}{}", &value[..at], &value[at + 1..]))
        })
    }

    #[test]
    fn addresses_are_verified() {
        let good = [
            "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9",
            "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
        ];
        table(base58_address, &good, &["1BoatSLRHtKNngkdXEeobR76b53LETtpyU", "", "0OIl"]);
        let good = [
            "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
        ];
        table(bech32_address, &good, &["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdr", "bc1", ""]);
        let good = [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ];
        let bad = [
            "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed",
            "0x",
        ];
        table(ethereum, &good, &bad);
    }

    #[test]
    fn keys_are_verified() {
        table(
            wallet_key,
            &[
                "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ",
                "KwdMAjGmerYanjeui5SHS7JkmpZvVipYvB2LJGU1ZxJwYvP98617",
            ],
            &["5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTK"],
        );
        let key = concat!(
            "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMR",
            "NNU3TGtRBeJgk33yuGBxrMPHi"
        );
        table(extended_key, &[key], &[&key[..110]]);
    }

    #[test]
    fn one_wrong_character_breaks_an_address() {
        let base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
        spoilt("1BoatSLRHtKNngkdXEeobR76b53LETtpyT", base58)
            .for_each(|bad| assert!(!base58_address(bad.as_bytes()), "{bad}"));
        spoilt("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "qpzry9x8gf2tvdw0s3jn54khce6mua7l")
            .for_each(|bad| assert!(!bech32_address(bad.as_bytes()), "{bad}"));
    }
}
