//! `portcullis mask`: text in, masked text out.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may")]

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const SET: &str = "\
version: 1
issuers:
  - { name: i, issuer: https://i.example, audiences: [a], jwks: { cluster: idp } }
connections:
  - { name: chat, protocol: openai, policy: chat, match: { path_prefix: /v1 }, credential: { header: x-key, value: '${env:KEY}' } }
  - { name: open, protocol: openai, policy: open, match: { path_prefix: /v2 } }
policies:
  - name: chat
    allow: 'true'
    mask:
      prompt: { entities: [PII], restore: true }
      response:
        entities: [PII, SECRETS]
        key: '${env:PSEUDONYMS}'
        scope: '${identity.claims.tenant}'
        overrides:
          EMAIL_ADDRESS: { operator: pseudonym }
          CREDIT_CARD: { operator: mask, keep_last: 4 }
          IP_ADDRESS: { operator: flag }
          US_SSN: { operator: block }
  - { name: open, allow: 'true' }
";

fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.current_dir(directory).arg("mask").args(arguments).env_remove("PSEUDONYMS").env_remove("KEY");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn fed(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.spawn().unwrap();
    // A command that has nothing to do does not read.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn set() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("set.yaml"), SET).unwrap();
    directory
}

/// What `mask` prints, what it says beside, and its exit code.
fn mask(arguments: &[&str], input: &str) -> (String, String, Option<i32>) {
    let directory = set();
    let mut command = command(directory.path(), arguments);
    command.env("PSEUDONYMS", "0123456789abcdef");
    let output = fed(command, input.as_bytes());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr), output.status.code())
}

const CHAT: [&str; 6] = ["--policy", ".", "--connection", "chat", "--claims", "{\"tenant\":\"acme\"}"];

#[test]
fn a_text_is_masked_by_entities() {
    let masked = |arguments: &[&str], input: &str| mask(arguments, input).0;
    assert_eq!(masked(&[], "jane@example.com, é\n"), "<EMAIL_ADDRESS>, é\n");
    assert_eq!(masked(&["--entities", "US_SSN, SECRETS"], "a@b.co 536-90-4399"), "a@b.co <US_SSN>");
    assert_eq!(masked(&[], ""), "");
    let (out, told, code) = mask(&["--entities", "EMAIL"], "x");
    assert_eq!((out.as_str(), code), ("", Some(1)));
    assert_eq!(told, "error: no detector finds EMAIL; did you mean EMAIL_ADDRESS?\n");
}

#[test]
fn a_text_is_masked_as_a_policy_masks_answers() {
    let (out, told, code) = mask(&CHAT, "jane@example.com 4111111111111111 10.1.2.3 upstream");
    assert_eq!((told.as_str(), code), ("", Some(0)));
    let (name, rest) = out.split_once(' ').unwrap();
    assert!(name.starts_with("<EMAIL_ADDRESS_") && name.len() == "<EMAIL_ADDRESS_>".len() + 12, "{out}");
    assert_eq!(rest, "************1111 10.1.2.3 upstream");
    let (again, ..) = mask(&CHAT, "jane@EXAMPLE.com");
    assert_eq!(again, name);
    let other = ["--policy", ".", "--connection", "chat", "--claims", "{\"tenant\":\"other\"}"];
    assert_ne!(mask(&other, "jane@example.com").0, name);
}

#[test]
fn a_blocked_text_ends_before_the_value_and_has_an_exit_code_of_its_own() {
    let (out, told, code) = mask(&CHAT, "n 536-90-4399 and a@b.co");
    assert_eq!((out.as_str(), code), ("n ", Some(3)));
    assert_eq!(told, "blocked: the policy lets no text through that holds US_SSN\n");
}

#[test]
fn prompts_get_names_that_are_not_in_the_text() {
    let arguments = ["--policy", ".", "--connection", "chat", "--prompt"];
    let (out, ..) = mask(&arguments, "a@b.co <EMAIL_ADDRESS_1> c@d.ee a@b.co");
    assert_eq!(out, "<EMAIL_ADDRESS_2> <EMAIL_ADDRESS_1> <EMAIL_ADDRESS_3> <EMAIL_ADDRESS_2>");
}

