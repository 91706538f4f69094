//! The revision of a policy set: the commit of the repository that holds it.

use std::path::Path;
use std::process::Command;

use portcullis::config::Problem;
use portcullis::config::set::Place;

use crate::source;

/// For sets outside any repository, or in one without a commit.
pub const UNVERSIONED: &str = "unversioned";

/// The commit that holds `path`, with `-dirty` where what is on disk is not what was committed; and a warning where
/// there is a repository that git tells nothing of.
pub fn of(path: &Path) -> (String, Option<Problem>) {
    let directory = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    match git(directory, &["rev-parse", "--verify", "HEAD"]) {
        Ok(commit) if is_committed(directory, path).unwrap_or(false) => (commit, None),
        Ok(commit) => (format!("{commit}-dirty"), None),
        Err(why) => (UNVERSIONED.to_owned(), is_in_repository(directory).then(|| doubt(path, &why))),
    }
}

fn is_in_repository(directory: &Path) -> bool {
    let Ok(directory) = directory.canonicalize() else { return false };
    directory.ancestors().any(|ancestor| ancestor.join(".git").exists())
}

fn doubt(path: &Path, why: &str) -> Problem {
    let place = Place { file: path.display().to_string().into(), ..Place::default() };
    let why = why.lines().next().unwrap_or_default();
    Problem::warning(&place, format!("git does not tell its revision: {why}"))
        .help("records will say `unversioned`; mend it, or give `--revision`")
}

/// Whether what stands on disk is what was committed: nothing changed, and nothing that git ignores.
fn is_committed(directory: &Path, path: &Path) -> Option<bool> {
    let absolute = |path: &Path| Some(path.canonicalize().ok()?.to_str()?.to_owned());
    let changes = git(directory, &["status", "--porcelain", "--", &absolute(path)?]).ok()?;
    let files = source::files(path).ok()?.iter().map(|file| absolute(file)).collect::<Option<Vec<_>>>()?;
    let mut tracked = vec!["ls-files", "--error-unmatch", "--"];
    tracked.extend(files.iter().map(String::as_str));
    Some(changes.is_empty() && git(directory, &tracked).is_ok())
}

/// What git prints, or why it does not.
fn git(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new("git").arg("-C").arg(directory).args(arguments).output();
    let output = output.map_err(|error| format!("it cannot be started: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
