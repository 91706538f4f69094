use super::*;
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
    let own = deny("long", "llm.prompt_chars > 1").with_message(Some("Too long.".to_owned()));
    assert_eq!(judge(Mode::Enforce, "true", vec![own]).denial().unwrap().message, "Too long.");
    let failing = deny("long", FAILS).with_message(Some("Too long.".to_owned()));
    let said = judge(Mode::Enforce, "true", vec![failing]).denial().unwrap().message.clone();
    assert_eq!(said, "The rule \"long\" could not be decided.");
    let plain = judge(Mode::Enforce, "true", vec![deny("words", "prompt.text.contains(\"IGNORE\")")]);
    assert_eq!(plain.denial().unwrap().message, "The rule \"words\" forbids this request.");
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
    assert!(!head.needs_body() && !head.reads_entities() && head.reads(Variable::RequestMethod));
    let body = Policy::new(Mode::Enforce, condition("true"), vec![flag("a", "\"X\" in prompt.entities")]);
    assert!(body.needs_body() && body.reads_entities() && !body.reads(Variable::PromptText));
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
        rules in proptest::collection::vec((outcome(), proptest::bool::ANY, proptest::option::of(proptest::bool::ANY)), 0..6),
    ) {
        let source = |outcome: Option<bool>| match outcome {
            Some(true) => "true",
            Some(false) => "false",
            None => FAILS,
        };
        let mode = |monitor: bool| if monitor { Mode::Monitor } else { Mode::Enforce };
        let compiled = rules.iter().enumerate().map(|(index, (outcome, flags, own))| {
            let effect = if *flags { Effect::Flag } else { Effect::Deny };
            rule(&index.to_string(), effect, source(*outcome)).with_mode(own.map(mode))
        });
        let policy = Policy::new(mode(monitor), condition(source(allow)), compiled.collect());
        let verdict = policy.judge(&TestFacts::default());

        // The steps as the design orders them, each with the mode it acts in.
        let denies = rules.iter().enumerate().filter(|(_, (_, flags, _))| !flags);
        let steps: Vec<_> = std::iter::once((None, allow.map(|holds| !holds), monitor))
            .chain(denies.map(|(index, (outcome, _, own))| (Some(index.to_string()), *outcome, own.unwrap_or(monitor))))
            .filter(|(_, denies, _)| *denies != Some(false))
            .collect();
        let acting = steps.iter().find(|(_, _, monitor)| !monitor);
        proptest::prop_assert_eq!(verdict.denial().map(|denial| &denial.rule), acting.map(|(rule, _, _)| rule));
        let first = steps.first().filter(|(_, _, monitor)| *monitor);
        proptest::prop_assert_eq!(verdict.would.as_ref().map(|would| &would.rule), first.map(|(rule, _, _)| rule));
        proptest::prop_assert_eq!(verdict.allowed, allow == Some(true));
        if acting.is_some() {
            proptest::prop_assert!(verdict.flags.is_empty());
        }
    }
}

fn outcome() -> impl proptest::strategy::Strategy<Value = Option<bool>> {
    proptest::option::of(proptest::bool::ANY)
}
