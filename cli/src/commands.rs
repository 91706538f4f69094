//! The commands and their arguments.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgAction, Args, Parser, Subcommand};
use portcullis::config::node::Node;
use portcullis::config::parse;
use portcullis::config::set::{Bundle, HostPromises};
use portcullis::config::{Problem, Severity};
use portcullis::exchange::guard::Guard;

use crate::envoy::{Rendered, istio};
use crate::report::{self, Format};
use crate::source::{self, Source};
use crate::{audit, envoy, mask, revision, simulate, test};

/// Checks, tests, bundles and renders Portcullis policy sets, simulates them on recorded exchanges, masks texts as they
/// would, and looks at audit records.
#[derive(Debug, Parser)]
#[command(name = "portcullis", version)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say everything that is wrong with a policy set.
    ///
    /// One run tells of all but what a fault hides: a file that is no YAML hides what it holds, and whether a policy's
    /// conditions fit the protocols of its connections shows once all of them compile.
    #[command(
        after_help = "Exit codes: 0 no errors (there may be warnings), 1 the set has errors, 2 wrong arguments."
    )]
    Check {
        #[command(flatten)]
        set: SetArguments,
        /// How problems are written.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Print the plugin configuration of a policy set.
    #[command(after_help = "Exit codes: 0 printed, 1 the set has errors, 2 wrong arguments.")]
    Bundle {
        #[command(flatten)]
        set: SetArguments,
        #[command(flatten)]
        bundle: BundleArguments,
    },
    /// Print the standard input as a policy would mask it.
    #[command(
        after_help = "Exit codes: 0 masked, 1 the set or a name is wrong, 2 wrong arguments, 3 the text holds a value that the policy blocks."
    )]
    Mask(mask::Options),
    /// Play the tests beside a policy set.
    #[command(
        after_help = "Exit codes: 0 all hold, 1 one fails, there is none, the set or a test is wrong, or --cover asks for more, 2 wrong arguments."
    )]
    Test(test::Options),
    /// Say what another policy set would have done with recorded exchanges.
    #[command(
        after_help = "Exit codes: 0 nothing changes for callers, 1 the set or the records are wrong, 2 wrong arguments, 3 something changes."
    )]
    Simulate(simulate::Options),
    /// Look at audit records.
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
    /// Print the JSON Schema of policy sets, for editors.
    Schema,
    /// Print a configuration that loads the module with a policy set.
    Render {
        #[command(subcommand)]
        target: Target,
    },
}

#[derive(Debug, Subcommand)]
enum Target {
    /// A whole bootstrap for Envoy.
    #[command(
        after_help = "Exit codes: 0 printed, 1 the set has errors or something is not given, 2 wrong arguments."
    )]
    Envoy {
        #[command(flatten)]
        set: SetArguments,
        #[command(flatten)]
        bundle: BundleArguments,
        #[command(flatten)]
        envoy: Box<envoy::Options>,
    },
    /// Manifests for Istio: an egress gateway with the module in it, or a WasmPlugin for one that is there.
    #[command(
        after_help = "Exit codes: 0 printed, 1 the set has errors or something is not given, 2 wrong arguments."
    )]
    Istio {
        #[command(flatten)]
        set: SetArguments,
        #[command(flatten)]
        bundle: BundleArguments,
        #[command(flatten)]
        istio: Box<istio::Options>,
    },
}

#[derive(Debug, Args)]
struct SetArguments {
    /// The policy set: a directory of *.yaml files, or one file.
    #[arg(default_value = ".")]
    dir: PathBuf,
}

#[derive(Debug, Args)]
struct BundleArguments {
    /// What to record as the set's revision [default: the commit of its repository].
    #[arg(long)]
    revision: Option<String>,
    /// Whether the host holds headers back until a body has been read (Envoy's `allow_on_headers_stop_iteration`).
    #[arg(long, default_value_t = true, action = ArgAction::Set)]
    body_before_headers: bool,
}