#[test]
fn as_json_each_value_has_its_place() {
    let mut arguments = CHAT.to_vec();
    arguments.push("--json");
    let (out, _, code) = mask(&arguments, "é 4111111111111111, 10.1.2.3; 536-90-4399 x");
    let document: Value = serde_json::from_str(&out).unwrap();
    let expected = json!({
        "text": "é ************1111, 10.1.2.3; ",
        "blocked": true,
        "values": [
            {"start": 3, "end": 19, "entity": "CREDIT_CARD", "operator": "mask", "replacement": "************1111"},
            {"start": 21, "end": 29, "entity": "IP_ADDRESS", "operator": "flag", "replacement": null},
            {"start": 31, "end": 42, "entity": "US_SSN", "operator": "block", "replacement": null},
        ],
    });
    assert_eq!((document, code), (expected, Some(3)));
    let long = format!("x ghp_{} y", "aB3d".repeat(40_000));
    let document: Value = serde_json::from_str(&mask(&["--json"], &long).0).unwrap();
    let value = &document["values"][0];
    assert_eq!((&value["start"], &value["end"]), (&json!(2), &json!(long.len() - 2)));
    assert_eq!(document["text"], "x <GITHUB_TOKEN> y");
}

#[test]
fn what_is_decided_goes_out_while_more_is_awaited() {
    let directory = set();
    let mut child = command(directory.path(), &[]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"to jane@example.com, and mo").unwrap();
    let mut seen = vec![0; "to <EMAIL_ADDRESS>, and ".len()];
    child.stdout.as_mut().unwrap().read_exact(&mut seen).unwrap();
    assert_eq!(seen, b"to <EMAIL_ADDRESS>, and ");
    input.write_all(b"re").unwrap();
    drop(input);
    assert_eq!(child.wait_with_output().unwrap().stdout, b"more");
}

#[test]
fn what_is_missing_is_told() {
    let told = |arguments: &[&str]| {
        let (out, told, code) = mask(arguments, "jane@example.com");
        assert_eq!((out.as_str(), code), ("", Some(1)));
        told
    };
    assert_eq!(
        told(&["--policy", "."]),
        "error: the set has 2 connections with a policy: name one of `chat`, `open` with --connection\n"
    );
    assert!(
        told(&["--policy", ".", "--connection", "caht"])
            .contains("no connection `caht` with a policy: name one of `chat`")
    );
    assert_eq!(
        told(&["--policy", ".", "--connection", "open"]),
        "error: the policy of the connection `open` has no `mask.response`\n"
    );
    assert_eq!(
        told(&["--policy", ".", "--connection", "chat"]),
        "error: the scope of pseudonyms needs the claim `tenant` of the token, as text: give it with --claims\n"
    );
    assert!(
        told(&["--policy", ".", "--connection", "chat", "--claims", "[]"])
            .starts_with("error: --claims: expected a JSON object")
    );
    assert!(told(&["--policy", "nowhere"]).starts_with("error: nowhere: cannot be read"));
    let directory = set();
    std::fs::write(directory.path().join("set.yaml"), SET.replace("keep_last: 4", "keep_last: 40")).unwrap();
    let output = fed(command(directory.path(), &["--policy", "."]), b"");
    assert!(String::from_utf8(output.stderr).unwrap().contains("keep_last: `40` is not between 0 and 16"));
}

#[test]
fn without_its_key_a_set_can_be_tried_all_the_same() {
    let directory = set();
    let output = fed(command(directory.path(), &CHAT), b"jane@example.com");
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "warning: PSEUDONYMS is not set: pseudonyms are made under a key of this run alone\n"
    );
    assert!(output.stdout.starts_with(b"<EMAIL_ADDRESS_"));
}

#[test]
fn a_directory_in_the_place_of_a_text_is_told_so() {
    let directory = set();
    let output = command(directory.path(), &[])
        .stdin(std::fs::File::open(directory.path()).unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("error: the standard input is a directory: give a file")
    );
}
