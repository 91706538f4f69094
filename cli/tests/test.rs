//! `portcullis test` as people run it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

mod support;

use std::fs;
use std::path::Path;

use support::{directory, run, text};

const SET: &str = "\
version: 1
issuers:
  - { name: corp, issuer: https://i.example, audiences: [rag], jwks: { cluster: idp }, groups_claim: realm.groups }
connections:
  - name: chat
    protocol: openai
    policy: chat
    match: { path_prefix: /v1 }
    credential: { header: authorization, value: 'Bearer ${env:KEY}' }
policies:
  - name: chat
    allow: '\"users\" in identity.groups'
    rules:
      - { name: short, deny: llm.prompt_chars > 10, message: Be brief. }
      - { name: night, flag: 'request.time % 86400 < 21600' }
    mask: { response: { entities: [PII] } }
";

const HEAD: &str = "tests:
  - name: it
    identity: { groups: [users] }
    request: { path: /v1/chat/completions, body: { model: m, messages: [{ role: user, content: Hello }] } }
";

fn tried(set: &str, tests: &str, arguments: &[&str]) -> (String, bool) {
    let directory = directory(&[("set.yaml", set), ("chat_test.yaml", tests)]);
    let output = run(directory.path(), &[&["test"], arguments].concat());
    (text(&output.stdout) + &text(&output.stderr), output.status.success())
}

/// One case with these lines after its request.
fn case(lines: &str) -> (String, bool) {
    let lines: String = lines.lines().map(|line| format!("    {line}\n")).collect();
    tried(SET, &format!("{HEAD}{lines}"), &[])
}

#[test]
fn a_case_that_holds_is_told_so() {
    let (told, fine) = case("expect: { decision: allow, flags: [night], request: { unchanged: true } }");
    assert_eq!(
        told,
        "\
./chat_test.yaml
  ok    it
1 test: 1 passed, 0 failed
1 of 2 rules held in a test; never: chat/short
"
    );
    assert!(fine);
}

#[test]
fn a_case_that_fails_shows_what_was_expected_and_what_came() {
    let (told, fine) = case(
        "answer: { body: { choices: [{ message: { content: I am a@b.example } }], n: 1 } }\nexpect: { decision: deny, answer: { status: 201, body: { choices: [{ message: { content: I am } }], n: 1 } } }",
    );
    assert!(!fine);
    assert_eq!(
        told,
        "\
./chat_test.yaml
  FAIL  it (line 2)
        decision: expected deny, got allow
        answer.status: expected 201, got 200
        answer.body: differs
                {
                  \"message\": {
          -         \"content\": \"I am\"
          +         \"content\": \"I am <EMAIL_ADDRESS>\"
                  }
                }
1 test: 0 passed, 1 failed
1 of 2 rules held in a test; never: chat/short
"
    );
}

#[test]
fn every_kind_of_expectation_can_fail() {
    for (expect, told) in [
        ("{ forwarded: false }", "forwarded: expected false, got true"),
        ("{ reason: forbidden }", "reason: expected forbidden, got none"),
        ("{ flags: [] }", "flags: expected none, got [\"night\"]"),
        ("{ record: { user.id: bob } }", "user.id: expected bob, got https://i.example#alice"),
        ("{ message: Be brief. }", "message: expected \"Be brief.\" in"),
        ("{ request: { path: /v2 } }", "request.path: expected /v2, got /v1/chat/completions"),
        ("{ request: { headers: { authorization: } } }", "request.headers.authorization: expected none, got"),
        ("{ request: { headers: { x-no: y } } }", "request.headers.x-no: expected \"y\", got none"),
        ("{ request: { body: nothing } }", "request.body: differs"),
        ("{ request: { contains: [Goodbye] } }", "request.body: lacks \"Goodbye\""),
        ("{ request: { lacks: [Hello] } }", "request.body: holds \"Hello\""),
        ("{ answer: { unchanged: true, events: [1] } }", "answer.body: differs"),
    ] {
        let (out, fine) = case(&format!("expect: {expect}"));
        assert!(!fine && out.contains(told), "{expect}: {out}");
    }
    let (out, fine) = case(
        "answer: { body: { choices: [{ message: { content: a@b.example } }] } }\nexpect: { answer: { unchanged: true } }",
    );
    assert!(!fine && out.contains("answer.body: is changed"), "{out}");
}

#[test]
fn a_refused_call_is_seen_as_its_caller_sees_it() {
    let tests = HEAD.replace("Hello", "{ repeat: ab, times: 6 }")
        + "    expect: { decision: deny, reason: forbidden, rule: short, message: Be brief., forwarded: false, answer: { status: 403 } }\n";
    let (told, fine) = tried(SET, &tests, &[]);
    assert!(fine, "{told}");
    let tests = tests.replace("forwarded: false", "request: { unchanged: true }");
    let (told, fine) = tried(SET, &tests, &[]);
    assert!(!fine && told.contains("request: nothing went upstream"), "{told}");
}

