//! What would happen to a text: `mask`.
//!
//! The text is read from the standard input as it comes and goes to the standard output masked, by the same code that
//! masks answers in the module. Nothing but what is undecided is kept, except with `--json`, which speaks of the whole.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Args;
use portcullis::config::Problem;
use portcullis::config::set::{Bundle, HostPromises};
use portcullis::exchange::guard::Guard;
use portcullis::exchange::lane::Lane;
use portcullis::exchange::masks::Masking;
use portcullis::identity::Identity;
use portcullis::mask::operators::Operators;
use portcullis::mask::operators::prompt::{Names, PromptMask};
use portcullis::mask::text::{Entity, Masks, Sink, TextMask};
use portcullis::mask::{Catalogue, Entities, Plan};
use serde_json::{Value, json};

use crate::{report, source};

/// What was found would not pass.
const BLOCKED: u8 = 3;

/// What `mask` is told.
#[derive(Debug, Args)]
pub struct Options {
    /// Mask as this policy set does: a directory of *.yaml files, or one file.
    #[arg(long, value_name = "SET", conflicts_with = "entities")]
    policy: Option<PathBuf>,
    /// The connection of the set whose policy masks; needed where several have one.
    #[arg(long, value_name = "NAME", requires = "policy")]
    connection: Option<String>,
    /// Mask as prompts are masked, not as answers are.
    #[arg(long, requires = "policy")]
    prompt: bool,
    /// The caller's claims, as a JSON object: for pseudonyms whose scope asks for them.
    #[arg(long, value_name = "JSON", requires = "policy")]
    claims: Option<String>,
    /// Mask these entities and sets of them.
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "PII,SECRETS")]
    entities: Vec<String>,
    /// Print one JSON document: the masked text, and each value's place, entity, operator and replacement.
    #[arg(long)]
    json: bool,
}

