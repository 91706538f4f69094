//! Networks, versions, times, pieces of text and sets.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[test]
fn helpers_answer_as_where_they_are_known_from() {
    for source in [
        "cidr(\"10.0.0.0/8\").containsIP(\"10.1.2.3\") && !cidr(\"10.0.0.0/8\").containsIP(\"11.1.2.3\")",
        "cidr(\"10.0.0.0/8\").containsIP(\"::ffff:10.1.2.3\")",
        "cidr(\"fd00::/8\").containsIP(\"fd12::1\") && !cidr(\"fd00::/8\").containsIP(\"10.1.2.3\")",
        "cidr(\"0.0.0.0/0\").containsIP(\"255.255.255.255\") && cidr(\"10.1.2.3/32\").containsIP(\"10.1.2.3\")",
        "cidr(\"10.1.2.3/8\") == cidr(\"10.0.0.0/8\") && cidr(\"10.0.0.0/8\") != cidr(\"10.0.0.0/9\")",
        "[\"10.0.0.0/8\", \"fd00::/8\"].exists(net, cidr(net).containsIP(\"fd12::1\"))",
        "semver(\"1.10.0\").isGreaterThan(semver(\"1.9.9\")) && semver(\"1.0.0-rc.1\").isLessThan(semver(\"1.0.0\"))",
        "semver(\"1.0.0+a\") == semver(\"1.0.0+b\") && semver(\"1.0.0\").compareTo(semver(\"2.0.0\")) == -1",
        "semver(\"3.14.1\").major() == 3 && semver(\"3.14.1\").minor() == 14",
        "semver(request.headers[\"user-agent\"].split(\"/\")[1] + \".0\").isLessThan(semver(\"1.2.0\"))",
        "now() == request.time && now() - 60 < request.time",
        "request.time.getDayOfWeek() == 2 && now().getHours() == 22 && request.time.getMinutes() == 13",
        "!(now().getDayOfWeek() in [0, 6])",
        "(0 - 1).getDayOfWeek() == 3 && (0 - 1).getHours() == 23 && 0.getDayOfWeek() == 4",
        "\"a,b,,c\".split(\",\") == [\"a\", \"b\", \"\", \"c\"] && \"\".split(\",\") == [\"\"]",
        "\"Zoë\".split(\"\") == [\"Z\", \"o\", \"ë\"] && \"\".split(\"\") == []",
        "llm.tools.join(\"+\") == \"db_read+search\" && \"a b\".split(\" \").join(\"\") == \"ab\"",
        "\" \\tx y\\n\".trim() == \"x y\" && \"ÄB\".lower() == \"äb\" && \"äb\".upperAscii() == \"äB\"",
        "sets.contains(identity.groups, [\"engineers\"]) && !sets.contains([\"engineers\"], identity.groups)",
        "sets.intersects(identity.groups, [\"x\", \"rag-users\"]) && !sets.intersects(identity.groups, [\"x\"])",
        "sets.equivalent(identity.groups, [\"engineers\", \"rag-users\", \"engineers\"])",
        "sets.contains(identity.claims.realm_access.roles, [\"reader\"])",
        "sets.contains([], []) && sets.equivalent([], []) && !sets.intersects([], [])",
        "sets.contains([1, 2], [2.0]) && !sets.contains([\"a\"], [\"A\"])",
        "sets.contains(identity.groups.map(g, g.lower()), [\"rag-users\"])",
    ] {
        assert_eq!(ask(source), Ok(true), "{source}");
    }
}

#[test]
fn a_helper_of_what_it_cannot_read_fails() {
    for (source, error) in [
        (
            "cidr(llm.model).containsIP(\"10.0.0.1\")",
            EvalError::Other("cidr() of something that is no network"),
        ),
        (
            "cidr(\"10.0.0.0/8\").containsIP(source.address)",
            EvalError::Other("containsIP() of something that is no address"),
        ),
        (
            "semver(llm.model) == semver(\"1.0.0\")",
            EvalError::Other("semver() of something that is no version"),
        ),
        ("sets.contains(identity.claims.tenant, [\"a\"])", EvalError::Type),
        ("identity.claims.realm_access.join(\",\") == \"\"", EvalError::Type),
        ("identity.claims.tenant.getHours() == 3", EvalError::Type),
        ("identity.claims.tenant.isLessThan(semver(\"1.0.0\"))", EvalError::Type),
        ("[1, \"a\"].join(\",\") == \"\"", EvalError::Type),
    ] {
        assert_eq!(ask(source), Err(error), "{source}");
    }
}

