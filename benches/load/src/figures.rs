//! Samples to figures, and figures to a line of JSON.

use std::fmt::Write;
use std::sync::OnceLock;
use std::time::Instant;

/// Nanoseconds since this process began to measure: one monotonic clock for client and upstream.
pub fn now() -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// One JSON object on one line, built key by key.
pub struct Figures(String);

impl Figures {
    pub fn new() -> Self {
        Self(String::from("{"))
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        let _ = write!(self.0, "\"{key}\":");
    }

    pub fn number(mut self, key: &str, value: f64) -> Self {
        self.key(key);
        let _ = write!(self.0, "{value}");
        self
    }

    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        let plain = value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
        let _ = write!(self.0, "\"{}\"", plain.replace('\\', "\\\\").replace('"', "\\\""));
        self
    }

    /// Durations in nanoseconds as their count, mean and percentiles in microseconds; `null` without any.
    pub fn durations(mut self, key: &str, mut samples: Vec<u64>) -> Self {
        self.key(key);
        if samples.is_empty() {
            self.0.push_str("null");
            return self;
        }
        samples.sort_unstable();
        let micros = |nanos: u64| nanos as f64 / 1000.0;
        let mean = samples.iter().sum::<u64>() as f64 / samples.len() as f64 / 1000.0;
        let (p50, p90, p99) = (percentile(&samples, 50), percentile(&samples, 90), percentile(&samples, 99));
        let _ = write!(
            self.0,
            "{{\"count\":{},\"mean\":{mean:.3},\"p50\":{},\"p90\":{},\"p99\":{},\"max\":{}}}",
            samples.len(),
            micros(p50),
            micros(p90),
            micros(p99),
            micros(samples.last().copied().unwrap_or(0)),
        );
        self
    }

    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// The smallest sample that at least `percent` of a hundred do not exceed; `sorted` is not empty.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let sorted: Vec<u64> = (1..=200).collect();
        assert_eq!((percentile(&sorted, 50), percentile(&sorted, 99), percentile(&[7], 99)), (100, 198, 7));
    }
}
