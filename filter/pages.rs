//! Parts of the pages below `docs/` that are made from the code's own tables, and the tests' way to keep them true.
//!
//! Such a part stands between `<!-- generated: NAME -->` and `<!-- end -->`. A test makes it anew and compares; with
//! `UPDATE_DOCS=1 cargo test` it is written instead.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Tests run side by side, and several may write one page.
static WRITING: Mutex<()> = Mutex::new(());

/// Whether pages are to be written rather than compared.
fn updating() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some()
}

/// The command's tests use this file too, from a directory below.
fn path(page: &str) -> PathBuf {
    let directories = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    directories.map(|directory| directory.join("docs").join(page)).find(|path| path.exists()).unwrap()
}

/// A page as it stands.
pub fn read(page: &str) -> String {
    std::fs::read_to_string(path(page)).unwrap()
}

/// Fails where a page is not what it should be.
pub fn whole(page: &str, wanted: &str) {
    if updating() {
        std::fs::write(path(page), wanted).unwrap();
        return;
    }
    assert!(read(page) == wanted, "docs/{page} is out of date: UPDATE_DOCS=1 cargo test");
}

/// Fails where a generated part of a page is not what it should be.
pub fn keep(page: &str, parts: &[(&str, String)]) {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let text = read(page);
    let wanted = parts.iter().fold(text.clone(), |text, (name, part)| replace(&text, name, part));
    if updating() {
        std::fs::write(path(page), wanted).unwrap();
        return;
    }
    assert!(text == wanted, "docs/{page} is out of date: UPDATE_DOCS=1 cargo test");
}

fn replace(text: &str, name: &str, part: &str) -> String {
    let open = format!("<!-- generated: {name} -->\n");
    let (before, rest) = text.split_once(&open).unwrap_or_else(|| panic!("no line {open}"));
    let (_, after) = rest.split_once("<!-- end -->").unwrap_or_else(|| panic!("no end of {name}"));
    format!("{before}{open}{part}<!-- end -->{after}")
}

/// A table in Markdown. A bar in a cell is escaped.
pub fn table(heads: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        assert_eq!(row.len(), heads.len());
        let cells: Vec<String> = row.iter().map(|cell| cell.replace('|', "\\|")).collect();
        table.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    table
}

/// Words as code, with commas between.
pub fn words<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_part_of_a_page_is_replaced_and_the_rest_stays() {
    let page = "a\n<!-- generated: x -->\nold\n<!-- end -->\nb\n<!-- generated: y -->\nkept\n<!-- end -->\n";
    let wanted =
        "a\n<!-- generated: x -->\nnew\n<!-- end -->\nb\n<!-- generated: y -->\nkept\n<!-- end -->\n";
    assert_eq!(replace(page, "x", "new\n"), wanted);
}
