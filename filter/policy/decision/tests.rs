use super::*;
use crate::policy::condition::Expression;
use crate::policy::template::{Part, Template};
use crate::policy::testing::{TestFacts, typical};
use crate::policy::variables::{Fact, Phase, Variable};

fn condition(source: &str) -> Condition {
    Condition::compile(source, Phase::Body).unwrap()
}

fn rule(name: &str, effect: Effect, source: &str) -> Rule {
    Rule::compile(name, effect, source, Phase::Body).unwrap()
}

fn deny(name: &str, source: &str) -> Rule {
    rule(name, Effect::Deny, source)
}

fn flag(name: &str, source: &str) -> Rule {
    rule(name, Effect::Flag, source)
}

fn approve(name: &str, source: &str) -> Rule {
    rule(name, Effect::Approve, source)
}

/// A message of these parts; `$` begins an expression.
fn said(parts: &[&str]) -> Option<Template> {
    let part = |part: &&str| match part.strip_prefix('$') {
        Some(expression) => Part::Value(Expression::compile_told(expression).unwrap()),
        None => Part::Text((*part).to_owned()),
    };
    Some(Template { parts: parts.iter().map(part).collect() })
}

/// The approvals of a verdict, and whether each acts.
fn asked(verdict: &Verdict) -> Vec<(&str, bool)> {
    verdict.approvals.iter().map(|one| (one.rule.as_str(), one.mode == Mode::Enforce)).collect()
}

fn watching(rule: Rule) -> Rule {
    rule.with_mode(Some(Mode::Monitor))
}

fn judge(mode: Mode, allow: &str, rules: Vec<Rule>) -> Verdict {
    Policy::new(mode, condition(allow), rules).judge(&typical())
}

fn refusing(verdict: &Verdict) -> (Reason, Option<&str>) {
    let denial = verdict.denial().expect("a refusal");
    (denial.reason, denial.rule.as_deref())
}

const FAILS: &str = "identity.claims.absent == 1";

#[test]
fn a_request_that_no_rule_minds_is_allowed() {
    let verdict = judge(Mode::Enforce, "true", vec![deny("a", "false"), flag("b", "false")]);
    assert_eq!(verdict.decision, Decision::Allow);
    assert!(
        verdict.allowed && verdict.would.is_none() && verdict.flags.is_empty() && verdict.errors.is_empty()
    );
}

#[test]
fn the_first_deny_that_holds_answers_and_no_flag_is_judged_after_it() {
    let rules = vec![flag("early", "true"), deny("no", "false"), deny("one", "true"), deny("two", "true")];
    let verdict = judge(Mode::Enforce, "true", rules);
    assert_eq!(refusing(&verdict), (Reason::Forbidden, Some("one")));
    assert!(verdict.flags.is_empty());
}

#[test]
fn allow_comes_before_every_rule() {
    let verdict = judge(Mode::Enforce, "\"admins\" in identity.groups", vec![deny("one", "true")]);
    assert_eq!(refusing(&verdict), (Reason::Forbidden, None));
    assert!(!verdict.allowed);
}

#[test]
fn flags_that_hold_are_listed_in_order() {
    let verdict =
        judge(Mode::Enforce, "true", vec![flag("a", "true"), flag("b", "false"), flag("c", "true")]);
    assert_eq!(verdict.decision, Decision::Allow);
    assert_eq!(verdict.flags, ["a", "c"]);
}

#[test]
fn an_allow_or_deny_that_fails_denies_with_policy_error() {
    let verdict = judge(Mode::Enforce, FAILS, vec![]);
    assert_eq!(refusing(&verdict), (Reason::PolicyError, None));
    assert_eq!(verdict.errors, [(ALLOW.to_owned(), EvalError::Missing("`absent`".to_owned()))]);

    let verdict = judge(Mode::Enforce, "true", vec![deny("broken", FAILS), deny("after", "true")]);
    assert_eq!(refusing(&verdict), (Reason::PolicyError, Some("broken")));
}

#[test]
fn a_flag_that_fails_is_recorded_and_blocks_nothing() {
    let verdict = judge(Mode::Enforce, "true", vec![flag("broken", FAILS), flag("fine", "true")]);
    assert_eq!(verdict.decision, Decision::Allow);
    assert_eq!(verdict.flags, ["fine"]);
    assert_eq!(verdict.errors.first().map(|(rule, _)| rule.as_str()), Some("broken"));
}

