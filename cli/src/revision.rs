//! The revision of a policy set: the commit of the repository that holds it.

use std::path::Path;
use std::process::Command;

use crate::source;

/// For sets outside any repository, or in one without a commit.
pub const UNVERSIONED: &str = "unversioned";

/// The commit that holds `path`, with `-dirty` where what is on disk is not what was committed.
pub fn of(path: &Path) -> String {
    let directory = if path.is_dir() { path } else { path.parent().unwrap_or(path) };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let Some(commit) = git(directory, &["rev-parse", "--verify", "HEAD"]) else {
        return UNVERSIONED.to_owned();
    };
    if is_committed(directory, path).unwrap_or(false) { commit } else { format!("{commit}-dirty") }
}

/// Whether what stands on disk is what was committed: nothing changed, and nothing that git ignores.
fn is_committed(directory: &Path, path: &Path) -> Option<bool> {
    let absolute = |path: &Path| Some(path.canonicalize().ok()?.to_str()?.to_owned());
    let changes = git(directory, &["status", "--porcelain", "--", &absolute(path)?])?;
    let files = source::files(path).ok()?.iter().map(|file| absolute(file)).collect::<Option<Vec<_>>>()?;
    let mut tracked = vec!["ls-files", "--error-unmatch", "--"];
    tracked.extend(files.iter().map(String::as_str));
    Some(changes.is_empty() && git(directory, &tracked).is_some())
}

fn git(directory: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(directory).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