/// Masks the standard input; the exit code is 3 where the policy would let no such text through.
pub fn run(options: &Options) -> ExitCode {
    let outcome = match &options.policy {
        None => by_entities(options),
        Some(set) => by_policy(options, set),
    };
    match outcome {
        Ok(code) => code,
        Err(Failure::Set(problems, texts)) => {
            eprint!("{}", report::write(&problems, report::Format::Text, &texts));
            ExitCode::FAILURE
        }
        Err(Failure::Told(message)) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
        // A reader that has gone away is no fault of ours.
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(Failure::Io(error)) if error.kind() == io::ErrorKind::IsADirectory => {
            eprintln!(
                "error: the standard input is a directory: give a file, as in `portcullis mask < FILE`"
            );
            ExitCode::FAILURE
        }
        Err(Failure::Io(error)) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Failure {
    /// Faults of the set, with the files that they stand in.
    Set(Vec<Problem>, std::collections::BTreeMap<String, String>),
    Told(String),
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn by_entities(options: &Options) -> Result<ExitCode, Failure> {
    let catalogue = Catalogue::built_in();
    let entities = options.entities.iter().try_fold(Entities::NONE, |all, name| {
        catalogue
            .resolve(name.trim())
            .map(|more| all.union(more))
            .map_err(|error| Failure::Told(error.to_string()))
    })?;
    let plan = Plan::new(&catalogue, entities, Vec::new());
    show(&plan, &Words { plan: &plan, masking: None }, options.json)
}

fn by_policy(options: &Options, set: &std::path::Path) -> Result<ExitCode, Failure> {
    let source = source::read(set);
    let failed = |problems: Vec<Problem>| Failure::Set(problems, source.texts.clone());
    let root = source.root.as_ref().filter(|_| source.problems.is_empty());
    let Some(root) = root else { return Err(failed(source.problems.clone())) };
    let host = HostPromises { body_before_headers: true };
    let (bundle, _) = Bundle::of(root, crate::revision::UNVERSIONED, host)
        .map_err(|_| failed(Guard::faults(root, host)))?;
    let made_up = RefCell::new(HashMap::new());
    let env = |name: &str| Some(environment(name, &made_up));
    let guard = Guard::compile(&bundle, Some(&env)).map_err(failed)?;
    let lane = lane(&guard, options.connection.as_deref())?;
    let (side, masking) = match (&lane.policy, options.prompt) {
        (Some(policy), true) => ("prompt", policy.prompt.as_ref()),
        (Some(policy), false) => ("response", policy.response.as_ref()),
        (None, _) => ("response", None),
    };
    let Some(masking) = masking else {
        let name = &lane.connection.name.value;
        return Err(Failure::Told(format!("the policy of the connection `{name}` has no `mask.{side}`")));
    };
    for name in bundle.set.env_names() {
        if made_up.borrow().contains_key(name) && keys(&bundle).any(|key| key == name) {
            eprintln!("warning: {name} is not set: pseudonyms are made under a key of this run alone");
        }
    }
    let identity = identity(options.claims.as_deref())?;
    let operators = masking
        .operators(Some(&identity))
        .map_err(|message| Failure::Told(format!("{message}: give it with --claims")))?;
    let words = Words { plan: &lane.plan, masking: Some(masking) };
    if options.prompt {
        prompt(masking, operators, &words, options.json)
    } else {
        show(&lane.plan.with_operators(operators), &words, options.json)
    }
}

/// A text as a prompt is masked: its values may get names of their own.
fn prompt(
    masking: &Masking,
    operators: Rc<Operators>,
    words: &Words<'_>,
    json: bool,
) -> Result<ExitCode, Failure> {
    if !masking.restore {
        return show(&PromptMask::new(&masking.plan, operators, None), words, json);
    }
    // Names are not given that stand in the text already, so it is read first.
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    let names = Rc::new(RefCell::new(Names::beside(&String::from_utf8_lossy(&text))));
    let mask = PromptMask::new(&masking.plan, operators, Some(names));
    feed(&mask, words, json, &mut text.as_slice())
}

/// The environment's value, or one made up, so that a set can be tried where its secrets are not.
fn environment(name: &str, made_up: &RefCell<HashMap<String, String>>) -> String {
    if let Some(value) = std::env::var(name).ok().filter(|value| !value.is_empty()) {
        return value;
    }
    let random = || format!("{:016x}", RandomState::new().hash_one(name));
    made_up.borrow_mut().entry(name.to_owned()).or_insert_with(|| random() + &random()).clone()
}

/// The variables that keys of pseudonyms come from.
fn keys(bundle: &Bundle) -> impl Iterator<Item = &str> {
    use portcullis::config::set::TemplatePart;
    let parts = bundle.set.pseudonym_keys().flat_map(|key| &key.parts);
    parts.filter_map(|part| match part {
        TemplatePart::Env(name) => Some(name.as_str()),
        TemplatePart::Text(_) | TemplatePart::Secret(_) => None,
    })
}

fn lane<'g>(guard: &'g Guard, name: Option<&str>) -> Result<&'g Lane, Failure> {
    let guarded: Vec<&Rc<Lane>> = guard.lanes.iter().filter(|lane| lane.policy.is_some()).collect();
    let names: Vec<String> = guarded.iter().map(|lane| format!("`{}`", lane.connection.name.value)).collect();
    let choice = format!("name one of {} with --connection", names.join(", "));
    let found = match (name, guarded.as_slice()) {
        (None, [one]) => Some(*one),
        (None, _) => {
            return Err(Failure::Told(format!(
                "the set has {} connections with a policy: {choice}",
                names.len()
            )));
        }
        (Some(name), _) => guarded.iter().copied().find(|lane| lane.connection.name.value == name),
    };
    let unknown = || {
        Failure::Told(format!(
            "the set has no connection `{}` with a policy: {choice}",
            name.unwrap_or_default()
        ))
    };
    found.map(|lane| &**lane).ok_or_else(unknown)
}

/// A caller with these claims.
fn identity(claims: Option<&str>) -> Result<Identity, Failure> {
    let wrong =
        || Failure::Told("--claims: expected a JSON object, such as '{\"tenant\":\"acme\"}'".to_owned());
    let claims = match claims.map(serde_json::from_str::<Value>) {
        None => serde_json::Map::new(),
        Some(Ok(Value::Object(claims))) => claims,
        Some(_) => return Err(wrong()),
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (subject, issuer) = (text("sub"), text("iss"));
    Ok(Identity {
        id: if subject.is_empty() { String::new() } else { format!("{issuer}#{subject}") },
        subject,
        issuer,
        issuer_index: 0,
        groups: Vec::new(),
        groups_malformed: false,
        claims,
        expires: 0,
    })
}

fn show<M: Masks>(masks: &M, words: &Words<'_>, json: bool) -> Result<ExitCode, Failure> {
    feed(masks, words, json, &mut io::stdin().lock())
}

/// Masks all that comes, and prints it.
fn feed<M: Masks>(
    masks: &M,
    words: &Words<'_>,
    json: bool,
    from: &mut dyn Read,
) -> Result<ExitCode, Failure> {
    let mut out = io::stdout().lock();
    let colours =
        !json && out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut shown = Shown { colours, ..Shown::default() };
    let mut text = masks.begin();
    let mut piece = vec![0; 64 * 1024];
    while shown.blocked.is_none() {
        let read = match from.read(&mut piece) {
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let new = piece.get(..read).unwrap_or_default();
        shown.held.extend_from_slice(new);
        text.push(new, read == 0, &mut shown);
        shown.settle();
        if !json {
            out.write_all(&shown.out)?;
            out.flush()?;
            shown.out.clear();
        }
        if read == 0 {
            break;
        }
    }
    if json {
        writeln!(out, "{:#}", shown.document(words))?;
    }
    match shown.blocked {
        None => Ok(ExitCode::SUCCESS),
        Some(entity) => {
            eprintln!("blocked: the policy lets no text through that holds {}", words.plan.name_of(entity));
            Ok(ExitCode::from(BLOCKED))
        }
    }
}

/// Who knows the names of entities and operators.
struct Words<'a> {
    plan: &'a Plan,
    masking: Option<&'a Masking>,
}

/// A value, and what became of it.
struct Shape {
    start: usize,
    end: usize,
    entity: Entity,
    with: Option<Vec<u8>>,
}

/// What comes out, and where the values were.
#[derive(Default)]
struct Shown {
    /// The text that is not decided yet, from `gone` on; `at` is where decisions are, in the whole text.
    held: Vec<u8>,
    gone: usize,
    at: usize,
    out: Vec<u8>,
    values: Vec<Shape>,
    blocked: Option<Entity>,
    colours: bool,
}

/// Replaced values are magenta, flagged ones yellow, both bold.
const REPLACED: &[u8] = b"\x1b[1;35m";
const FLAGGED: &[u8] = b"\x1b[1;33m";
const PLAIN: &[u8] = b"\x1b[0m";

impl Shown {
    fn take(&mut self, len: usize) -> Vec<u8> {
        let from = self.at.saturating_sub(self.gone);
        self.at = self.at.saturating_add(len);
        let to = self.at.saturating_sub(self.gone);
        self.held.get(from..to).unwrap_or_default().to_vec()
    }

    /// Forgets what is decided.
    fn settle(&mut self) {
        let decided = self.at.saturating_sub(self.gone).min(self.held.len());
        self.held.drain(..decided);
        self.gone = self.at;
    }

    fn write(&mut self, text: &[u8], colour: Option<&[u8]>) {
        if self.blocked.is_some() {
            return;
        }
        match colour.filter(|_| self.colours && !text.is_empty()) {
            Some(colour) => [colour, text, PLAIN].iter().for_each(|part| self.out.extend_from_slice(part)),
            None => self.out.extend_from_slice(text),
        }
    }

    fn value(&mut self, len: usize, entity: Entity, with: Option<&[u8]>) {
        let start = self.at;
        let end = start.saturating_add(len);
        if self.blocked.is_none() {
            self.values.push(Shape { start, end, entity, with: with.map(<[u8]>::to_vec) });
        }
    }

    fn document(&self, words: &Words<'_>) -> Value {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let one = |value: &Shape| {
            json!({
                "start": value.start, "end": value.end, "entity": words.plan.name_of(value.entity),
                "operator": words.masking.map_or("replace", |masking| masking.operator_name(value.entity)),
                "replacement": value.with.as_deref().map(text),
            })
        };
        let values: Vec<Value> = self.values.iter().map(one).collect();
        json!({ "text": text(&self.out), "blocked": self.blocked.is_some(), "values": values })
    }
}

impl Sink for Shown {
    fn keep(&mut self, len: usize) {
        let text = self.take(len);
        self.write(&text, None);
    }

    fn replace(&mut self, len: usize, entity: Entity, with: &[u8]) {
        self.value(len, entity, Some(with));
        self.take(len);
        self.write(with, Some(REPLACED));
    }

    fn swallow(&mut self, len: usize) {
        self.take(len);
        if let Some(value) = self.values.last_mut() {
            value.end = self.at;
        }
    }

    fn flag(&mut self, len: usize, entity: Entity) {
        self.value(len, entity, None);
        let text = self.take(len);
        self.write(&text, Some(FLAGGED));
    }

    fn block(&mut self, len: usize, entity: Entity) {
        self.value(len, entity, None);
        self.take(len);
        self.blocked.get_or_insert(entity);
    }
}
