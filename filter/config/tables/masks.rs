//! What is masked, and how; detectors of a set's own.

use super::{may, must};
use crate::config::schema::{CHARACTER, CLASS, ENTITY, Key, Kind, PATTERN, SCOPE, Section, TEMPLATE, WORD};

pub(super) const MASKS: Section = Section {
    title: "Masks",
    keys: &[
        may(
            "prompt",
            Kind::Section(&PROMPT),
            "nothing",
            "What is masked in what is asked, before it goes upstream.",
        ),
        may("response", Kind::Section(&RESPONSE), "nothing", "What is masked in answers."),
    ],
};

/// What can become of a value.
const OPERATORS: &[&str] = &["replace", "mask", "pseudonym", "redact", "block", "flag"];

const ENTITIES: Key = must(
    "entities",
    Kind::List(&Kind::Text(&ENTITY)),
    "Entities, and sets of them such as `PII` and `SECRETS`.",
);

const OPERATOR: Key = may(
    "operator",
    Kind::Choice(OPERATORS),
    "`replace`",
    "What becomes of a value: `replace` puts `<EMAIL_ADDRESS>`, `mask` covers it, `pseudonym` puts `<EMAIL_ADDRESS_7f3a9c12ab34>`, `redact` leaves nothing, `block` refuses or ends the whole, `flag` counts it.",
);

const KEEP_FIRST: Key = may(
    "keep_first",
    Kind::Count(0, 16),
    "`0`",
    "With `mask`: letters and digits that stay at the value's start.",
);

const KEEP_LAST: Key =
    may("keep_last", Kind::Count(0, 16), "`0`", "With `mask`: letters and digits that stay at its end.");

const COVER: Key =
    may("character", Kind::Text(&CHARACTER), "`*`", "With `mask`: what stands for each that does not.");

const PSEUDONYM_KEY: Key = may(
    "key",
    Kind::Text(&TEMPLATE),
    "",
    "With `pseudonym`, and required there: the secret under which names are made, `${env:NAME}`; 16 bytes or more.",
);

const PSEUDONYM_SCOPE: Key = may(
    "scope",
    Kind::Text(&SCOPE),
    "the whole set",
    "With `pseudonym`: where a name holds, such as `${identity.claims.tenant}`. In another scope a value has another name.",
);

const OVERRIDES: Key = may(
    "overrides",
    Kind::Named(&ENTITY, &OVERRIDE),
    "none",
    "Other operators for some of the entities, or for sets of them; an entity's own goes before its set's.",
);

const PROMPT: Section = Section {
    title: "A mask of prompts",
    keys: &[
        ENTITIES,
        OPERATOR,
        KEEP_FIRST,
        KEEP_LAST,
        COVER,
        PSEUDONYM_KEY,
        PSEUDONYM_SCOPE,
        OVERRIDES,
        may(
            "restore",
            Kind::Flag,
            "`false`",
            "Whether values that were replaced (`replace`, `pseudonym`) are put back in what the model answers, within that exchange.",
        ),
    ],
};

const RESPONSE: Section = Section {
    title: "A mask of answers",
    keys: &[
        ENTITIES,
        OPERATOR,
        KEEP_FIRST,
        KEEP_LAST,
        COVER,
        PSEUDONYM_KEY,
        PSEUDONYM_SCOPE,
        OVERRIDES,
        may(
            "thinking",
            Kind::Choice(&["mask", "exempt", "drop"]),
            "`mask`",
            "What becomes of a model's thinking. Providers sign it, and take back only what they signed: `mask` masks it and \
             leaves the signature empty where that changed something, `exempt` keeps both as they came, `drop` leaves \
             both empty. Gemini's thoughts are always masked as any text is; their signature signs none of the words.",
        ),
    ],
};

const OVERRIDE: Section = Section {
    title: "An override",
    keys: &[
        must("operator", Kind::Choice(OPERATORS), "What becomes of a value, as above."),
        KEEP_FIRST,
        KEEP_LAST,
        COVER,
        may("key", Kind::Text(&TEMPLATE), "the mask's", "With `pseudonym`."),
        may("scope", Kind::Text(&SCOPE), "the mask's", "With `pseudonym`."),
    ],
};

pub(super) const DETECTOR: Section = Section {
    title: "Detectors",
    keys: &[
        must(
            "name",
            Kind::Text(&ENTITY),
            "The entity that it finds, as masks and `prompt.entities` name it. Several may find the same, also a built-in one.",
        ),
        may(
            "pattern",
            Kind::Text(&PATTERN),
            "",
            "What a value looks like: a regular expression over ASCII without look-around, such as `EMP-[0-9]{6}`. Either this or `words`.",
        ),
        may(
            "not_after",
            Kind::Text(&CLASS),
            "`[0-9A-Za-z_]`",
            "A class of characters right after which no value of the pattern starts; empty text: it may start anywhere.",
        ),
        may(
            "not_before",
            Kind::Text(&CLASS),
            "the same; empty for a pattern without an end",
            "A class of characters right before which no value of the pattern ends.",
        ),
        may(
            "words",
            Kind::List(&Kind::Text(&WORD)),
            "",
            "The values themselves, each found as a whole word. At most 100000 in the set.",
        ),
        may(
            "ignore_case",
            Kind::Flag,
            "`false`",
            "Whether capital and small ASCII letters of words are the same.",
        ),
        may(
            "context",
            Kind::List(&Kind::Text(&WORD)),
            "none is needed",
            "Words or phrases: a value counts only where one of them stands within the 48 bytes before it, in any case.",
        ),
    ],
};
