//! Streamed answers: how many events a second pass, and how much later than written they arrive.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::answers::{self, Text};
use crate::figures::{Figures, now};
use crate::orders::Order;
use crate::upstream::{ENDLESS_WORD, Plan, Plans, Rhythm, STACK};
use crate::wire::{Wire, broken, is_timeout};

/// An event that has not come after so long is held back by the proxy.
const HELD: Duration = Duration::from_millis(50);

/// What has not come after so long never will. A machine with other work may let a stream stand for seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends the request in `file` with the number of a prepared stream, and reads the answer's head.
fn ask(wire: &mut Wire, order: &Order, number: u64) -> io::Result<()> {
    let request = std::fs::read_to_string(order.text("file")?)?;
    wire.patience(PATIENCE)?;
    wire.write(request.replace("{stream}", &number.to_string()).as_bytes())
}

fn open(wire: &mut Wire) -> io::Result<()> {
    let head = wire.head()?;
    if head.status == 200 && head.chunked {
        return Ok(());
    }
    let mut body = Vec::new();
    wire.body(head, &mut body)?;
    let shown = String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
    Err(broken(&format!("no stream but status {}: {shown}", head.status)))
}

/// Runs `client` in `streams=` threads and gathers what they give.
fn gather<T: Send + 'static>(
    order: &Order,
    client: impl Fn(&Order) -> io::Result<T> + Send + Sync + 'static,
) -> io::Result<Vec<T>> {
    let client = Arc::new(client);
    let mut threads = Vec::new();
    for _ in 0..order.count("streams")? {
        let (order, client) = (order.clone(), Arc::clone(&client));
        threads.push(thread::Builder::new().stack_size(STACK).spawn(move || client(&order))?);
    }
    threads.into_iter().map(|thread| thread.join().map_err(|_| broken("a client thread died"))?).collect()
}

/// `flood port= file= streams= batch= seconds= [tiny=1]`: events a second of streams that pour as fast as they are read, so
/// that one read of the proxy holds many events. The text of the first events is checked by `must=` and `never=`.
pub fn flood(order: &Order, plans: &Plans) -> io::Result<String> {
    let plans = plans.clone();
    let counts = gather(order, move |order| {
        let mut wire = Wire::connect(order.port()?)?;
        ask(
            &mut wire,
            order,
            plans.add(Plan::Flood { batch: order.count("batch")?, tiny: order.text("tiny").is_ok() }),
        )?;
        open(&mut wire)?;
        let span = order.seconds()?.as_nanos() as u64;
        let (warm, end) = (now() + span / 10, now() + span);
        let (mut warm_events, mut all, mut begin) = (0, 0, None);
        let mut chunk = Vec::new();
        let (mut opening, mut counted) = (Some(Vec::new()), 0);
        while now() < end {
            chunk.clear();
            if !wire.chunk(&mut chunk)? {
                return Err(broken("the stream ended early"));
            }
            all += newlines(&chunk) / 2;
            counted += look(&mut opening, &chunk, order)?;
            if now() < warm {
                warm_events = all;
                begin = Some(now());
            }
        }
        let seconds = (now() - begin.unwrap_or(warm)) as f64 / 1e9;
        Ok(((all - warm_events) as f64 / seconds, all, counted))
    })?;
    Ok(Figures::new()
        .number("events_per_second", counts.iter().map(|(rate, ..)| rate).sum())
        .number("all_events", counts.iter().map(|(_, all, _)| *all as f64).sum())
        .number("counted", counts.iter().map(|(.., counted)| *counted).max().unwrap_or(0) as f64)
        .finish())
}

fn newlines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// Keeps the stream's opening until it holds the whole text twice, then reads it once.
fn look(opening: &mut Option<Vec<u8>>, chunk: &[u8], order: &Order) -> io::Result<usize> {
    let Some(seen) = opening else { return Ok(0) };
    seen.extend_from_slice(chunk);
    if newlines(seen) / 2 < 2 * Text::Mixed.fours().len() {
        return Ok(0);
    }
    let text: String = String::from_utf8_lossy(seen).split("\n\n").filter_map(answers::content).collect();
    *opening = None;
    let has_all = order.texts("must").all(|must| text.contains(must));
    let has_none = !order.texts("never").any(|never| text.contains(never));
    if has_all && has_none {
        Ok(order.occurring("count", &text))
    } else {
        Err(broken(&format!("unexpected text in the stream: {text}")))
    }
}

