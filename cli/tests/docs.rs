//! What README and pages say of the command is what it does.
#![allow(clippy::arithmetic_side_effects, clippy::panic, clippy::unwrap_used, reason = "a test may")]

use std::path::{Path, PathBuf};
use std::process::Command;

#[path = "../../filter/pages.rs"]
#[allow(dead_code, reason = "the filter's own tests use the rest")]
mod pages;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What `portcullis` prints in a directory.
fn printed(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_portcullis"))
        .current_dir(directory)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    String::from_utf8(output.stdout).unwrap()
}

/// The first block of a language that comes after a line.
fn block<'a>(page: &'a str, after: &str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(after).unwrap();
    let (_, rest) = rest.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

#[test]
fn every_set_to_copy_is_on_the_page_and_passes_its_own_tests_which_cover_its_rules() {
    let page = std::fs::read_to_string(root().join("docs/examples.md")).unwrap();
    let mut sets = 0usize;
    for entry in std::fs::read_dir(root().join("policies")).unwrap() {
        let set = entry.unwrap().path();
        let name = set.file_name().unwrap().to_str().unwrap();
        assert!(page.contains(&format!("\n| `{name}` |")), "{name}");
        printed(&set, &["check"]);
        printed(&set, &["test", "--cover"]);
        sets += 1;
    }
    assert_eq!(page.matches("\n| `").count(), sets, "a set that is not there");
}

#[test]
fn the_policy_of_the_readme_is_good() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("set.yaml"), block(&readme, "## A policy", "yaml")).unwrap();
    let told = printed(directory.path(), &["check"]);
    assert_eq!(told, ".: ok: 1 connection, 1 policy, 2 rules, 0 warnings\n");
}

/// The rest of a set around an example that is a part of one.
fn framed(block: &str) -> String {
    let names: Vec<&str> = block
        .lines()
        .filter_map(|line| line.split_once("- name: ").or_else(|| line.split_once("- { name: ")))
        .map(|(_, name)| name.split([',', ' ']).next().unwrap())
        .collect();
    let mut set = format!("version: 1\n{block}");
    if !block.contains("connections:") {
        set.push_str("connections:\n  - { name: c, protocol: openai, policy: chat, match: { path_prefix: /v1 }, issuers: [");
        set.push_str(names.first().unwrap());
        set.push_str("] }\n");
    }
    if !block.contains("policies:") {
        set.push_str("policies:\n  - { name: chat, allow: '\"a\" in identity.groups' }\n");
    }
    set
}

#[test]
fn every_provider_on_the_page_is_described_by_a_set_that_is_good() {
    let page = std::fs::read_to_string(root().join("docs/identity.md")).unwrap();
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let mut seen = 0usize;
    for block in blocks {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("set.yaml"), framed(block)).unwrap();
        let told = printed(directory.path(), &["check"]);
        assert!(told.contains("ok: 1 connection, 1 policy, 0 rules, 0 warnings"), "{block}\n{told}");
        seen += 1;
    }
    assert_eq!(seen, 10, "six providers, tokens asked about, Envoy's filter, certificates, clients");
}

/// The words of the command on the operators' page, up to where its output goes.
fn command(page: &str) -> Vec<String> {
    let script = block(page, "## An Envoy around it", "sh").replace("\\\n", " ");
    let line = script.lines().find(|line| line.starts_with("portcullis render")).unwrap();
    let words = line.split_whitespace().skip(1).take_while(|word| *word != ">");
    words.map(str::to_owned).collect()
}

/// From the filters to the routes; a long line is cut.
fn excerpt(rendered: &str) -> String {
    let from = rendered.find("          http_filters:").unwrap();
    let to = rendered.find("  clusters:").unwrap();
    let lines = rendered.get(from..to).unwrap().lines().map(|line| {
        let line = line.strip_prefix("          ").unwrap();
        match line.char_indices().nth(120) {
            Some((end, _)) if line.contains("value: '{") => format!("{}…'\n", line.get(..end).unwrap()),
            _ => format!("{line}\n"),
        }
    });
    lines.collect()
}

/// What the command on the operators' page prints.
fn rendered() -> String {
    let words = command(&pages::read("operators.md"));
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--revision", "0123abc"]).collect();
    printed(&root(), &words)
}

#[test]
fn the_operators_page_shows_what_is_rendered() {
    pages::keep("operators.md", &[("rendered", format!("```yaml\n{}```\n", excerpt(&rendered())))]);
}

#[test]
fn the_bootstrap_that_is_kept_is_the_one_that_is_rendered() {
    pages::whole("../envoy/rag-chat.yaml", &rendered());
}

/// The anchor that code hosts give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

/// Whether a link on a page leads somewhere.
fn leads(page: &Path, link: &str) -> bool {
    let (file, to) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { page.to_owned() } else { page.parent().unwrap().join(file) };
    if to.is_empty() {
        return target.exists();
    }
    let text = std::fs::read_to_string(&target).unwrap_or_default();
    text.lines().any(|line| line.starts_with('#') && anchor(line.trim_start_matches('#').trim()) == to)
}

#[test]
fn every_link_leads_somewhere() {
    let docs = std::fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|page| page.extension().is_some_and(|ending| ending == "md"));
    let mut seen = 0;
    for page in docs.chain(["README.md", "benches/README.md"].map(|page| root().join(page))) {
        let text = std::fs::read_to_string(&page).unwrap();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        for (link, _) in links.filter(|(link, _)| !link.starts_with("http")) {
            assert!(leads(&page, link), "{}: {link}", page.display());
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen} links seen");
}