#[test]
fn where_the_record_comes_first_the_collector_takes_it_unless_a_case_says_otherwise() {
    let set = format!("{SET}audit: {{ cluster: records, delivery: before_forward }}\n");
    let expect = |text: &str| format!("{HEAD}    {text}\n");
    let (told, fine) = tried(&set, &expect("expect: { decision: allow, request: { unchanged: true } }"), &[]);
    assert!(fine, "{told}");
    let down = "services: { records: { status: 503 } }\n    expect: { decision: error, reason: guard_unavailable, forwarded: false, answer: { status: 503 } }";
    let (told, fine) = tried(&set, &expect(down), &[]);
    assert!(fine, "{told}");
}

#[test]
fn humans_whom_rules_ask_say_what_a_case_says_and_nothing_else_at_first() {
    let asking = SET
        .replace("deny: llm.prompt_chars > 10, message: Be brief.", "approve: llm.prompt_chars > 3")
        + "approvals: { cluster: people, public_key: 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo= }\n";
    let case = |services: &str, expect: &str| {
        tried(&asking, &format!("{HEAD}    services: {services}\n    expect: {expect}\n"), &[])
    };
    let (told, fine) = case("{}", "{ reason: approval_pending, rule: short, answer: { status: 409 } }");
    assert!(fine, "{told}");
    let (told, fine) = case("{ people: { body: APPROVED } }", "{ decision: allow, forwarded: true }");
    assert!(fine, "{told}");
    let (told, fine) =
        case("{ people: { body: DENIED } }", "{ reason: approval_denied, answer: { status: 403 } }");
    assert!(fine, "{told}");
    let (told, fine) = case("{ people: { status: 503 } }", "{ reason: guard_unavailable, forwarded: false }");
    assert!(fine, "{told}");
}

#[test]
fn callers_have_tokens_that_are_verified() {
    for (identity, expected) in [
        ("{ groups: [users] }", "{ decision: allow, record: { user.id: 'https://i.example#alice' } }"),
        ("{ subject: bob, claims: { realm: { groups: [users] } } }", "{ decision: allow }"),
        ("{ groups: [users], claims: { aud: other } }", "{ reason: unauthenticated }"),
        ("{ groups: [users], claims: { exp: 1 } }", "{ reason: unauthenticated }"),
        ("{ groups: [users], claims: { exp: } }", "{ reason: unauthenticated }"),
        ("{ groups: [users], header: x-token }", "{ reason: unauthenticated }"),
        ("{ groups: [others] }", "{ reason: forbidden }"),
    ] {
        let tests = HEAD.replace("{ groups: [users] }", identity) + &format!("    expect: {expected}\n");
        let (told, fine) = tried(SET, &tests, &[]);
        assert!(fine, "{identity}: {told}");
    }
    let tests = HEAD.replace("{ groups", "{ issuer: crop, groups") + "    expect: { decision: allow }\n";
    let (told, fine) = tried(SET, &tests, &[]);
    assert!(!fine && told.contains("identity: the set has no issuer `crop`"), "{told}");
}

#[test]
fn time_address_and_route_are_what_a_case_says() {
    let set = SET.replace("match: { path_prefix: /v1 }", "match: { route: r }").replace(
        "request.time % 86400 < 21600",
        "request.time % 86400 / 3600 == 9 && source.address == \"2001:db8::1\" && source.principal == \"spiffe://a\"",
    );
    let given = "    time: 2026-03-01T09:30:00Z\n    source: { address: '2001:db8::1', principal: spiffe://a }\n    route: { name: r }\n    expect: { decision: allow, flags: [night] }\n";
    let (told, fine) = tried(&set, &format!("{HEAD}{given}"), &[]);
    assert!(fine, "{told}");
}

#[test]
fn the_environment_of_a_case_is_what_its_file_says_and_never_ours() {
    let given = format!(
        "env: {{ KEY: sk-mine }}\n{HEAD}    expect: {{ request: {{ headers: {{ authorization: Bearer sk-mine }} }} }}\n"
    );
    let (told, fine) = tried(SET, &given, &[]);
    assert!(fine, "{told}");
    let given = format!(
        "{HEAD}    expect: {{ request: {{ headers: {{ authorization: Bearer value-of-KEY-0123456789abcdef0123456789abcdef }} }} }}\n"
    );
    let (told, fine) = tried(SET, &given, &[]);
    assert!(fine, "{told}");
}

#[test]
fn an_answer_is_masked_in_whatever_pieces_it_comes() {
    for pieces in [1, 2, 3, 7, 1000] {
        let (told, fine) = case(&format!(
            "answer: {{ pieces: {pieces}, events: [{{ choices: [{{ index: 0, delta: {{ content: 'at jane@exa' }} }}] }}, {{ choices: [{{ index: 0, delta: {{ content: 'mple.com now' }} }}] }}, '[DONE]'] }}\nexpect: {{ record: {{ portcullis.response.entities: {{ EMAIL_ADDRESS: 1 }} }}, answer: {{ lacks: [jane, mple], contains: [<EMAIL_ADDRESS>] }} }}"
        ));
        assert!(fine, "{pieces}: {told}");
    }
}

