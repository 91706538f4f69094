//! The table of detectors as it is written.
use serde::Deserialize;

use crate::grammar::{self, Bytes, Fault, MOST_PATTERNS, Row, Side};

/// Candidates are found by a value's first four bytes, or by an anchor.
const SHORTEST: usize = 4;
/// Entities have numbers of nine bits; some are left for a policy set's own.
const MOST_ENTITIES: usize = 320;
/// The groups of rows that name none.
const GENERAL: &str = "general";
const ANCHORED: &str = "anchored";
/// Sets that are no country's.
const SETS: [&str; 4] = ["PII", "SECRETS", "FINANCIAL", "HEALTH"];
/// Validators that take a longer match if they took a shorter one: a longer run of characters has two digits too.
const STEADY: [&str; 3] = ["two_digits", "email", "jwt"];
const MOST_ANCHORS: usize = 8;
const MOST_GROUPS: usize = 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Names of groups that rows may be in, beside the two that rows without a name go to.
    #[serde(default)]
    groups: Vec<String>,
    #[serde(rename = "detector")]
    pub detectors: Vec<Detector>,
}

/// How sure a detector is of what it finds.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Tier {
    /// Nearly never wrong.
    #[default]
    A,
    /// A checksum, with a letter or separators besides.
    B,
    /// Bare digits: only after a word that tells what they are.
    C,
    /// Often wrong: only when asked for by name.
    D,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detector {
    pub entity: String,
    #[serde(default)]
    pub sets: Vec<String>,
    #[serde(default)]
    pub tier: Tier,
    #[serde(default)]
    pub group: String,
    pub pattern: String,
    #[serde(default)]
    verbose: bool,
    not_after: String,
    #[serde(default)]
    not_before: String,
    pub validator: Option<String>,
    #[serde(default)]
    pub context: Vec<String>,
    #[serde(default)]
    pub longest_only: bool,
    #[serde(default)]
    pub past_limit: bool,
    pub anchor: Option<char>,
    /// What is checked beside the pattern, for the reference table.
    #[serde(default)]
    pub about: String,
    pub matches: Vec<String>,
    pub misses: Vec<String>,
    #[serde(skip, default = "nothing")]
    pub left: Bytes,
    #[serde(skip, default = "nothing")]
    pub right: Bytes,
}

fn nothing() -> Bytes {
    [false; 256]
}

/// Rows that share an automaton.
pub struct Group<'a> {
    pub name: &'a str,
    /// The rows, by their places in the table.
    pub rows: Vec<usize>,
}

impl Table {
    pub fn parse(source: &str) -> Result<Self, String> {
        let mut table: Self = toml::from_str(source).map_err(|e| e.to_string())?;
        for detector in &mut table.detectors {
            let name = detector.entity.clone();
            detector.prepare().map_err(|why| format!("{name}: {why}"))?;
            let known = [GENERAL, ANCHORED].contains(&detector.group.as_str());
            if !known && !table.groups.contains(&detector.group) {
                return Err(format!("{name}: group {:?} is not among the file's `groups`", detector.group));
            }
        }
        if table.groups.len() > MOST_GROUPS {
            return Err(format!(
                "more than {MOST_GROUPS} groups: a plan has room for 32, a policy set's own too"
            ));
        }
        if table.entities().len() > MOST_ENTITIES {
            return Err(format!("more than {MOST_ENTITIES} entities: widen Entities"));
        }
        if table.detectors.iter().filter(|d| d.anchor.is_some()).count() > MOST_ANCHORS {
            return Err(format!("more than {MOST_ANCHORS} anchors: widen Ahead"));
        }
        let doubtful = table.entities().into_iter().find(|entity| {
            let mut rows = table.detectors.iter().filter(|d| d.entity == *entity);
            rows.clone().any(|d| d.tier == Tier::D) && !rows.all(|d| d.tier == Tier::D)
        });
        match doubtful {
            Some(entity) => Err(format!("{entity}: all its rows are of tier D, or none")),
            None => Ok(table),
        }
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

    /// The groups, in the order of their first rows.
    pub fn groups(&self) -> Vec<Group<'_>> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for (at, detector) in self.detectors.iter().enumerate() {
            match groups.iter_mut().find(|group| group.name == detector.group) {
                Some(group) => group.rows.push(at),
                None => groups.push(Group { name: &detector.group, rows: vec![at] }),
            }
        }
        groups
    }
}