/// `endless port= file= streams= seconds=`: answers of one event that never ends, one after the other: in its place has
/// to come an event that says why, and of the event itself nothing.
pub fn endless(order: &Order, plans: &Plans) -> io::Result<String> {
    let plans = plans.clone();
    let rounds = gather(order, move |order| {
        let end = now() + order.seconds()?.as_nanos() as u64;
        let mut rounds = 0;
        while now() < end {
            refused(order, plans.add(Plan::Endless))?;
            rounds += 1;
        }
        Ok(rounds)
    })?;
    Ok(Figures::new().number("refused", rounds.iter().sum::<usize>() as f64).finish())
}

/// Reads until the stream is refused, and a moment longer.
fn refused(order: &Order, number: u64) -> io::Result<()> {
    let mut wire = Wire::connect(order.port()?)?;
    ask(&mut wire, order, number)?;
    open(&mut wire)?;
    let mut seen = Vec::new();
    while wire.chunk(&mut seen)? && !String::from_utf8_lossy(&seen).contains("\"error\"") {}
    wire.patience(HELD)?;
    while wire.chunk(&mut seen).is_ok_and(|more| more) {}
    let shown = String::from_utf8_lossy(&seen);
    let clean = shown.contains("\"error\"") && !shown.contains(ENDLESS_WORD);
    if clean {
        Ok(())
    } else {
        Err(broken(&format!("an endless event: {}", shown.get(..200).unwrap_or(&shown))))
    }
}

/// `steps port= file= streams= seconds=`: one event at a time: the next is written when the last has arrived, so that
/// every event is a read of the proxy of its own, as it is with a model.
pub fn steps(order: &Order, plans: &Plans) -> io::Result<String> {
    let plans = plans.clone();
    let runs = gather(order, move |order| step_through(order, &plans))?;
    let all = runs.iter().map(|run| run.0.len()).sum::<usize>() as f64;
    let held = runs.iter().map(|run| run.1).sum::<usize>() as f64;
    let rate = runs.iter().map(|run| run.0.len() as f64 / run.2).sum();
    Ok(Figures::new()
        .number("events_per_second", rate)
        .number("all_events", all)
        .number("held", held)
        .durations("delay", runs.into_iter().flat_map(|run| run.0).collect())
        .finish())
}

/// Delays of the events, how many were held back, and the seconds it took.
fn step_through(order: &Order, plans: &Plans) -> io::Result<(Vec<u64>, usize, f64)> {
    let (give, taken) = mpsc::channel();
    let (done, back) = mpsc::channel();
    let mut wire = Wire::connect(order.port()?)?;
    ask(&mut wire, order, plans.add(Plan::Lent { give, back }))?;
    let upstream =
        taken.recv_timeout(PATIENCE).map_err(|_| broken("the request never reached the upstream"))?;
    let mut upstream = Wire::new(upstream)?;
    upstream.write(answers::STREAM_HEAD)?;
    upstream.write(&answers::event(0, ""))?;
    open(&mut wire)?;
    wire.patience(HELD)?;
    let events: Vec<Vec<u8>> =
        Text::Mixed.tokens().iter().enumerate().map(|(at, token)| answers::event(at + 1, token)).collect();
    let (mut delays, mut held, mut behind) = (Vec::with_capacity(1 << 16), 0, 1_usize);
    let mut chunk = Vec::new();
    let began = now();
    let end = began + order.seconds()?.as_nanos() as u64;
    for event in events.iter().cycle() {
        let written = now();
        if written >= end {
            break;
        }
        upstream.write(event)?;
        behind += 1;
        chunk.clear();
        while behind > 0 {
            match wire.chunk(&mut chunk) {
                Ok(true) => {}
                Ok(false) => return Err(broken("the stream ended early")),
                Err(error) if is_timeout(&error) => {
                    held += 1;
                    break;
                }
                Err(error) => return Err(error),
            }
            let whole = newlines(&chunk) / 2;
            if whole > 0 {
                behind = behind.saturating_sub(whole);
                chunk.clear();
            }
        }
        delays.push(now() - written);
    }
    let seconds = (now() - began) as f64 / 1e9;
    upstream.write(&answers::stream_end())?;
    let _ = done.send(());
    Ok((delays, held, seconds))
}