#[test]
fn a_monitor_deny_never_blocks_and_shows_in_would() {
    let rules = vec![watching(deny("watched", "true")), deny("quiet", "false"), flag("seen", "true")];
    let verdict = judge(Mode::Enforce, "true", rules);
    assert_eq!(verdict.decision, Decision::Allow);
    assert_eq!(verdict.would.and_then(|would| would.rule).as_deref(), Some("watched"));
    assert_eq!(verdict.flags, ["seen"]);
}

#[test]
fn an_enforced_deny_after_a_monitor_deny_still_blocks() {
    let verdict = judge(Mode::Enforce, "true", vec![watching(deny("watched", "true")), deny("real", "true")]);
    assert_eq!(refusing(&verdict), (Reason::Forbidden, Some("real")));
    assert_eq!(verdict.would.and_then(|would| would.rule).as_deref(), Some("watched"));
}

#[test]
fn an_enforced_deny_before_a_monitor_deny_leaves_nothing_to_wonder() {
    let verdict = judge(Mode::Enforce, "true", vec![deny("real", "true"), watching(deny("watched", "true"))]);
    assert_eq!(refusing(&verdict), (Reason::Forbidden, Some("real")));
    assert_eq!(verdict.would, None);
}

#[test]
fn a_monitor_rule_that_fails_is_recorded_as_what_would_have_been() {
    let verdict = judge(Mode::Enforce, "true", vec![watching(deny("watched", FAILS))]);
    assert_eq!(verdict.decision, Decision::Allow);
    assert_eq!(verdict.would.map(|would| would.reason), Some(Reason::PolicyError));
    assert_eq!(verdict.errors.len(), 1);
}

#[test]
fn a_monitor_policy_blocks_nobody_yet_says_that_allow_was_false() {
    let verdict = judge(Mode::Monitor, "false", vec![deny("later", "true"), flag("seen", "true")]);
    assert_eq!(verdict.decision, Decision::Allow);
    assert!(!verdict.allowed);
    assert_eq!(verdict.would, Some(denial(Reason::Forbidden, None, None)));
    assert_eq!(verdict.flags, ["seen"]);
}

#[test]
fn a_rule_enforced_within_a_monitor_policy_blocks() {
    let rules = vec![deny("real", "true").with_mode(Some(Mode::Enforce))];
    assert_eq!(refusing(&judge(Mode::Monitor, "true", rules)), (Reason::Forbidden, Some("real")));
}

#[test]
fn the_message_is_the_rule_s_own_or_names_it_and_never_holds_what_matched() {
    let own = deny("long", "llm.prompt_chars > 1").with_message(said(&["Too long."]));
    assert_eq!(judge(Mode::Enforce, "true", vec![own]).denial().unwrap().message, "Too long.");
    let failing = deny("long", FAILS).with_message(said(&["Too long."]));
    let said = judge(Mode::Enforce, "true", vec![failing]).denial().unwrap().message.clone();
    assert_eq!(said, "The rule \"long\" could not be decided.");
    let plain = judge(Mode::Enforce, "true", vec![deny("words", "prompt.text.contains(\"IGNORE\")")]);
    assert_eq!(plain.denial().unwrap().message, "The rule \"words\" forbids this request.");
}

#[test]
fn what_a_message_says_of_a_request_is_literal_and_cut() {
    let facts = |tenant: &str| typical().claims(serde_json::json!({ "tenant": tenant, "level": 3 }));
    let told = |message: &[&str], tenant: &str| {
        let rule = deny("no", "true").with_message(said(message));
        let verdict = Policy::new(Mode::Enforce, condition("true"), vec![rule]).judge(&facts(tenant));
        (verdict.denial().unwrap().clone(), verdict.errors)
    };
    let message = ["Not for ", "$identity.claims.tenant", ", on ", "$string(llm.prompt_chars)", "."];
    let (denial, errors) = told(&message, "a\"${identity.id}\n*");
    assert_eq!(denial.message, "Not for a\"${identity.id}\n*, on 120.");
    assert_eq!((denial.reason, errors), (Reason::Forbidden, vec![]));
    let (denial, _) = told(&message, &"é".repeat(201));
    assert_eq!(denial.message, format!("Not for {}…, on 120.", "é".repeat(200)));
    let (denial, _) = told(&message, &"é".repeat(200));
    assert_eq!(denial.message, format!("Not for {}, on 120.", "é".repeat(200)));
    for (tenant, message) in [("", "$identity.claims.tenant"), ("x", "$identity.claims.absent")] {
        let (denial, errors) = told(&[message], tenant);
        assert_eq!((denial.reason, errors.len()), (Reason::PolicyError, 1));
        assert_eq!(denial.message, "The rule \"no\" could not be decided.");
    }
    assert_eq!(told(&["$identity.claims.level"], "x").0.reason, Reason::PolicyError, "a number is no text");
}

