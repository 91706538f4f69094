//! The texts: made here, from a fixed seed.

/// What makes a scanner start, again and again, for nothing.
#[rustfmt::skip]
pub const ADVERSARIAL: &[&str] = &[
    "sk-sk-sk-", "a:b:", "00:1A:2b:", "4 1 4 1 ", "a@a@", "a.", "a@a.", "4111 ",
    "4111-1111-1111-1112 ", "1.1.1.", "aaaaaaaa", "eyJ", "eyJaaaaaaaaaa.", "+1 ", "+1 2 3 4 ",
    "AKIA", "-----BEGIN ", "DE89 ", "ghp_", "de12 abcd ", ":::", "536-90-", "0", "%34%31%31%31%20",
    "%%%", "４１１１ ", "ｊａｎｅ＠", "4\u{200b}1\u{ad}",
];

/// A text as a name: spaces are seen, and what has no shape is written as its number.
pub fn shown(unit: &str) -> String {
    unit.escape_debug().to_string().replace(' ', "␣")
}

/// A fixed pseudo-random sequence (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// Loaded with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % sides as u64) as usize
    }

    /// One of them.
    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len())]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + self.roll(10) as u8)).collect()
    }

    fn token(&mut self, count: usize) -> String {
        let alphabet = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
        (0..count).map(|_| char::from(alphabet[self.roll(alphabet.len())])).collect()
    }
}

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "the", "of", "and", "to", "in", "a", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on",
    "not", "he", "this", "are", "or", "his", "from", "at", "which", "but", "have", "an", "had", "they",
    "you", "were", "their", "one", "all", "we", "can", "her", "has", "there", "been", "if", "more", "when",
    "will", "would", "who", "so", "no", "model", "retrieval", "document", "answer", "question", "context",
    "because", "policy", "however", "therefore", "increase", "decade", "feedback", "database", "facade",
    "language", "customer", "agreement", "section", "quarter", "revenue", "approximately", "significant",
    "skeleton", "disk", "task", "I'd", "don't", "well-known", "state-of-the-art", "café", "naïve", "Zürich",
    "“quoted”", "—", "Additionally,", "Beef", "Abba",
];

fn prose(dice: &mut Dice, out: &mut String) {
    for _ in 0..dice.roll(14) + 5 {
        out.push_str(dice.pick(WORDS));
        out.push_str(if dice.roll(12) == 0 { ", " } else { " " });
    }
    out.push_str(if dice.roll(5) == 0 { "\n\n" } else { "of course. " });
    if dice.roll(20) == 0 {
        out.push_str(&format!(
            "In {} it was {}% of ${}. ",
            1900 + dice.roll(130),
            dice.roll(100),
            dice.roll(100_000)
        ));
    }
}

fn docs(dice: &mut Dice, out: &mut String) {
    match dice.roll(8) {
        0 => out.push_str(&format!(
            "let {} = std::fs::read_to_string(\"{}.rs\")?;\n",
            dice.pick(WORDS),
            dice.pick(WORDS)
        )),
        1 => out.push_str(&format!(
            "2024-0{}-1{}T12:34:56.{}Z INFO {}: took {} ms\n",
            dice.roll(9) + 1,
            dice.roll(9),
            dice.digits(3),
            dice.pick(WORDS),
            dice.roll(900)
        )),
        2 => out.push_str(&format!(
            "| {} | {} | v{}.{}.{} |\n",
            dice.pick(WORDS),
            dice.digits(5),
            dice.roll(9),
            dice.roll(30),
            dice.roll(20)
        )),
        3 => out.push_str(&format!("{{\"id\": \"{}\", \"score\": 0.{}}}\n", dice.token(22), dice.digits(9))),
        4 => out.push_str(&format!(
            "See https://docs.example/{}/{}#{} for more.\n",
            dice.pick(WORDS),
            dice.pick(WORDS),
            dice.token(6)
        )),
        5 => out.push_str(&format!(
            "commit {}\n",
            (0..40).map(|_| dice.pick(&["0", "1", "7", "a", "c", "f"])).collect::<String>()
        )),
        _ => prose(dice, out),
    }
}

fn personal(dice: &mut Dice, out: &mut String, planted: &mut Vec<String>) {
    prose(dice, out);
    planted.push(value(dice));
    out.push_str(&planted[planted.len() - 1]);
    out.push(' ');
}

fn dense(dice: &mut Dice, out: &mut String, planted: &mut Vec<String>) {
    planted.push(value(dice));
    out.push_str(&format!("{}: {}\n", dice.pick(WORDS), planted[planted.len() - 1]));
}

fn value(dice: &mut Dice) -> String {
    match dice.roll(10) {
        0 | 1 => format!("{}.{}@{}.example.com", dice.pick(WORDS), dice.token(5), dice.token(8)),
        2 => format!("({}) {}-{}", 212 + dice.roll(500), 212 + dice.roll(700), dice.digits(4)),
        3 => format!("{}-{}-{}", 100 + dice.roll(500), 10 + dice.roll(80), 1000 + dice.roll(8000)),
        4 => "4111 1111 1111 1111".into(),
        5 => format!("10.{}.{}.{}", dice.roll(256), dice.roll(256), dice.roll(256)),
        6 => format!("2001:db8:{:x}::{:x}:{:x}", dice.roll(65536), dice.roll(65536), dice.roll(65536)),
        7 => format!("ghp_{}", dice.token(36)),
        8 => "DE89 3704 0044 0532 0130 00".into(),
        _ => format!("+44 20 7946 0{}", dice.digits(3)),
    }
}

/// One text, and the values that were put into it on purpose, in their order.
pub struct Corpus {
    pub name: &'static str,
    pub text: String,
    pub planted: Vec<String>,
}

/// The four texts, of `size` bytes at least each. The same on every machine.
pub fn corpora(size: usize) -> Vec<Corpus> {
    type Fill = fn(&mut Dice, &mut String, &mut Vec<String>);
    let made: [(&'static str, Fill); 4] = [
        ("prose", |dice, out, _| prose(dice, out)),
        ("docs", |dice, out, _| docs(dice, out)),
        ("personal", personal),
        ("dense", dense),
    ];
    let make = |name, fill: Fill| {
        let (mut dice, mut text, mut planted) = (Dice(7), String::new(), Vec::new());
        while text.len() < size {
            fill(&mut dice, &mut text, &mut planted);
        }
        Corpus { name, text, planted }
    };
    made.into_iter().map(|(name, fill)| make(name, fill)).collect()
}