/// Runs a command; its exit code is 1 where the set has errors.
pub fn run(arguments: Arguments) -> ExitCode {
    match arguments.command {
        Command::Check { set, format } => check(&set.dir, format),
        Command::Bundle { set, bundle } => output(&set.dir, &bundle, |bundle, root| {
            Ok(Rendered { text: format!("{}\n", bundle.encode(root)?), warnings: Vec::new() })
        }),
        Command::Mask(options) => mask::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Audit { command } => audit::run(&command),
        Command::Schema => {
            print(&format!("{:#}\n", portcullis::config::json_schema()));
            ExitCode::SUCCESS
        }
        Command::Render { target: Target::Envoy { set, bundle, envoy } } => {
            output(&set.dir, &bundle, |bundle, root| envoy::render(bundle, root, &envoy))
        }
        Command::Render { target: Target::Istio { set, bundle, istio } } => {
            output(&set.dir, &bundle, |bundle, root| istio::render(bundle, root, &istio))
        }
    }
}

/// What shows only when the set is compiled, as the module does: conditions, entity names, key sets.
pub fn compile_problems(bundle: &Bundle) -> Vec<Problem> {
    Guard::compile(bundle, None).err().unwrap_or_default()
}

fn check(dir: &Path, format: Format) -> ExitCode {
    let source = source::read(dir);
    let mut problems = source.problems;
    let mut summary = String::new();
    if let Some(root) = &source.root {
        let host = HostPromises { body_before_headers: true };
        match Bundle::of(root, revision::UNVERSIONED, host) {
            Ok((bundle, warnings)) => {
                problems.extend(warnings);
                problems.extend(compile_problems(&bundle));
                summary = counted(&bundle);
            }
            Err(_) => problems.extend(Guard::faults(root, host)),
        }
    }
    parse::sort(&mut problems);
    let mut text = report::write(&problems, format, &source.texts);
    let of = |severity| problems.iter().filter(|problem| problem.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    if format != Format::Json {
        let found = if errors > 0 { plural(errors, "error", "errors") } else { format!("ok: {summary}") };
        text.push_str(&format!("{}: {found}, {}\n", dir.display(), plural(warnings, "warning", "warnings")));
    }
    print(&text);
    if errors > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn counted(bundle: &Bundle) -> String {
    let set = &bundle.set;
    let connections = plural(set.connections.len(), "connection", "connections");
    let rules = set.policies.iter().map(|policy| policy.rules.len()).sum();
    format!(
        "{connections}, {}, {}",
        plural(set.policies.len(), "policy", "policies"),
        plural(rules, "rule", "rules")
    )
}

/// A count with its noun.
pub fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

type Outcome<T> = Result<T, Vec<Problem>>;

/// Prints what is made of the bundle of a set; everything that is wrong goes to the standard error.
fn output(
    dir: &Path,
    arguments: &BundleArguments,
    make: impl FnOnce(&Bundle, &Node) -> Outcome<Rendered>,
) -> ExitCode {
    let source = source::read(dir);
    let tell = |problems: &mut Vec<Problem>| {
        parse::sort(problems);
        eprint!("{}", report::write(problems, Format::Text, &source.texts));
    };
    let made = bundle(&source, dir, arguments).and_then(|(bundle, root, mut warnings)| {
        tell(&mut warnings);
        make(&bundle, root)
    });
    match made {
        Ok(Rendered { text, mut warnings }) => {
            tell(&mut warnings);
            print(&text);
            ExitCode::SUCCESS
        }
        Err(mut problems) => {
            tell(&mut problems);
            ExitCode::FAILURE
        }
    }
}

/// The bundle of a set, its tree and the warnings.
fn bundle<'a>(
    source: &'a Source,
    dir: &Path,
    arguments: &BundleArguments,
) -> Outcome<(Bundle, &'a Node, Vec<Problem>)> {
    let Some(root) = &source.root else { return Err(source.problems.clone()) };
    let host = HostPromises { body_before_headers: arguments.body_before_headers };
    if !source.problems.is_empty() {
        // More may be wrong than how it is written.
        return Err([source.problems.clone(), Guard::faults(root, host)].concat());
    }
    let (revision, doubt) = match &arguments.revision {
        Some(given) => (given.clone(), None),
        None => revision::of(dir),
    };
    let (bundle, mut problems) = Bundle::of(root, &revision, host).map_err(|problems| {
        let faults = Guard::faults(root, host);
        // The set may be good, and the revision not.
        if faults.is_empty() { problems } else { faults }
    })?;
    problems.extend(doubt);
    problems.extend(compile_problems(&bundle));
    if problems.iter().any(Problem::is_error) { Err(problems) } else { Ok((bundle, root, problems)) }
}

/// A reader that has gone away is no fault of ours.
pub fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
