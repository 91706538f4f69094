//! The command as people run it: files in, text and exit codes out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use portcullis::config::set::Bundle;
use support::{directory, run, text};

const SET: &str = "\
version: 1
issuers:
  - { name: i, issuer: https://i.example, audiences: [a], jwks: { cluster: idp } }
connections:
  - { name: chat, protocol: openai, policy: chat, match: { path_prefix: /v1 }, credential: { header: x-key, value: '${env:KEY}' } }
policies:
  - { name: chat, allow: 'true', limits: { max_request_bytes: 4Mi } }
audit: { cluster: audit }
";

/// What `check` prints, and whether it is content.
fn check(files: &[(&str, &str)], arguments: &[&str]) -> (String, bool) {
    let directory = directory(files);
    let output = run(directory.path(), &[&["check"], arguments].concat());
    assert_eq!(text(&output.stderr), "");
    (text(&output.stdout), output.status.success())
}

fn refused(files: &[(&str, &str)]) -> String {
    let (told, fine) = check(files, &["."]);
    assert!(!fine, "{told}");
    told
}

#[test]
fn a_good_set_is_told_so() {
    let (told, fine) = check(&[("set.yaml", SET)], &[]);
    assert_eq!((told.as_str(), fine), (".: ok: 1 connection, 1 policy, 0 rules, 0 warnings\n", true));
}

#[test]
fn a_fault_is_shown_in_its_line() {
    let told = refused(&[("set.yaml", &SET.replace("protocol: openai", "protocol: openia"))]);
    assert_eq!(
        told,
        "\
error: ./set.yaml:5:29: connections[0].protocol: `openia` is not known here
    |
  5 |   - { name: chat, protocol: openia, policy: chat, match: { path_prefix: /v1 }, credential: { header: x-key, value: '${en
    |                             ^
  help: did you mean `openai`?
.: 1 error, 0 warnings
"
    );
}

#[test]
fn a_fault_far_in_a_long_line_is_shown_too() {
    let told = refused(&[("set.yaml", &SET.replace("${env:KEY}", "${env:1}"))]);
    let lines: Vec<&str> = told.lines().collect();
    let caret = lines[3].find('^').unwrap();
    assert!(lines[2].get(caret..).unwrap().starts_with("'${env:1}'"), "{told}");
}

#[test]
fn files_of_a_directory_are_one_set_in_the_order_of_their_names() {
    let (first, rest) = SET.split_at(SET.find("policies:").unwrap());
    let more = "version: 1\npolicies: [{ name: idle, allow: 'true' }]\n---\n---\npolicies: [{ name: more, allow: 'true' }]\n";
    let files = [
        ("b.yaml", first),
        ("c.yml", rest),
        ("a.yaml", more),
        ("a_test.yaml", ": not read"),
        (".hidden.yaml", ": not read"),
        ("notes.md", ": not read"),
        ("empty.yaml", "# nothing\n"),
    ];
    let (told, fine) = check(&files, &["."]);
    assert!(fine, "{told}");
    assert!(
        told.contains("warning: ./a.yaml:2:20: policies[0].name: no connection uses the policy `idle`"),
        "{told}"
    );
    assert!(
        told.contains("warning: ./a.yaml:5:20: policies[1].name: no connection uses the policy `more`"),
        "{told}"
    );
    assert!(told.ends_with(".: ok: 1 connection, 3 policies, 0 rules, 2 warnings\n"), "{told}");
}

#[test]
fn names_and_keys_that_stand_twice_name_both_places() {
    let twice = "mode: monitor\npolicies:\n  - { name: chat, allow: 'true' }\n";
    let told = refused(&[("a.yaml", SET), ("b.yaml", twice)]);
    assert!(
        told.contains("error: ./b.yaml:3:13: policies[1].name: the policy `chat` stands already at policies[0].name (./a.yaml:7:13)\n"),
        "{told}"
    );
    let told = refused(&[("a.yaml", SET), ("b.yaml", "audit: { cluster: other }\n")]);
    assert!(told.contains("error: ./b.yaml:1:1: audit: is given twice, first at ./a.yaml:8:1\n"), "{told}");
    let told = refused(&[("a.yaml", &format!("{SET}audit: {{ cluster: other }}\n"))]);
    assert!(told.contains("error: ./a.yaml:9:1: audit: is given twice, first at ./a.yaml:8:1\n"), "{told}");
}

#[test]
fn an_item_of_a_list_at_fault_is_told_with_its_own_line() {
    let list = |key: &str, items: &[&str]| format!("    {key}:\n      - {}\n", items.join("\n      - "));
    let set = |key: &str, items: &[&str]| format!("{SET}detectors:\n  - name: X\n{}", list(key, items));
    let told = refused(&[("set.yaml", &set("words", &["Bluebird", "n", "Nightjar"]))]);
    assert!(told.contains("error: ./set.yaml:13:9: detectors[0].words[1]: `n` has 1 bytes"), "{told}");
    let told = refused(&[("set.yaml", &set("words", &["Bluebird", "Nightjar", "Bluebird", "'  '"]))]);
    assert!(
        told.contains("error: ./set.yaml:14:9: detectors[0].words[2]: `Bluebird` stands in the list twice\n"),
        "{told}"
    );
    assert!(
        told.contains("error: ./set.yaml:15:9: detectors[0].words[3]: `  ` is an empty word\n"),
        "{told}"
    );
    let told = refused(&[("set.yaml", &set("words", &["Bluebird", "3", "Nightjar"]))]);
    assert!(
        told.contains("error: ./set.yaml:13:9: detectors[0].words[1]: expected a word, found `3`\n"),
        "{told}"
    );
    let told = refused(&[("set.yaml", &format!("{SET}detectors: [a, b]\n"))]);
    assert!(told.contains("error: ./set.yaml:9:16: detectors[1]: expected a map, found `b`\n"), "{told}");
}

#[test]
fn what_is_not_plain_yaml_is_refused_where_it_stands() {
    let cases = [
        ("version: &a 1", "set.yaml:1:10: has an anchor, which a policy set cannot hold\n"),
        ("version: *a", "set.yaml:1:10: is not YAML: "),
        ("a: &a 1\nb: *a", "set.yaml:2:4: is an alias, which a policy set cannot hold\n"),
        ("version: !!int 1", "has a tag, which a policy set cannot hold\n"),
        ("[a]: 1", "is a key that is not text\n"),
        ("version: 1\n\tmode: x", "set.yaml:1:10: is not YAML: while scanning a plain scalar, found a tab"),
        ("version: 1\n\tmode: x", "help: indent with spaces"),
        ("policies:\n\t- name: x", "help: indent with spaces"),
        ("allow: \"a\" in identity.groups", "help: put the whole condition in single quotes, as"),
        ("version: [1", "is not YAML: "),
        ("- a", "set.yaml:1:1: expected a map, found a list\n"),
        ("version:", "set.yaml:1:1: version: expected a whole number, found nothing\n"),
        ("version: .inf", "version: is not a number that JSON can hold\n"),
        ("version: 9007199254740993", "version: is a number too large to be exact\n"),
    ];
    for (yaml, expected) in cases {
        let told = refused(&[("set.yaml", yaml)]);
        assert!(told.contains(expected), "{yaml:?}: {told}");
    }
    for deep in ["- ".repeat(200_000), format!("a: {}", "{a: ".repeat(200_000))] {
        assert!(refused(&[("set.yaml", &deep)]).contains("is nested more than 32 deep"));
    }
    assert!(refused(&[("set.yaml", &"[".repeat(200_000))]).contains("is not YAML: recursion limit exceeded"));
}

#[test]
fn what_cannot_be_read_is_told() {
    let empty = directory(&[]);
    let told = text(&run(empty.path(), &["check"]).stdout);
    assert!(told.starts_with("error: .: holds no policy set\n"), "{told}");
    let output = run(empty.path(), &["check", "nowhere"]);
    assert!(text(&output.stdout).starts_with("error: nowhere: cannot be read: "));
    assert_eq!(output.status.code(), Some(1));
    fs::write(empty.path().join("set.yaml"), b"version: \xff").unwrap();
    assert!(
        text(&run(empty.path(), &["check"]).stdout).contains("./set.yaml: is not UTF-8 from byte 9 on\n")
    );
}

#[test]
#[cfg(unix)]
fn no_file_of_a_directory_is_passed_over_in_silence() {
    use std::os::unix::fs::symlink;
    // As Kubernetes mounts a config map: links to files below a link to a directory.
    let mounted = directory(&[]);
    fs::create_dir(mounted.path().join("..2026")).unwrap();
    fs::create_dir(mounted.path().join("old.yaml")).unwrap();
    fs::write(mounted.path().join("..2026/set.YAML"), SET).unwrap();
    symlink("..2026", mounted.path().join("..data")).unwrap();
    symlink("..data/set.YAML", mounted.path().join("set.YAML")).unwrap();
    let told = text(&run(mounted.path(), &["check"]).stdout);
    assert!(told.ends_with("ok: 1 connection, 1 policy, 0 rules, 0 warnings\n"), "{told}");
    symlink("..data/gone.yml", mounted.path().join("more.Yml")).unwrap();
    let output = run(mounted.path(), &["check"]);
    assert!(text(&output.stdout).starts_with("error: ./more.Yml: cannot be read: "), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn problems_are_written_for_programs_and_code_hosts() {
    let set = SET.replace("protocol: openai", "protocol: openia");
    let (told, _) = check(&[("set.yaml", &set)], &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(json["ok"], false);
    let expected = serde_json::json!({
        "severity": "error", "file": "./set.yaml", "line": 5, "column": 29, "key": "connections[0].protocol",
        "message": "`openia` is not known here", "help": "did you mean `openai`?",
    });
    assert_eq!(json["problems"][0], expected);
    let (told, _) = check(&[("a,b.yaml", &set)], &["--format", "github"]);
    let expected = "::error file=./a%2Cb.yaml,line=5,col=29::connections[0].protocol: `openia` is not known here%0Ahelp: did you mean `openai`?\n";
    assert!(told.starts_with(expected), "{told}");
}

fn git(directory: &Path, arguments: &[&str]) -> String {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"];
    let output =
        Command::new("git").arg("-C").arg(directory).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

fn bundle(directory: &Path, arguments: &[&str]) -> Bundle {
    let output = run(directory, &[&["bundle"], arguments].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    Bundle::parse(&output.stdout).unwrap().0
}

#[test]
fn the_revision_is_the_commit_that_holds_the_set() {
    let repository = directory(&[("README", "")]);
    let at = repository.path();
    fs::create_dir(at.join("set")).unwrap();
    fs::write(at.join("set/set.yaml"), SET).unwrap();
    git(at, &["init", "-q"]);
    let output = run(at, &["bundle", "set"]);
    assert_eq!(Bundle::parse(&output.stdout).unwrap().0.revision, "unversioned", "no commit yet");
    assert!(
        text(&output.stderr).starts_with("warning: set: git does not tell its revision: "),
        "a doubt is told"
    );
    git(at, &["add", "."]);
    git(at, &["commit", "-qm", "one"]);
    let commit = git(at, &["rev-parse", "HEAD"]);
    assert_eq!(bundle(at, &["set"]).revision, commit);
    assert_eq!(bundle(at, &["set/set.yaml"]).revision, commit);
    assert_eq!(bundle(&at.join("set"), &[]).revision, commit);

    fs::write(at.join("README"), "changed").unwrap();
    assert_eq!(bundle(at, &["set"]).revision, commit, "changes elsewhere are none of the set's");
    fs::write(at.join("set/more.yaml"), "version: 1\n").unwrap();
    assert_eq!(bundle(at, &["set"]).revision, format!("{commit}-dirty"), "an untracked file");
    fs::write(at.join(".git/info/exclude"), "more.yaml\n").unwrap();
    assert_eq!(bundle(at, &["set"]).revision, format!("{commit}-dirty"), "an ignored file");
    fs::remove_file(at.join("set/more.yaml")).unwrap();
    fs::write(at.join("set/set.yaml"), format!("{SET}# more\n")).unwrap();
    assert_eq!(bundle(at, &["set"]).revision, format!("{commit}-dirty"), "a changed file");
    assert_eq!(bundle(at, &["set", "--revision", "v1"]).revision, "v1");
}

#[test]
fn a_bundle_carries_what_was_written() {
    let one = directory(&[("set.yaml", SET)]);
    let (first, rest) = SET.split_at(SET.find("policies:").unwrap());
    let two = directory(&[("x.yaml", rest), ("y.yaml", first)]);
    let (a, b) = (bundle(one.path(), &[]), bundle(two.path(), &[]));
    assert_eq!(a.revision, "unversioned");
    assert_eq!(text(&run(one.path(), &["bundle"]).stderr), "", "no repository, no doubt");
    assert_eq!(a.digest, b.digest, "neither files nor the order of keys matter");
    assert!(a.host.body_before_headers);
    assert!(!bundle(one.path(), &["--body-before-headers", "false"]).host.body_before_headers);
}

#[test]
fn a_bad_set_is_never_bundled_or_rendered() {
    let bad = directory(&[("set.yaml", &SET.replace("allow: 'true'", "allow: true"))]);
    for command in [&["bundle"][..], &["render", "envoy", "--wasm", "m.wasm"]] {
        let output = run(bad.path(), command);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(text(&output.stdout), "");
        assert!(text(&output.stderr).contains("error: ./set.yaml:7:26: policies[0].allow: expected"));
    }
}

#[test]
fn module_and_command_tell_a_fault_in_the_same_words() {
    let set = SET.replace("allow: 'true'", "allow: true").replace("cluster: audit", "clutser: audit");
    let told = refused(&[("set.yaml", &set)]);
    let json = r#"{"version":1,"issuers":[{"name":"i","issuer":"https://i.example","audiences":["a"],"jwks":{"cluster":"idp"}}],
        "connections":[{"name":"chat","protocol":"openai","policy":"chat","match":{"path_prefix":"/v1"}}],
        "policies":[{"name":"chat","allow":true}],"audit":{"clutser":"audit"}}"#;
    let envelope = format!(
        r#"{{"format":1,"revision":"r","digest":"d","policies":{{}},"host":{{"body_before_headers":true}},"set":{json}}}"#
    );
    let problems = Bundle::parse(envelope.as_bytes()).unwrap_err();
    assert_eq!(problems.len(), 3, "{problems:?}");
    for problem in problems {
        assert!(
            told.contains(&format!(": {}: {}\n", problem.place.key, problem.message)),
            "{problem} in {told}"
        );
    }
}

#[test]
fn the_example_sets_are_good() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let output = run(&examples, &["check", "rag-chat"]);
    assert_eq!(text(&output.stdout), "rag-chat: ok: 2 connections, 1 policy, 3 rules, 0 warnings\n");
    let output = run(&examples, &["check", "private-prompts"]);
    assert_eq!(text(&output.stdout), "private-prompts: ok: 1 connection, 1 policy, 0 rules, 0 warnings\n");
}

#[test]
fn one_run_tells_what_is_wrong_at_every_stage() {
    let set = SET
        .replace("version: 1", "version: 1\nmode: enforced\ndetectors: [{ name: ANY, pattern: '.' }]")
        .replace("allow: 'true'", "allow: '\"a\" in identity.group', vector: { max_top_k: 3 }, mask: { response: { entities: [SECRET] } }");
    let told = refused(&[("set.yaml", &set)]);
    for expected in [
        "mode: `enforced` is not known here",
        "detectors[0].pattern: ",
        "policies[0].allow: unknown name `identity.group`",
        "entities[0]: no detector finds SECRET; did you mean SECRETS?",
        "policies[0].vector",
    ] {
        assert!(told.contains(expected), "{expected}\n{told}");
    }
    let directory = directory(&[("set.yaml", &set)]);
    let bundled = text(&run(directory.path(), &["bundle", "--revision", "r"]).stderr);
    assert!(bundled.contains("unknown name `identity.group`") && bundled.contains("`enforced`"), "{bundled}");
}

#[test]
fn the_help_names_every_command_and_each_says_its_exit_codes() {
    let directory = directory(&[]);
    let help = |arguments: &[&str]| text(&run(directory.path(), &[arguments, &["--help"]].concat()).stdout);
    let all = help(&[]);
    let about = all.split("Usage:").next().unwrap();
    for word in ["Checks", "tests", "bundles", "renders", "simulates", "masks", "audit"] {
        assert!(about.contains(word), "{word}: {about}");
    }
    for command in ["check", "test", "bundle", "simulate", "mask"] {
        assert!(help(&[command]).contains("Exit codes: 0 "), "{command}");
    }
    for target in ["envoy", "istio"] {
        assert!(help(&["render", target]).contains("Exit codes: 0 "), "{target}");
    }
}

#[test]
fn an_address_to_listen_on_is_told_how_it_is_written() {
    let directory = directory(&[("set.yaml", SET)]);
    for address in ["10000", "localhost:10000", ":10000"] {
        let output = run(directory.path(), &["render", "envoy", "--wasm=m", "--listen", address]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("expected ADDRESS:PORT with an IP address"), "{output:?}");
    }
}