#[test]
fn a_message_reads_nothing_of_the_prompt_wherever_it_hides() {
    for source in [
        "prompt.text",
        "true ? \"x\" : prompt.text",
        "llm.tools.map(t, t + prompt.text)[0]",
        "prompt.entities[0]",
        "string(size(prompt.text))",
    ] {
        let error = Expression::compile_told(source).unwrap_err();
        let named = source.get(error.offset..error.offset + error.len);
        assert!(named.is_some_and(|name| name.starts_with("prompt.")), "{source}: {error:?}");
    }
    assert!(Expression::compile_told("llm.model").is_ok());
}

fn reads(policy: &Policy, variable: Variable) -> bool {
    policy.variables().any(|read| read == variable)
}

#[test]
fn a_message_counts_for_what_a_policy_needs() {
    let rule = deny("no", "request.method == \"PUT\"").with_message(said(&["$llm.model"]));
    assert!(rule.reads_body() && !rule.condition().reads_body());
    let policy = Policy::new(Mode::Enforce, condition("true"), vec![rule]);
    assert!(policy.needs_body() && reads(&policy, Variable::LlmModel));
}

#[test]
fn every_approval_that_holds_is_asked_for_after_all_else() {
    let rules = vec![
        approve("first", "true"),
        flag("seen", "true"),
        approve("quiet", "false"),
        approve("second", "true").with_message(said(&["Ask ", "$identity.subject", "."])),
        watching(approve("third", "true")),
    ];
    let verdict = judge(Mode::Enforce, "true", rules.clone());
    assert_eq!(verdict.decision, Decision::Allow);
    assert_eq!(asked(&verdict), [("first", true), ("second", true), ("third", false)]);
    let messages: Vec<_> = verdict.approvals.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(messages[0], "The rule \"first\" asks a human to approve this request.");
    assert_eq!(messages[1], "Ask alice.");
    assert_eq!((verdict.flags, verdict.would), (vec!["seen".to_owned()], None));

    let denied = judge(Mode::Enforce, "true", [rules.clone(), vec![deny("no", "true")]].concat());
    assert_eq!(refusing(&denied), (Reason::Forbidden, Some("no")));
    assert!(denied.approvals.is_empty() && denied.flags.is_empty());

    let watched = judge(Mode::Monitor, "true", rules);
    assert!(watched.approvals.iter().all(|one| one.mode == Mode::Monitor) && watched.approvals.len() == 3);
}

#[test]
fn an_approve_that_fails_denies_with_policy_error_whatever_else_holds() {
    for broken in [approve("b", FAILS), approve("b", "true").with_message(said(&["$source.principal"]))] {
        let verdict = judge(
            Mode::Enforce,
            "true",
            vec![approve("a", "true"), broken.clone(), flag("seen", "true"), approve("c", "true")],
        );
        assert_eq!(refusing(&verdict), (Reason::PolicyError, Some("b")));
        assert_eq!(asked(&verdict), []);
        assert_eq!(verdict.flags, ["seen"], "flags come before");
        let verdict = judge(Mode::Enforce, "true", vec![watching(broken), approve("c", "true")]);
        assert_eq!(verdict.would.as_ref().map(|would| would.reason), Some(Reason::PolicyError));
        assert_eq!((asked(&verdict), verdict.errors.len()), (vec![("c", true)], 1));
    }
}

#[test]
fn of_several_approvals_that_fail_the_first_is_named() {
    let verdict = judge(Mode::Enforce, "true", vec![approve("a", FAILS), approve("b", FAILS)]);
    assert_eq!(refusing(&verdict), (Reason::PolicyError, Some("a")));
    assert_eq!(verdict.errors.len(), 2);
}

#[test]
fn the_head_decides_allow_alone_unless_it_reads_the_body() {
    let policy = Policy::new(Mode::Enforce, condition("\"admins\" in identity.groups"), vec![]);
    assert_eq!(policy.judge_head(&typical()).as_ref().map(refusing), Some((Reason::Forbidden, None)));
    let policy = Policy::new(Mode::Enforce, condition("true"), vec![deny("later", "llm.stream")]);
    assert_eq!(policy.judge_head(&typical()).unwrap().decision, Decision::Allow);
    assert!(policy.judge(&typical()).denial().is_some());
    let policy = Policy::new(Mode::Enforce, condition("llm.model == \"gpt-4o\""), vec![]);
    assert_eq!(policy.judge_head(&typical()), None);
    assert_eq!(policy.judge(&typical()).decision, Decision::Allow);
}

