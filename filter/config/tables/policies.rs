//! What may be asked: policies, rules, budgets, limits.

use std::time::Duration;

use super::masks::MASKS;
use super::{MODES, may, must};
use crate::config::schema::{BUDGET_KEY, CONDITION, Kind, NAME, Section, TEXT, TEXT_TEMPLATE, WORD};
use crate::config::set::Kind as Uninspected;
use crate::policy::budget::Rate;

pub(in crate::config) const MAX_REQUEST: u64 = 1 << 20;
const PASS: &[&str] = &["deny", "allow"];

pub(super) const POLICY: Section = Section {
    title: "Policies",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the set."),
        may("mode", Kind::Choice(MODES), "the set's", "Overrides the set's mode."),
        must(
            "allow",
            Kind::Text(&CONDITION),
            "Who may use it at all; decided before any body is read where it can be.",
        ),
        may(
            "rules",
            Kind::List(&Kind::Section(&RULE)),
            "none",
            "Each has exactly one of `deny`, `approve` and `flag`.",
        ),
        may(
            "llm",
            Kind::Section(&LLM),
            "what `uninspected` says",
            "What is let through of what models can do.",
        ),
        may(
            "budgets",
            Kind::List(&Kind::Section(&BUDGET)),
            "none",
            "How much callers may use in a time ([budgets.md](budgets.md)). A request goes on where all of them have room.",
        ),
        may("limits", Kind::Section(&LIMITS), "", "Bounds."),
        may(
            "vector",
            Kind::Section(&VECTOR),
            "no limits",
            "What may be asked of a vector store. On connections to one only.",
        ),
        may(
            "mask",
            Kind::Section(&MASKS),
            "nothing is masked",
            "What models do not get to see of prompts, and callers of answers.",
        ),
        may(
            "uninspected",
            Kind::ChoiceOr(PASS, &UNINSPECTED),
            "`deny`",
            "What may pass without being looked at; `deny` and `allow` are short for `{ default: … }`.",
        ),
    ],
};

pub(in crate::config) const RULE: Section = Section {
    title: "Rules",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the policy. Refusals and records name it."),
        may(
            "deny",
            Kind::Text(&CONDITION),
            "",
            "Refuses the request where it holds. The first deny that holds answers.",
        ),
        may(
            "approve",
            Kind::Text(&CONDITION),
            "",
            "Holds the request until a human has said yes to it, where it holds ([approvals.md](approvals.md)). Without `approvals` in the set such a request is refused with `approval_pending`.",
        ),
        may(
            "approvers",
            Kind::List(&Kind::Text(&TEXT)),
            "whoever may approve",
            "With `approve`: groups of which those who say yes must have one.",
        ),
        may("quorum", Kind::Count(1, 16), "`1`", "With `approve`: how many different people must say yes."),
        may("flag", Kind::Text(&CONDITION), "", "Records that it held."),
        may(
            "message",
            Kind::Text(&TEXT_TEMPLATE),
            "none",
            "What the caller is told, with a deny or an approve; the name of the rule is added where it is not in it. In `${…}` CEL that gives text and reads nothing of `prompt`; of each value at most 200 characters are told.",
        ),
        may("mode", Kind::Choice(MODES), "the policy's", "Overrides the policy's mode."),
    ],
};

const LLM: Section = Section {
    title: "Models",
    keys: &[
        may(
            "operations",
            Kind::List(&Kind::Text(&WORD)),
            "all that are known",
            "The operations that are let through, as conditions have them in `llm.operation` (see protocols.md).",
        ),
        may(
            "references",
            Kind::Choice(PASS),
            "`deny`",
            "Whether requests may refer to what the provider keeps: earlier answers, files, conversations. With `deny` nothing new is kept either: the request is sent with `store: false` where the API would keep it. Without `llm` such requests are `uninspected` of kind `reference`, and none is changed.",
        ),
    ],
};

