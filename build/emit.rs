//! Writes the tables as Rust source: plain arrays, and packed ones that say their own byte order, so that no target's matters.
use std::fmt::{Debug, Write as _};

use crate::buckets::{self, Shared};
use crate::grammar::{LongWord, Mark, NearSets, Tables};
use crate::table::{Detector, Group, Table, Tier};

pub fn tables(table: &Table, groups: &[Group<'_>], tables: &[Tables]) -> String {
    let mut out = String::from("// Written by build.rs.\n");
    let kind = |group: &Group<'_>, mark: &Mark| {
        let detector = &table.detectors[group.rows[mark.pattern as usize]];
        match detector.tier {
            _ if mark.within => 3,
            Tier::D => 2,
            _ => usize::from(!detector.context.is_empty()),
        }
    };
    let marks = groups.iter().zip(tables).flat_map(|(group, tables)| {
        let bucketed = tables.marks.iter().filter(|mark| mark.bucket.is_some());
        bucketed.map(|mark| Shared { kind: kind(group, mark), sets: mark.sets }).collect::<Vec<_>>()
    });
    let (bucket_of, buckets) = buckets::assign(&marks.collect::<Vec<_>>());
    let buckets: Vec<(bool, NearSets)> =
        buckets.iter().map(|shared| (shared.kind == 3, shared.sets)).collect();
    array(&mut out, "BUCKETS", "(bool, [[u64; 4]; 4])", &buckets);
    let mut buckets = bucket_of.into_iter();
    let _ = writeln!(out, "pub static GROUPS: [Group; {}] = [", groups.len());
    for (group, tables) in groups.iter().zip(tables) {
        let _ = writeln!(out, "// {}\nGroup {{ tables: Tables {{", group.name);
        fields(&mut out, tables);
        marked(&mut out, tables, &mut buckets);
        out.push_str("}, detectors: Cow::Borrowed(&[\n");
        group.rows.iter().for_each(|&at| detector(&mut out, table, at));
        out.push_str("]) },\n");
    }
    out.push_str("];\n");
    entities(&mut out, table);
    out
}

fn marked(out: &mut String, tables: &Tables, buckets: &mut impl Iterator<Item = usize>) {
    out.push_str("marks: Cow::Borrowed(&[");
    // Of the others nothing is asked.
    for mark in tables.marks.iter().filter(|mark| mark.bucket.is_some() || mark.within) {
        let Mark { pattern, within, sets, .. } = mark;
        let bucket = mark.bucket.and_then(|_| buckets.next());
        let _ = write!(
            out,
            "Mark {{ pattern: {pattern}, bucket: {bucket:?}, within: {within}, sets: {sets:?} }},"
        );
    }
    out.push_str("]),\nlong_words: Cow::Borrowed(&[");
    for LongWord { pattern, length, of } in tables.long_words.iter() {
        let _ = write!(out, "LongWord {{ pattern: {pattern}, length: {length}, of: {of:?} }},");
    }
    out.push_str("]),\n");
}

fn fields(out: &mut String, tables: &Tables) {
    field(out, "class_of", &tables.class_of[..]);
    let next = (tables.next.pack(), tables.next.len());
    let _ = writeln!(out, "next: Transitions::packed(&{:?}, {}),", next.0, next.1);
    field(out, "masks_of", &tables.masks_of);
    field(out, "masks", &tables.masks);
    field(out, "after", &tables.after[..]);
    field(out, "signatures", &tables.signatures);
    field(out, "before", &tables.before[..]);
    let _ = writeln!(
        out,
        "classes: {}, before_any: {}, growing: {}, past_limit: {}, last_end_only: {}, unanchored: {},",
        tables.classes,
        tables.before_any,
        tables.growing,
        tables.past_limit,
        tables.last_end_only,
        tables.unanchored
    );
    out.push_str("anchors: Cow::Borrowed(&[");
    for anchor in tables.anchors.iter() {
        let _ = write!(
            out,
            "Anchor {{ pattern: {}, byte: {}, run: {:?}, longest: {} }},",
            anchor.pattern, anchor.byte, anchor.run, anchor.longest
        );
    }
    out.push_str("]),\n");
}

