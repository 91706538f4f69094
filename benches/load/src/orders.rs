//! One order is one line: a verb, then `key=value` words. A key may come several times.

use std::io;
use std::str::FromStr;
use std::time::Duration;

use crate::wire::broken;

/// A parsed line.
#[derive(Debug, Clone, Default)]
pub struct Order {
    pub verb: String,
    values: Vec<(String, String)>,
}

impl Order {
    pub fn parse(line: &str) -> Self {
        let mut words = line.split_whitespace();
        let verb = words.next().unwrap_or_default().to_owned();
        let values =
            words.filter_map(|word| word.split_once('=')).map(|(key, value)| (key.into(), value.into()));
        Self { verb, values: values.collect() }
    }

    pub fn texts(&self, key: &str) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// How many of a key's texts occur in `text`.
    pub fn occurring(&self, key: &str, text: &str) -> usize {
        self.texts(key).filter(|value| text.contains(value)).count()
    }

    pub fn text(&self, key: &str) -> io::Result<&str> {
        let found = self.values.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        found.ok_or_else(|| broken(&format!("`{}` needs {key}=", self.verb)))
    }

    fn parsed<T: FromStr>(&self, key: &str) -> io::Result<T> {
        let text = self.text(key)?;
        text.parse().map_err(|_| broken(&format!("{key}={text} is not a number that fits")))
    }

    pub fn count(&self, key: &str) -> io::Result<usize> {
        self.parsed(key)
    }

    pub fn port(&self) -> io::Result<u16> {
        self.parsed("port")
    }

    pub fn seconds(&self) -> io::Result<Duration> {
        self.parsed("seconds").map(Duration::from_secs_f64)
    }

    pub fn milliseconds(&self, key: &str) -> io::Result<Duration> {
        self.parsed(key).map(Duration::from_millis)
    }
}