/// A fixed pseudo-random sequence (splitmix64).
struct Chance(u64);

impl Chance {
    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) as f64 / u64::MAX as f64
    }
}

#[derive(Default)]
struct Delays {
    first_event: Vec<u64>,
    first_text: Vec<u64>,
    event: Vec<u64>,
    text: Vec<u64>,
}

/// `paced port= file= streams= events= first= every= seconds= [pause=]` (milliseconds but for `seconds`): streams in a
/// model's rhythm, one after the other in `streams` lanes. All lanes begin at once and stay in step; with a `pause` each
/// waits before each stream, by chance and at most so long, as streams of many callers come. An event's delay is from its write to the read that brought it, a
/// text's until all characters up to its end are there. The first event with text counts as the first token.
pub fn paced(order: &Order, plans: &Plans) -> io::Result<String> {
    let plans = plans.clone();
    let pause = order.milliseconds("pause").unwrap_or_default();
    let begun = AtomicU64::new(0);
    let lanes = gather(order, move |order| {
        let mut chance = Chance(begun.fetch_add(1, Ordering::Relaxed));
        let end = now() + order.seconds()?.as_nanos() as u64;
        let mut delays = Delays::default();
        while now() < end {
            thread::sleep(pause.mul_f64(chance.roll()));
            follow(order, &plans, &mut delays)?;
        }
        Ok(delays)
    })?;
    let mut all = Delays::default();
    for lane in lanes {
        all.first_event.extend(lane.first_event);
        all.first_text.extend(lane.first_text);
        all.event.extend(lane.event);
        all.text.extend(lane.text);
    }
    Ok(Figures::new()
        .durations("first_event", all.first_event)
        .durations("first_text", all.first_text)
        .durations("event", all.event)
        .durations("text", all.text)
        .finish())
}

fn follow(order: &Order, plans: &Plans, delays: &mut Delays) -> io::Result<()> {
    let events = order.count("events")?;
    let written: Arc<Vec<AtomicU64>> = Arc::new((0..events).map(|_| AtomicU64::new(0)).collect());
    let (first, every) = (order.milliseconds("first")?, order.milliseconds("every")?);
    let mut wire = Wire::connect(order.port()?)?;
    ask(&mut wire, order, plans.add(Plan::Paced(Rhythm { first, every, written: Arc::clone(&written) })))?;
    open(&mut wire)?;
    let since = |number: usize, then: u64| {
        written.get(number).map(|at| then.saturating_sub(at.load(Ordering::Acquire)))
    };
    let tokens = Text::Prose.tokens();
    let lengths: Vec<usize> =
        tokens.iter().cycle().take(events.saturating_sub(1)).map(|token| token.chars().count()).collect();
    let (mut seen, mut texts, mut text_end) = (0, 0, lengths.first().copied().unwrap_or(0));
    let mut pending = Vec::new();
    while wire.chunk(&mut pending)? {
        let arrived = now();
        let Some(whole) = pending.windows(2).rposition(|two| two == b"\n\n") else { continue };
        let part: Vec<u8> = pending.drain(..whole + 2).collect();
        for event in String::from_utf8_lossy(&part).split("\n\n") {
            if let Some(number) = answers::number(event) {
                let delay = since(number, arrived);
                delays.event.extend(delay);
                delays.first_event.extend(delay.filter(|_| number == 1));
            }
            let characters = answers::content(event).map_or(0, |text| text.chars().count());
            if seen == 0 && characters > 0 {
                delays.first_text.extend(since(1, arrived));
            }
            seen += characters;
        }
        while texts < lengths.len() && seen >= text_end {
            delays.text.extend(since(texts + 1, arrived));
            texts += 1;
            text_end += lengths.get(texts).copied().unwrap_or(0);
        }
    }
    if texts < lengths.len() {
        return Err(broken(&format!(
            "a stream lost text: {seen} characters of {}",
            lengths.iter().sum::<usize>()
        )));
    }
    Ok(())
}
