//! Whole requests in a closed loop: each connection sends the next when it has the answer to the last.
//!
//! With a file of tokens, one a line, each request has the next of them where the request's file says `{token}`.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    first_status: usize,
    began: u64,
    ended: u64,
}

/// What is sent, in turns.
struct Requests {
    all: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Requests {
    fn read(order: &Order) -> io::Result<Self> {
        let request = std::fs::read(order.text("file")?)?;
        let all = match order.texts("tokens").next() {
            None => vec![request],
            Some(file) => {
                let request = String::from_utf8_lossy(&request);
                let tokens = std::fs::read_to_string(file)?;
                tokens.lines().map(|token| request.replace("{token}", token).into_bytes()).collect()
            }
        };
        let first = order
            .texts("first")
            .next()
            .map_or(Ok(0), str::parse)
            .map_err(|_| broken("first= is no number"))?;
        if all.is_empty() { Err(broken("no token")) } else { Ok(Self { all, next: AtomicUsize::new(first) }) }
    }

    fn next(&self) -> &[u8] {
        &self.all[self.next.fetch_add(1, Ordering::Relaxed) % self.all.len()]
    }
}

/// `requests port= file= connections= seconds= [tokens= [first=]] [status=] [must=] [never=] [count=]`: the answers' latencies,
/// and how many of the texts to `count` the first answer has. `status` may come several times; how many answers had the
/// first of them is told (`first_status`).
pub fn run(order: &Order) -> io::Result<String> {
    let requests = Arc::new(Requests::read(order)?);
    let connections = order.count("connections")?;
    let start = Arc::new(Barrier::new(connections));
    let mut threads = Vec::new();
    for _ in 0..connections {
        let (order, requests, start) = (order.clone(), Arc::clone(&requests), Arc::clone(&start));
        threads.push(thread::spawn(move || {
            let ready = Wire::connect(order.port()?);
            start.wait();
            repeat(ready?, &requests, &order)
        }));
    }
    let mut latencies = Vec::new();
    let (mut all, mut counted, mut first_status, mut began, mut ended) = (0, 0, 0, u64::MAX, 0);
    for thread in threads {
        let tally = thread.join().map_err(|_| broken("a client thread died"))??;
        latencies.extend(tally.latencies);
        all += tally.all;
        first_status += tally.first_status;
        counted = counted.max(tally.counted);
        began = began.min(tally.began);
        ended = ended.max(tally.ended);
    }
    let seconds = (ended - began) as f64 / 1e9;
    Ok(Figures::new()
        .number("requests_per_second", latencies.len() as f64 / seconds)
        .number("all_requests", all as f64)
        .number("counted", counted as f64)
        .number("first_status", first_status as f64)
        .durations("latency", latencies)
        .finish())
}

/// The first tenth of the time warms up; only what was asked after it counts.
fn repeat(mut wire: Wire, requests: &Requests, order: &Order) -> io::Result<Tally> {
    let span = order.seconds()?;
    wire.patience(Duration::from_secs(10))?;
    let warm = now() + span.as_nanos() as u64 / 10;
    let end = now() + span.as_nanos() as u64;
    let mut tally = Tally {
        latencies: Vec::with_capacity(1 << 16),
        all: 0,
        counted: 0,
        first_status: 0,
        began: 0,
        ended: 0,
    };
    let mut body = Vec::new();
    let mut first = None;
    let statuses = statuses(order)?;
    loop {
        let sent = now();
        if sent >= end {
            tally.ended = sent;
            return Ok(tally);
        }
        wire.write(requests.next())?;
        let head = wire.head()?;
        wire.body(head, &mut body)?;
        let answered = now();
        tally.all += 1;
        tally.first_status += usize::from(head.status == statuses[0]);
        if sent >= warm {
            if tally.began == 0 {
                tally.began = sent;
            }
            tally.latencies.push(answered - sent);
        }
        // All answers are alike: the first is read, the others are compared with it by status and size.
        match first {
            None => {
                check(head.status, &body, order)?;
                first = Some((head.status, body.len()));
                tally.counted = order.occurring("count", &String::from_utf8_lossy(&body));
            }
            Some(seen) if seen == (head.status, body.len()) => {}
            Some(_) if statuses.len() > 1 && statuses.contains(&head.status) => {}
            Some(_) => return Err(unexpected(head.status, &body)),
        }
    }
}

/// The statuses that answers may have; 200 alone unless told.
fn statuses(order: &Order) -> io::Result<Vec<u16>> {
    let told: Result<Vec<u16>, _> = order.texts("status").map(str::parse).collect();
    let told = told.map_err(|_| broken("status= is no number"))?;
    Ok(if told.is_empty() { vec![200] } else { told })
}

fn check(status: u16, body: &[u8], order: &Order) -> io::Result<()> {
    let text = std::str::from_utf8(body).map_err(|_| broken("an answer that is not text"))?;
    let has_all = order.texts("must").all(|must| text.contains(must));
    let has_none = !order.texts("never").any(|never| text.contains(never));
    if statuses(order)?.contains(&status) && has_all && has_none {
        Ok(())
    } else {
        Err(unexpected(status, body))
    }
}

fn unexpected(status: u16, body: &[u8]) -> io::Error {
    let shown = String::from_utf8_lossy(&body[..body.len().min(600)]).into_owned();
    broken(&format!("unexpected answer, status {status}: {shown}"))
}