impl Detector {
    fn prepare(&mut self) -> Result<(), String> {
        if self.verbose {
            self.pattern = format!("(?x:{})", self.pattern.trim());
        }
        self.left = grammar::byte_set(&self.not_after).map_err(|fault| fault.why)?;
        self.right = grammar::byte_set(&self.not_before).map_err(|fault| fault.why)?;
        if self.group.is_empty() {
            self.group = if self.anchor.is_some() { ANCHORED } else { GENERAL }.into();
        }
        let words = |text: &str, of: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|byte| of(&byte));
        if !words(&self.entity, |b| b.is_ascii_uppercase() || b.is_ascii_digit() || *b == b'_') {
            return Err("an entity's name is capitals, digits and `_`".into());
        }
        let country = |set: &str| set.len() == 2 && set.bytes().all(|byte| byte.is_ascii_uppercase());
        if let Some(set) = self.sets.iter().find(|set| !SETS.contains(&set.as_str()) && !country(set)) {
            return Err(format!("set {set:?} is none of {SETS:?} nor a country's two letters"));
        }
        if self.tier == Tier::D && !self.sets.is_empty() {
            return Err("what is of tier D belongs to no set".into());
        }
        if self.tier == Tier::C && self.context.is_empty() {
            return Err("what is of tier C needs context".into());
        }
        if self.matches.is_empty() || self.misses.is_empty() {
            return Err("examples are missing: give matches and misses".into());
        }
        let word = |text: &String| {
            let spelt = words(text, |b| b.is_ascii_graphic() && !b.is_ascii_uppercase() || *b == b' ');
            spelt && text.bytes().any(|b| b.is_ascii_alphanumeric())
        };
        if let Some(text) = self.context.iter().find(|text| !word(text)) {
            return Err(format!("context {text:?} is not in small ASCII letters"));
        }
        if self.longest_only && self.validator.is_none() {
            return Err("longest_only without a validator means nothing".into());
        }
        if self.past_limit && !self.context.is_empty() {
            return Err("past_limit asks nobody, so context means nothing".into());
        }
        Ok(())
    }

    pub fn row(&self) -> Result<Row, Fault> {
        let shortest = if self.anchor.is_some() { 1 } else { SHORTEST };
        Ok(Row {
            hir: grammar::parse(&self.pattern, shortest)?,
            not_after: self.left,
            not_before: self.right,
            anchor: self.anchor.and_then(|anchor| u8::try_from(anchor).ok()),
            doubtful: self.validator.is_some(),
            longest_only: self.longest_only || self.validator.is_none(),
            steady: self.validator.as_deref().is_none_or(|name| STEADY.contains(&name)),
            past_limit: self.past_limit,
        })
    }
}

/// The tables of each group, in the order of the groups.
pub fn compile(table: &Table, groups: &[Group<'_>]) -> Result<Vec<grammar::Tables>, String> {
    let limits = grammar::Limits {
        nfa_states: 1 << 16,
        raw_states: 1 << 16,
        work: usize::MAX,
        bytes: 500 * 1024,
        minimise: true,
        checked: true,
    };
    let compile = |group: &Group<'_>| {
        let told = |fault: Fault| {
            let row =
                fault.row.and_then(|at| group.rows.get(at)).map(|&at| table.detectors[at].entity.as_str());
            let side = fault.side.map_or("", |side| match side {
                Side::Before => "not_after ",
                Side::After => "not_before ",
            });
            format!("{} (group {}): {side}{}", row.unwrap_or("the patterns together"), group.name, fault.why)
        };
        if group.rows.len() > MOST_PATTERNS {
            return Err(format!("group {}: more than {MOST_PATTERNS} rows: split it", group.name));
        }
        let rows = group.rows.iter().enumerate();
        let rows = rows.map(|(at, &row)| table.detectors[row].row().map_err(|fault| fault.of(at)));
        let rows = rows.collect::<Result<Vec<_>, _>>().map_err(told)?;
        grammar::Tables::compile(&rows, &limits).map_err(told)
    };
    groups.iter().map(compile).collect()
}
