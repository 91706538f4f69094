//! What README and pages say of the command is what it does.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use portcullis::exchange::metrics::METRICS;

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

/// The table whose head holds some words.
fn block_of<'a>(page: &'a str, head: &str) -> &'a str {
    page.split("\n\n").find(|part| part.starts_with('|') && part.contains(head)).unwrap()
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
    let table = block_of(&page, "what it shows");
    assert_eq!(table.matches("\n| `").count(), sets, "a set that is not there");
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
fn command(page: &str, heading: &str) -> Vec<String> {
    let script = block(page, heading, "sh").replace("\\\n", " ");
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

/// What the command below a heading of the operators' page prints.
fn rendered_below(heading: &str) -> String {
    let words = command(&pages::read("operators.md"), heading);
    let words: Vec<&str> = words.iter().map(String::as_str).chain(["--revision", "0123abc"]).collect();
    printed(&root(), &words)
}

fn rendered() -> String {
    rendered_below("## An Envoy around it")
}

#[test]
fn the_operators_page_shows_what_is_rendered() {
    pages::keep("operators.md", &[("rendered", format!("```yaml\n{}```\n", excerpt(&rendered())))]);
}

#[test]
fn the_bootstrap_that_is_kept_is_the_one_that_is_rendered() {
    pages::whole("../envoy/rag-chat.yaml", &rendered());
}

#[test]
fn the_manifests_that_are_kept_are_those_that_are_rendered() {
    pages::whole("../envoy/istio.yaml", &rendered_below("## Istio"));
}

/// The queries of the dashboard.
fn queries() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("envoy/dashboard.json")).unwrap();
    let dashboard: serde_json::Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// The words of a query: names of metrics, labels and functions.
fn words(query: &str) -> Vec<&str> {
    query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect()
}

/// What stands between two marks, each time.
fn within<'q>(query: &'q str, open: &str, close: char) -> Vec<&'q str> {
    let inside = query.split(open).skip(1).filter_map(|rest| rest.split_once(close));
    inside.map(|(inside, _)| inside).collect()
}

/// The labels that a query names, to choose by or to sum by.
fn labels(query: &str) -> Vec<&str> {
    let chosen = within(query, "{", '}').into_iter().flat_map(|all| all.split(','));
    let chosen = chosen.filter_map(|one| words(one).first().copied());
    chosen.chain(within(query, "by (", ')').into_iter().flat_map(words)).collect()
}

#[test]
fn the_dashboard_shows_every_metric_by_labels_that_it_has() {
    let queries = queries();
    let name = |word: &str| word.strip_suffix("_bucket").unwrap_or(word).to_owned();
    let mut shown = Vec::new();
    for query in &queries {
        let of: Vec<_> = words(query).into_iter().filter(|word| word.starts_with("portcullis_")).collect();
        let [metric] = of[..] else { panic!("{query}: one metric each") };
        let known = METRICS.iter().find(|(known, ..)| *known == name(metric));
        let (known, has, _) = known.unwrap_or_else(|| panic!("{query}: no such metric"));
        for label in labels(query) {
            let buckets = metric.ends_with("_bucket") && label == "le";
            assert!(buckets || has.contains(&label), "{query}: {label}");
        }
        shown.push(*known);
    }
    for (metric, ..) in METRICS {
        assert!(shown.contains(&metric), "{metric} is not shown");
    }
}

#[test]
fn the_compose_file_mounts_what_is_there_and_opens_ports_to_this_machine_alone() {
    let text = std::fs::read_to_string(root().join("envoy/compose.yaml")).unwrap();
    let mut scalars = Vec::new();
    for event in saphyr_parser::Parser::new_from_str(&text) {
        if let saphyr_parser::Event::Scalar(scalar, ..) = event.unwrap().0 {
            scalars.push(scalar.into_owned());
        }
    }
    let mounts = scalars.iter().filter(|scalar| scalar.starts_with('.') && scalar.contains(':'));
    let mut seen = 0;
    for mount in mounts {
        let path = mount.split(':').next().unwrap();
        let built = path == "../dist/portcullis.wasm";
        assert!(built || root().join("envoy").join(path).exists(), "{mount}");
        seen += 1;
    }
    assert_eq!(seen, 2, "bootstrap and module");
    let ports: Vec<_> =
        scalars.iter().filter(|scalar| scalar.ends_with(":10000") || scalar.ends_with(":4318")).collect();
    assert_eq!(ports, ["127.0.0.1:10000:10000", "0.0.0.0:4318", "127.0.0.1:4318:4318"]);
    assert!(scalars.contains(&"envoyproxy/envoy:v1.40.0".to_owned()));
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
