//! What the upstream answers: a chat completion of 2 KB, and its stream in events of 336 bytes.
//!
//! The whole answer and the flood hold an e-mail address, a payment card and a key among prose, in pieces of a
//! token's size; the paced stream is prose alone, so that its text can be followed by counting characters.

/// Size of one event with its empty line: what OpenAI's chat events of one token have.
pub const EVENT_BYTES: usize = 336;

const PROSE: &str = " The handbook says that a traveller books through the portal, keeps every receipt and files \
the report within ten days. Meals are paid up to the daily rate of the country, hotels up to the limit that the \
table gives, and trains are preferred to flights under four hours. Who needs more asks the lead before the trip, \
not after it, and states the reason in one sentence. Costs without a receipt are paid only where none could be \
had. The office answers questions in the mornings, and the form explains itself in the other cases. A trip that \
falls through is cancelled in the portal as well, so that nobody waits at a door.";

const ENTITIES: &str = " Write to ana.kovac@example.com, or pay with the card 4111 1111 1111 1111 and the key \
AKIAIOSFODNN7EXAMPLE.";

/// Which text a stream carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text {
    /// Prose alone: nothing in it is masked.
    Prose,
    /// Prose with entities.
    Mixed,
}

impl Text {
    fn whole(self) -> String {
        match self {
            Text::Prose => PROSE.to_owned(),
            Text::Mixed => format!("{PROSE}{ENTITIES}"),
        }
    }

    /// The text in a tokenizer's manner: a word with the space before it, long words in pieces.
    pub fn tokens(self) -> Vec<String> {
        let whole = self.whole();
        let mut tokens = Vec::new();
        for word in
            whole.split_inclusive(' ').map(|word| word.trim_end_matches(' ')).filter(|word| !word.is_empty())
        {
            let word: Vec<char> = format!(" {word}").chars().collect();
            tokens.extend(word.chunks(6).map(|piece| piece.iter().collect::<String>()));
        }
        tokens
    }

    /// The text in pieces of four characters.
    pub fn fours(self) -> Vec<String> {
        let whole: Vec<char> = self.whole().chars().collect();
        whole.chunks(4).map(|piece| piece.iter().collect()).collect()
    }
}

/// The answer in one body of about 2 KB, with its head.
pub fn whole() -> Vec<u8> {
    let content = format!("{PROSE}{ENTITIES}{PROSE}{}", PROSE.get(..300).unwrap_or_default());
    let body = format!(
        "{{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1763800000,\
         \"model\":\"gpt-4o-mini\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",\
         \"content\":\"{content}\",\"refusal\":null}},\"logprobs\":null,\"finish_reason\":\"stop\"}}],\
         \"usage\":{{\"prompt_tokens\":230,\"completion_tokens\":390,\"total_tokens\":620}},\
         \"system_fingerprint\":\"fp_bench\"}}"
    );
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    format!("{head}{body}").into_bytes()
}

/// The head of a streamed answer.
pub const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";

/// What ends a streamed answer, as OpenAI has it: an event that says why, then the end of all.
pub fn stream_end() -> Vec<u8> {
    let last = "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\
                \"model\":\"gpt-4o-mini\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\
                \"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    format!("{:x}\r\n{last}\r\n0\r\n\r\n", last.len()).into_bytes()
}

/// One event in a chunk of its own. Its number stands in `system_fingerprint`, in letters, for digits could be taken
/// for somebody's number.
pub fn event(number: usize, text: &str) -> Vec<u8> {
    let delta = if number == 0 {
        "{\"role\":\"assistant\",\"content\":\"\"}".to_owned()
    } else {
        format!("{{\"content\":\"{text}\"}}")
    };
    let before = format!(
        "data: {{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1763800000,\
         \"model\":\"gpt-4o-mini\",\"service_tier\":\"default\",{MARK}{}\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"logprobs\":null,\"finish_reason\":null}}],\"obfuscation\":\"",
        letters(number)
    );
    let after = "\"}\n\n";
    let filler = "x".repeat(EVENT_BYTES.saturating_sub(before.len() + after.len()));
    let event = format!("{before}{filler}{after}");
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

/// The smallest event with a piece of text, in a chunk of its own.
pub fn tiny_event(text: &str) -> Vec<u8> {
    let event = format!("{ENDLESS}{text}\"}}}}]}}\n\n");
    format!("{:x}\r\n{event}\r\n", event.len()).into_bytes()
}

/// How an event begins that never ends.
pub const ENDLESS: &str = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"";

const MARK: &str = "\"system_fingerprint\":\"fp_";
const LETTERS: usize = 6;

fn letters(number: usize) -> String {
    (0..LETTERS).rev().map(|place| char::from(b'a' + ((number >> (4 * place)) & 15) as u8)).collect()
}

/// The number of an event; `None` for one that the proxy made itself.
pub fn number(event: &str) -> Option<usize> {
    let (_, rest) = event.split_once(MARK)?;
    let letters = rest.get(..LETTERS)?.bytes();
    Some(letters.fold(0, |number, byte| number << 4 | usize::from(byte.wrapping_sub(b'a'))))
}

/// The text of an event; our texts need no escapes.
pub fn content(event: &str) -> Option<&str> {
    let (_, rest) = event.split_once("\"content\":\"")?;
    rest.split_once('"').map(|(text, _)| text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_size_and_tells_its_number() {
        for (number, text) in [(0, ""), (1, " The"), (123_456, " hand")] {
            let chunk = event(number, text);
            let text_of = std::str::from_utf8(&chunk).unwrap();
            assert_eq!(chunk.len(), EVENT_BYTES + 7, "{text_of}");
            assert_eq!((super::number(text_of), content(text_of)), (Some(number), Some(text)));
        }
    }

    #[test]
    fn tokens_make_up_the_text() {
        assert_eq!(Text::Mixed.tokens().concat(), Text::Mixed.whole());
        assert!(Text::Mixed.tokens().iter().all(|token| token.len() <= 6));
    }

    #[test]
    fn the_whole_answer_has_about_two_kilobytes() {
        assert!((1800..2300).contains(&whole().len()), "{}", whole().len());
    }
}