#[test]
fn a_policy_knows_what_it_needs() {
    let head = Policy::new(Mode::Enforce, condition("true"), vec![deny("a", "request.method == \"PUT\"")]);
    assert!(!head.needs_body() && reads(&head, Variable::RequestMethod));
    let body = Policy::new(Mode::Enforce, condition("true"), vec![flag("a", "\"X\" in prompt.entities")]);
    assert!(body.needs_body() && reads(&body, Variable::PromptEntities));
    assert!(!reads(&head, Variable::PromptEntities) && !reads(&body, Variable::PromptText));
}

#[test]
fn facts_that_are_not_known_deny_by_name() {
    struct Nothing;
    impl Facts for Nothing {
        fn fact(&self, _: Variable) -> Fact<'_> {
            Fact::Missing
        }
    }
    let verdict = Policy::new(Mode::Enforce, condition("request.method == \"GET\""), vec![]).judge(&Nothing);
    assert_eq!(refusing(&verdict), (Reason::PolicyError, None));
    assert_eq!(verdict.errors, [(ALLOW.to_owned(), EvalError::Missing("`request.method`".to_owned()))]);
}

proptest::proptest! {
    #[test]
    fn the_verdict_follows_from_the_truth_of_each_condition(
        allow in outcome(),
        monitor in proptest::bool::ANY,
        rules in proptest::collection::vec((outcome(), effect(), proptest::option::of(proptest::bool::ANY)), 0..6),
    ) {
        let source = |outcome: Option<bool>| match outcome {
            Some(true) => "true",
            Some(false) => "false",
            None => FAILS,
        };
        let mode = |monitor: bool| if monitor { Mode::Monitor } else { Mode::Enforce };
        let compiled = rules.iter().enumerate().map(|(index, (outcome, effect, own))| {
            rule(&index.to_string(), *effect, source(*outcome)).with_mode(own.map(mode))
        });
        let policy = Policy::new(mode(monitor), condition(source(allow)), compiled.collect());
        let verdict = policy.judge(&TestFacts::default());

        // The steps as the design orders them, each with the mode it acts in.
        let of = |effect: Effect| rules.iter().enumerate().filter(move |(_, rule)| rule.1 == effect)
            .map(|(index, (outcome, _, own))| (Some(index.to_string()), *outcome, own.unwrap_or(monitor)));
        // An approval denies only where it fails.
        let approvals = || of(Effect::Approve);
        let failing = approvals().filter(|(_, outcome, _)| outcome.is_none());
        let steps: Vec<_> = std::iter::once((None, allow.map(|holds| !holds), monitor))
            .chain(of(Effect::Deny))
            .chain(failing)
            .filter(|(_, denies, _)| *denies != Some(false))
            .collect();
        let acting = steps.iter().find(|(_, _, monitor)| !monitor);
        proptest::prop_assert_eq!(verdict.denial().map(|denial| &denial.rule), acting.map(|(rule, _, _)| rule));
        let first = steps.first().filter(|(_, _, monitor)| *monitor);
        proptest::prop_assert_eq!(verdict.would.as_ref().map(|would| &would.rule), first.map(|(rule, _, _)| rule));
        proptest::prop_assert_eq!(verdict.allowed, allow == Some(true));
        let refused = acting.is_some_and(|(rule, _, _)| !approvals().any(|(name, _, _)| name == *rule));
        let held = |(_, outcome, _): &(_, Option<bool>, _)| *outcome == Some(true);
        let names = |steps: Vec<(Option<String>, _, _)>| steps.into_iter().filter_map(|(name, _, _)| name).collect::<Vec<_>>();
        let flags = if refused { vec![] } else { names(of(Effect::Flag).filter(held).collect()) };
        proptest::prop_assert_eq!(&verdict.flags, &flags);
        let needed = if acting.is_some() { vec![] } else { names(approvals().filter(held).collect()) };
        proptest::prop_assert_eq!(verdict.approvals.iter().map(|one| &one.rule).collect::<Vec<_>>(), needed.iter().collect::<Vec<_>>());
    }
}

fn effect() -> impl proptest::strategy::Strategy<Value = Effect> {
    proptest::sample::select(vec![Effect::Deny, Effect::Flag, Effect::Approve])
}

fn outcome() -> impl proptest::strategy::Strategy<Value = Option<bool>> {
    proptest::option::of(proptest::bool::ANY)
}