#[test]
fn what_a_helper_can_never_read_is_refused_when_the_set_loads() {
    let network = "\"10.0.0.0/33\"";
    refuses("cidr(\"10.0.0.0/33\").containsIP(\"10.0.0.1\")", network, "`10.0.0.0/33` is none", "");
    refuses("semver(\"1.2\") == semver(\"1.2.0\")", "\"1.2\"", "`1.2` is none", "");
    refuses("cidr(llm.n) == cidr(\"10.0.0.0/8\")", "llm.n", "needs a network", "");
    refuses("\"10.0.0.0/8\".containsIP(\"10.0.0.1\")", "\"10.0.0.0/8\"", "needs what `cidr` gives", "");
    refuses(
        "semver(\"1.0.0\") < semver(\"2.0.0\")",
        // A method's or function's place ends before its last parenthesis.
        "semver(\"1.0.0\") < semver(\"2.0.0\"",
        "cannot be compared",
        "isLessThan",
    );
    refuses("sets.contains(identity.groups, \"x\")", "\"x\"", "needs a list here, and this is string", "");
    refuses(
        "sets.contains(identity.groups, [1])",
        "sets.contains(identity.groups, [1",
        "nothing of list(int)",
        "",
    );
    refuses("sets.intersects(identity.claims, [])", "identity.claims", "needs a list here", "");
    refuses("sets.union([1], [2]) == []", "union(", "unknown function `sets.union`", "");
    refuses("sets == 3", "sets", "unknown name `sets`", "");
    refuses("llm.tools.exists(sets, sets.contains(\"x\"))", "sets", "hides the name", "another name");
    refuses("llm.model.getHours() == 3", "llm.model", "needs an int, such as request.time", "");
    refuses("now(1) == 3", "now", "called wrongly", "now()");
    refuses("[1].join(\",\") == \"1\"", "[1", "needs a list of strings", "");
    refuses("cidr(\"10.0.0.0/8\")", "cidr(\"10.0.0.0/8\"", "gives network", "");
}

#[test]
fn helpers_pay_for_what_they_work_on() {
    let tools: Vec<String> = (0..1000).map(|index| format!("tool{index}")).collect();
    let facts = typical()
        .set(Variable::LlmTools, Given::List(tools))
        .text(Variable::PromptText, &"a,".repeat(MAX_TEXT / 4));
    for source in [
        "sets.contains(llm.tools, llm.tools)",
        "sets.equivalent(llm.tools, llm.tools) || true",
        "sets.intersects(llm.tools, llm.tools.map(t, t + \"!\"))",
        "prompt.text.split(\",\") == []",
        "prompt.text.split(\"\") == []",
        "llm.tools.exists(t, [prompt.text, prompt.text].join(t) == \"\")",
        "llm.tools.all(t, prompt.text.lower() != t)",
        "llm.tools.all(t, prompt.text.trim() != t)",
        "llm.tools.all(t, sets.intersects([prompt.text], [prompt.text]))",
    ] {
        assert_eq!(compile(source).evaluate(&facts), Err(EvalError::Cost), "{source}");
    }
}

#[test]
fn a_pattern_that_varies_is_compiled_where_it_is_small() {
    for (source, wanted) in [
        ("request.method.matches(\"^\" + llm.model.trim() + \"$\")", Ok(false)),
        ("\"gpt-4o-mini\".matches(\"^\" + llm.model + \"(-mini)?$\")", Ok(true)),
        ("\"x\".matches(identity.claims.tenant)", Ok(false)),
        ("\"x\".matches(identity.claims.level)", Err(EvalError::Type)),
        ("\"x\".matches(\"(\" + llm.model)", Err(EvalError::Other(PATTERN))),
        ("\"x\".matches(\"[a-z]{90}{90}\" + llm.model)", Err(EvalError::Other(PATTERN))),
        ("\"x\".matches(prompt.text + prompt.text + prompt.text)", Err(EvalError::Other(PATTERN))),
        (
            "identity.groups.all(g, identity.groups.all(h, llm.tools.all(t, !t.matches(g + h))))",
            Err(EvalError::Cost),
        ),
    ] {
        assert_eq!(ask(source), wanted, "{source}");
    }
}

const PATTERN: &str = "matches() of something that is no pattern, or is a large one";

#[test]
fn a_condition_that_asks_the_time_says_so() {
    assert!(compile("now() > 3").reads().contains(&Variable::RequestTime));
}

fn quoted(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|text| format!("\"{text}\"")).collect();
    format!("[{}]", quoted.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn sets_are_sets(
        left in proptest::collection::vec("[a-d]", 0..5),
        right in proptest::collection::vec("[a-d]", 0..5),
    ) {
        let (one, other) = (quoted(&left), quoted(&right));
        let (left, right): (BTreeSet<_>, BTreeSet<_>) = (left.iter().collect(), right.iter().collect());
        for (name, wanted) in [
            ("contains", left.is_superset(&right)),
            ("equivalent", left == right),
            ("intersects", !left.is_disjoint(&right)),
        ] {
            prop_assert_eq!(ask(&format!("sets.{name}({one}, {other})")), Ok(wanted), "{} {} {}", name, one, other);
        }
    }

    #[test]
    fn what_is_split_is_joined_again(text in "[a-c,;]{0,12}", at in "[,;]{1,2}") {
        prop_assert_eq!(ask(&format!("\"{text}\".split(\"{at}\").join(\"{at}\") == \"{text}\"")), Ok(true));
    }

    #[test]
    fn an_address_is_in_a_network_whose_bits_it_shares(address: u32, network: u32, length in 0..=32_u32) {
        let shift = 32 - length;
        let same = address.checked_shr(shift).unwrap_or(0) == network.checked_shr(shift).unwrap_or(0);
        let written = |bits: u32| std::net::Ipv4Addr::from(bits).to_string();
        let source = format!("cidr(\"{}/{length}\").containsIP(\"{}\")", written(network), written(address));
        prop_assert_eq!(ask(&source), Ok(same), "{}", source);
    }
}