#[test]
fn faults_of_a_test_file_are_told_with_their_places() {
    for (tests, told) in [
        ("tests: []", "1:8: tests: expected a list of cases"),
        ("test: []", "1:1: test: is not known here"),
        (
            "tests:\n  - name: a\n    expcet: {}\n    request: { path: / }\n",
            "3:5: tests[0].expcet: is not known here",
        ),
        ("tests:\n  - name: a\n    request: { path: / }\n", "tests[0]: expects nothing"),
        (
            "tests:\n  - name: a\n    request: { path: / }\n    expect: {}\n",
            "tests[0].expect: expects nothing",
        ),
        ("tests:\n  - name: a\n    expect: { decision: allow }\n", "tests[0]: lacks a `request`"),
        ("tests:\n  - request: { path: / }\n    expect: { decision: allow }\n", "tests[0]: lacks a `name`"),
        (
            "tests:\n  - name: a\n    time: noon\n    request: { path: / }\n    expect: { decision: allow }\n",
            "expected a time, such as",
        ),
        (
            "tests:\n  - name: a\n    request: { path: /, body: { repeat: abc, times: 900000000 } }\n    expect: { decision: allow }\n",
            "makes a text of more than",
        ),
        (
            "tests:\n  - name: a\n    request: { path: / }\n    answer: { status: 7 }\n    expect: { decision: allow }\n",
            "expected a whole number from 100 to 599",
        ),
        ("tests:\n  - &a { name: a }\n", "has an anchor"),
    ] {
        let (out, fine) = tried(SET, tests, &[]);
        assert!(!fine && out.contains(told), "{tests}: {out}");
    }
    let twice = format!(
        "{HEAD}    expect: {{ decision: allow }}\n{}    expect: {{ decision: allow }}\n",
        HEAD.trim_start_matches("tests:\n")
    );
    let (out, fine) = tried(SET, &twice, &[]);
    assert!(!fine && out.contains("`it` is the name of two cases"), "{out}");
}

#[test]
fn a_set_that_is_wrong_is_told_before_any_case() {
    let (told, fine) = tried(&SET.replace("in identity.groups", "in identity.gruops"), HEAD, &[]);
    assert!(!fine && told.contains("error: ") && told.contains("gruops"), "{told}");
    let directory = directory(&[("set.yaml", SET)]);
    let output = run(directory.path(), &["test"]);
    assert!(text(&output.stderr).contains("has no tests"), "{output:?}");
    assert!(!output.status.success());
}

#[test]
fn tests_can_be_chosen_and_cover_can_be_demanded() {
    let tests = format!("{HEAD}    expect: {{ decision: allow }}\n");
    let (told, fine) = tried(SET, &tests, &["--only", "it"]);
    assert!(fine && told.contains("1 test: 1 passed"), "{told}");
    let (told, fine) = tried(SET, &tests, &["--only", "else"]);
    assert!(!fine && told.contains("has no test whose name holds `else`"), "{told}");
    let (told, fine) = tried(SET, &tests, &["--cover"]);
    assert!(!fine && told.contains("never: chat/short"), "{told}");
}

#[test]
fn programs_and_code_hosts_read_results_too() {
    let tests = format!("{HEAD}    expect: {{ decision: deny }}\n");
    let (told, fine) = tried(SET, &tests, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert!(!fine);
    assert_eq!(json["ok"], false);
    assert_eq!(json["tests"][0]["differences"][0]["how"], "expected deny, got allow");
    assert_eq!(json["rules"]["never"], serde_json::json!(["chat/short"]));
    let (told, _) = tried(SET, &tests, &["--format", "github"]);
    assert!(
        told.starts_with(
            "::error file=./chat_test.yaml,line=2,col=5::it%0Adecision: expected deny, got allow\n"
        ),
        "{told}"
    );
}

#[test]
fn a_set_in_one_file_has_its_tests_beside_it() {
    let tests = format!("{HEAD}    expect: {{ decision: allow }}\n");
    let directory =
        directory(&[("one.yaml", SET), ("one_test.yaml", &tests), ("two_test.yaml", "nonsense: 1")]);
    let output = run(directory.path(), &["test", "one.yaml"]);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_examples_keep_what_their_tests_promise() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies");
    let sets: Vec<_> = fs::read_dir(&examples).unwrap().map(|set| set.unwrap().path()).collect();
    assert!(sets.len() > 2);
    for set in sets {
        let output = run(&set, &["test", "--cover"]);
        assert!(
            output.status.success(),
            "{}: {}{}",
            set.display(),
            text(&output.stdout),
            text(&output.stderr)
        );
    }
}

#[test]
fn files_without_a_test_do_not_pass_for_tests_that_hold() {
    for tests in ["", "# to be written\n", "---\n# nothing\n"] {
        let directory = directory(&[("set.yaml", SET), ("set_test.yaml", tests)]);
        let output = run(directory.path(), &["test"]);
        assert_eq!(output.status.code(), Some(1), "{tests:?}: {output:?}");
        assert!(text(&output.stderr).contains("has no tests"), "{output:?}");
    }
}
