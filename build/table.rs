//! The table of detectors as it is written.
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};
use serde::Deserialize;

/// A set of bytes.
pub type Bytes = [bool; 256];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(rename = "detector")]
    pub detectors: Vec<Detector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    pub entity: String,
    #[serde(default)]
    pub sets: Vec<String>,
    pub pattern: String,
    #[serde(default)]
    verbose: bool,
    not_after: String,
    #[serde(default)]
    not_before: String,
    pub validator: Option<String>,
    #[serde(default)]
    pub longest_only: bool,
    #[serde(default)]
    pub past_limit: bool,
    pub anchor: Option<char>,
    pub matches: Vec<String>,
    pub misses: Vec<String>,
    #[serde(skip)]
    pub left: Vec<bool>,
    #[serde(skip)]
    pub right: Vec<bool>,
}

impl Table {
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut table: Self = toml::from_str(source).map_err(|e| e.to_string())?;
        if table.detectors.len() > 64 || table.entities().len() > 63 {
            return Err("more than 64 detectors or 63 entities: widen the masks".into());
        }
        for detector in &mut table.detectors {
            if detector.verbose {
                detector.pattern = format!("(?x:{})", detector.pattern.trim());
            }
            detector.left = byte_set(&detector.not_after)?.to_vec();
            detector.right = byte_set(&detector.not_before)?.to_vec();
        }
        Ok(table)
    }

    /// The names of the entities, in the order of the table.
    pub fn entities(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for detector in &self.detectors {
            if !names.contains(&detector.entity.as_str()) {
                names.push(&detector.entity);
            }
        }
        names
    }
}

impl Detector {
    pub fn hir(&self) -> Result<Hir, String> {
        parse(&self.pattern).map_err(|e| format!("{}: {e}", self.entity))
    }
}

fn parse(pattern: &str) -> Result<Hir, String> {
    ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).map_err(|e| e.to_string())
}

/// The bytes of one class, written as a pattern of one byte; empty for nothing.
fn byte_set(class: &str) -> Result<Bytes, String> {
    let mut set = [false; 256];
    if class.is_empty() {
        return Ok(set);
    }
    match parse(class)?.kind() {
        HirKind::Class(Class::Bytes(bytes)) => {
            bytes.iter().for_each(|range| set[range.start() as usize..=range.end() as usize].fill(true));
        }
        HirKind::Literal(literal) if literal.0.len() == 1 => set[literal.0[0] as usize] = true,
        _ => return Err(format!("{class} is not a class of bytes")),
    }
    Ok(set)
}
