//! Whole requests in a closed loop: each connection sends the next when it has the answer to the last.

use std::io;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use crate::figures::{Figures, now};
use crate::orders::Order;
use crate::wire::{Wire, broken};

struct Tally {
    latencies: Vec<u64>,
    all: usize,
    counted: usize,
    began: u64,
    ended: u64,
}

/// `requests port= file= connections= seconds= [must=] [never=] [count=]`: the answers' latencies, and how many of
/// the texts to `count` the first answer has.
pub fn run(order: &Order) -> io::Result<String> {
    let request: Arc<Vec<u8>> = Arc::new(std::fs::read(order.text("file")?)?);
    let connections = order.count("connections")?;
    let start = Arc::new(Barrier::new(connections));
    let mut threads = Vec::new();
    for _ in 0..connections {
        let (order, request, start) = (order.clone(), Arc::clone(&request), Arc::clone(&start));
        threads.push(thread::spawn(move || {
            let ready = Wire::connect(order.port()?);
            start.wait();
            repeat(ready?, &request, &order)
        }));
    }
    let mut latencies = Vec::new();
    let (mut all, mut counted, mut began, mut ended) = (0, 0, u64::MAX, 0);
    for thread in threads {
        let tally = thread.join().map_err(|_| broken("a client thread died"))??;
        latencies.extend(tally.latencies);
        all += tally.all;
        counted = counted.max(tally.counted);
        began = began.min(tally.began);
        ended = ended.max(tally.ended);
    }
    let seconds = (ended - began) as f64 / 1e9;
    Ok(Figures::new()
        .number("requests_per_second", latencies.len() as f64 / seconds)
        .number("all_requests", all as f64)
        .number("counted", counted as f64)
        .durations("latency", latencies)
        .finish())
}

/// The first tenth of the time warms up; only what was asked after it counts.
fn repeat(mut wire: Wire, request: &[u8], order: &Order) -> io::Result<Tally> {
    let span = order.seconds()?;
    wire.patience(Duration::from_secs(10))?;
    let warm = now() + span.as_nanos() as u64 / 10;
    let end = now() + span.as_nanos() as u64;
    let mut tally = Tally { latencies: Vec::with_capacity(1 << 16), all: 0, counted: 0, began: 0, ended: 0 };
    let mut body = Vec::new();
    let mut first = None;
    loop {
        let sent = now();
        if sent >= end {
            tally.ended = sent;
            return Ok(tally);
        }
        wire.write(request)?;
        let head = wire.head()?;
        wire.body(head, &mut body)?;
        let answered = now();
        tally.all += 1;
        if sent >= warm {
            if tally.began == 0 {
                tally.began = sent;
            }
            tally.latencies.push(answered - sent);
        }
        // All answers are alike: the first is read, the others are compared with it by status and size.
        match first {
            None => {
                first = Some((check(head.status, &body, order)?, body.len()));
                tally.counted = order.occurring("count", &String::from_utf8_lossy(&body));
            }
            Some(seen) if seen == (head.status, body.len()) => {}
            Some(_) => return Err(unexpected(head.status, &body)),
        }
    }
}

fn check(status: u16, body: &[u8], order: &Order) -> io::Result<u16> {
    let text = std::str::from_utf8(body).map_err(|_| broken("an answer that is not text"))?;
    let has_all = order.texts("must").all(|must| text.contains(must));
    let has_none = !order.texts("never").any(|never| text.contains(never));
    if status == 200 && has_all && has_none { Ok(status) } else { Err(unexpected(status, body)) }
}

fn unexpected(status: u16, body: &[u8]) -> io::Error {
    let shown = String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
    broken(&format!("unexpected answer, status {status}: {shown}"))
}