fn field<T: Debug>(out: &mut String, name: &str, values: &[T]) {
    let _ = writeln!(out, "{name}: Cow::Borrowed(&{values:?}),");
}

fn array<T: Debug>(out: &mut String, name: &str, of: &str, values: &[T]) {
    let _ = writeln!(out, "pub static {name}: [{of}; {}] = {values:?};", values.len());
}

fn detector(out: &mut String, table: &Table, at: usize) {
    let d = &table.detectors[at];
    let entity = table.entities().iter().position(|&entity| entity == d.entity).unwrap_or(0);
    let _ = writeln!(
        out,
        "Detector {{ validator: {}, gate: {}, finder: Finder {{ entity: Entity({entity}), order: {at}, context: {} }} }},",
        validator(d),
        gate(d),
        context(d)
    );
}

fn validator(d: &Detector) -> String {
    d.validator.as_ref().map_or("None".into(), |name| format!("Some(validators::{name})"))
}

/// Validators with a gate of the same name (filter/mask/gates.rs).
const GATED: [&str; 6] = ["aws_secret", "bic", "card", "iban", "it_fiscal_code", "jwt"];

fn gate(d: &Detector) -> String {
    let gated = d.validator.as_deref().filter(|name| GATED.contains(name));
    gated.map_or("None".into(), |name| format!("Some(gates::{name})"))
}

fn context(d: &Detector) -> String {
    if d.context.is_empty() {
        return "None".into();
    }
    let phrase = |phrase: &String| {
        let words = phrase.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let words: Vec<String> = words.map(|word| format!("Cow::Borrowed({word:?})")).collect();
        format!("Cow::Borrowed(&[{}])", words.join(", "))
    };
    let phrases: Vec<String> = d.context.iter().map(phrase).collect();
    format!("Some(Context(Cow::Borrowed(&[{}])))", phrases.join(", "))
}

fn entities(out: &mut String, table: &Table) {
    let names = table.entities();
    array(out, "ENTITIES", "&str", &names);
    let place = |entity: &str| names.iter().position(|&known| known == entity).unwrap_or(0);
    let add = |set: &mut [u64; 8], entity: &str| set[place(entity) / 64] |= 1 << (place(entity) % 64);
    let mut sets: Vec<(&str, [u64; 8])> = Vec::new();
    let mut unasked = [0; 8];
    for d in &table.detectors {
        for set in &d.sets {
            let at = sets.iter().position(|(name, _)| name == set).unwrap_or_else(|| {
                sets.push((set, [0; 8]));
                sets.len() - 1
            });
            add(&mut sets[at].1, &d.entity);
        }
        if d.tier != Tier::D {
            add(&mut unasked, &d.entity);
        }
    }
    array(out, "SETS", "(&str, [u64; 8])", &sets);
    array(out, "USUAL", "u64", &unasked);
}

/// The examples and the patterns as written, for tests.
pub fn examples(table: &Table) -> String {
    let mut out = String::from("// Written by build.rs.\n[\n");
    for d in &table.detectors {
        let set = |bytes: &[bool]| (0..256).filter(|&b| bytes[b]).map(|b| b as u8).collect::<Vec<_>>();
        let _ = writeln!(
            out,
            "Row {{ entity: {:?}, tier: {:?}, pattern: {:?}, not_after: &{:?}, not_before: &{:?}, validator: {}, context: &{:?}, about: {:?}, longest_only: {}, matches: &{:?}, misses: &{:?} }},",
            d.entity,
            format!("{:?}", d.tier),
            d.pattern,
            set(&d.left),
            set(&d.right),
            validator(d),
            d.context,
            d.about,
            d.longest_only,
            d.matches,
            d.misses
        );
    }
    out + "]\n"
}
