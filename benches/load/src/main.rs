//! The load of `make bench`. Prints its ports, then takes one order a line on standard input and answers each with one
//! line of JSON on standard output; ends with its input.

mod answers;
mod figures;
mod orders;
mod requests;
mod streams;
mod upstream;
mod wire;

use std::io::{self, BufRead, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use figures::Figures;
use orders::Order;
use upstream::Plans;

fn main() -> io::Result<()> {
    let plans = Plans::default();
    let sunk = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
    let upstream = upstream::start(plans.clone())?;
    let sink = upstream::start_sink(Arc::clone(&sunk))?;
    say(&Figures::new().number("upstream", upstream.into()).number("sink", sink.into()).finish())?;
    for line in io::stdin().lock().lines() {
        let order = Order::parse(&line?);
        let answer = match order.verb.as_str() {
            "requests" => requests::run(&order),
            "flood" => streams::flood(&order, &plans),
            "endless" => streams::endless(&order, &plans),
            "steps" => streams::steps(&order, &plans),
            "paced" => streams::paced(&order, &plans),
            "sunk" => Ok(Figures::new()
                .number("requests", sunk[0].load(Ordering::Relaxed) as f64)
                .number("bytes", sunk[1].load(Ordering::Relaxed) as f64)
                .finish()),
            other => Err(wire::broken(&format!("no order `{other}`"))),
        };
        say(&answer.unwrap_or_else(|error| Figures::new().text("error", &error.to_string()).finish()))?;
    }
    Ok(())
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