const BUDGET: Section = Section {
    title: "Budgets",
    keys: &[
        must("name", Kind::Text(&NAME), "Unique in the policy. Refusals, headers and records name it."),
        must(
            "key",
            Kind::Text(&BUDGET_KEY),
            "Whose budget it is: CEL that gives text, such as `identity.id`, and reads nothing of `prompt`. Each value has a bucket of its own. `all`: one bucket for everyone.",
        ),
        may(
            "tokens",
            Kind::Count(1, Rate::MAX_LIMIT),
            "",
            "Tokens of prompt and answer. On connections to models only. Either this or `requests`.",
        ),
        may("requests", Kind::Count(1, Rate::MAX_LIMIT), "", "Requests."),
        must(
            "per",
            Kind::Duration(Duration::from_secs(1), Duration::from_nanos(Rate::MAX_PER)),
            "The time in which an empty bucket is full again. It refills all the while.",
        ),
        may(
            "scope",
            Kind::Choice(&["local", "global"]),
            "`local`",
            "Who shares it: `local`, all workers of this Envoy; `global`, all Envoys that ask the `rate_limit_service`. A global one has a `per` of `1s`, `1m`, `1h` or `24h`, and neither `clamp` nor `at_limit: end`.",
        ),
        may(
            "clamp",
            Kind::Flag,
            "`false`",
            "With `tokens`: a request is put down to the output that is left, rather than refused where it could use more.",
        ),
        may(
            "at_limit",
            Kind::Choice(&["finish", "end"]),
            "`finish`",
            "With `tokens`: what becomes of a stream that goes on beyond what it reserved. `finish`: the bucket owes the rest. `end`: it takes more while there is some, and is then ended as if the model had reached its limit.",
        ),
        may("mode", Kind::Choice(MODES), "the policy's", "Overrides the policy's mode."),
    ],
};

const LIMITS: Section = Section {
    title: "Limits",
    keys: &[
        may("max_request_bytes", Kind::Size(1 << 10, 64 << 20), "`1Mi`", "The largest request body."),
        may(
            "max_output_tokens",
            Kind::Count(1, 1 << 30),
            "the provider's",
            "The most tokens of one answer: a request that asks for more, or says nothing of it, is put down to it.",
        ),
    ],
};

const VECTOR: Section = Section {
    title: "Vector",
    keys: &[
        may(
            "operations",
            Kind::List(&Kind::Choice(&["query", "fetch", "upsert", "delete", "admin"])),
            "all",
            "What may be done; the table of operations in [protocols.md](protocols.md#operations) says which requests are what.",
        ),
        may(
            "collections",
            Kind::List(&Kind::Text(&TEXT_TEMPLATE)),
            "all",
            "Collections that may be asked, exact or with `*` for any text without `/`, `:` and `,`. A request that names none is refused. Not with `pinecone`, where the host is the index.",
        ),
        may(
            "namespaces",
            Kind::List(&Kind::Text(&TEXT_TEMPLATE)),
            "all",
            "Parts of collections that may be asked (see `vector.namespace`), exact.",
        ),
        may(
            "filter",
            Kind::Fields,
            "none",
            "What these fields must be in every row that is read or deleted, such as `{ tenant: '${identity.claims.tenant}' }`: put beside the caller's own filter in the store's language, so that both must hold. What the store takes no filter for is refused.",
        ),
        may("max_top_k", Kind::Count(1, 1 << 20), "the store's", "Most hits of a query."),
        may(
            "vectors",
            Kind::Choice(&["keep", "drop"]),
            "`keep`",
            "`drop`: requests do not ask for vectors where the store can be told so, and answers are left without ([protocols.md](protocols.md#vectors)).",
        ),
        may(
            "on_excess",
            Kind::Choice(&["clamp", "deny"]),
            "`clamp`",
            "What becomes of a query that asks for more than `max_top_k`, and of one that names no namespace where only one may be asked: set right, or refused.",
        ),
    ],
};

const KINDS: &[&str] = &{
    let mut names = [""; Uninspected::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        #[expect(clippy::indexing_slicing, reason = "at compile time, below the length of both")]
        {
            names[at] = Uninspected::ALL[at].1;
        }
        at += 1;
    }
    names
};

const UNINSPECTED: Section = Section {
    title: "Uninspected",
    keys: &[
        may("default", Kind::Choice(PASS), "`deny`", "For kinds that are not named."),
        may("allow", Kind::List(&Kind::Choice(KINDS)), "none", "Kinds that pass."),
        may("deny", Kind::List(&Kind::Choice(KINDS)), "none", "Kinds that do not pass."),
    ],
};
