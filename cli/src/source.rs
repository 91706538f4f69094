//! A policy set on disk: one file, or the YAML files of a directory, read into one tree.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use portcullis::config::Problem;
use portcullis::config::node::{self, Node};
use portcullis::config::set::Place;

use crate::yaml;

/// No file of a policy set is larger; what is, was given by mistake.
const MAX_FILE: u64 = 8 << 20;

/// A set as read, or as far as it could be read.
#[derive(Debug, Default)]
pub struct Source {
    /// The tree, where every file could be read.
    pub root: Option<Node>,
    /// What was wrong so far.
    pub problems: Vec<Problem>,
    /// Text of each file, by the name that places carry.
    pub texts: BTreeMap<String, String>,
}

/// Reads a file, or every `*.yaml` and `*.yml` (in any case) of a directory but tests (`*_test.yaml`), in the order of
/// their names.
pub fn read(path: &Path) -> Source {
    let mut source = Source::default();
    let mut documents = Vec::new();
    match files(path) {
        Ok(files) => {
            for file in files {
                source.file(&file, &mut documents);
            }
        }
        Err(problem) => source.problems.push(*problem),
    }
    if source.problems.is_empty() && documents.is_empty() {
        let problem = about(path, "holds no policy set");
        source.problems.push(
            problem.help("a set is a file, or a directory of *.yaml files, that starts with `version: 1`"),
        );
    }
    if !source.problems.is_empty() {
        return source;
    }
    let (mut root, mut problems) = node::merge(documents);
    problems.extend(root.settle());
    source.problems = problems;
    source.root = Some(root);
    source
}

impl Source {
    fn file(&mut self, path: &Path, documents: &mut Vec<Node>) {
        match self.documents(path) {
            Ok(more) => documents.extend(more),
            Err(problems) => self.problems.extend(problems),
        }
    }

    /// Reads the documents of one file, and keeps its text.
    ///
    /// # Errors
    /// It cannot be read, or is not YAML.
    pub fn documents(&mut self, path: &Path) -> Result<Vec<Node>, Vec<Problem>> {
        let text = text(path).map_err(|message| vec![about(path, &message)])?;
        let name = path.display().to_string();
        let documents = yaml::read(&name, &text);
        self.texts.insert(name, text);
        documents
    }
}

fn text(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.len();
    if size > MAX_FILE {
        return Err(format!("has {size} bytes; a file of a policy set has at most {MAX_FILE}"));
    }
    let bytes = fs::read(path).map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(bytes)
        .map_err(|error| format!("is not UTF-8 from byte {} on", error.utf8_error().valid_up_to()))
}

/// The files of a set, in the order of their names.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, Box<Problem>> {
    if is_dir(path)? { list(path, |stem| !stem.ends_with(TEST)) } else { Ok(vec![path.to_owned()]) }
}

/// The tests of a set, in the order of their names: those beside the files of a directory, or beside the one file.
pub fn tests(path: &Path) -> Result<Vec<PathBuf>, Box<Problem>> {
    if is_dir(path)? {
        return list(path, |stem| stem.ends_with(TEST));
    }
    let own = path.file_stem().and_then(|stem| stem.to_str()).map(|stem| format!("{stem}{TEST}"));
    let beside = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    list(beside, |stem| own.as_deref() == Some(stem))
}

/// What the names of test files end with.
const TEST: &str = "_test";

fn is_dir(path: &Path) -> Result<bool, Box<Problem>> {
    fs::metadata(path).map(|found| found.is_dir()).map_err(|error| cannot(path, &error))
}

fn cannot(path: &Path, error: &std::io::Error) -> Box<Problem> {
    Box::new(about(path, &format!("cannot be read: {error}")))
}

/// The YAML files of a directory whose names are wanted, without their endings. Directories are passed over; what cannot be
/// told, such as a link that leads nowhere, is an error: a set without one of its files could be laxer.
fn list(dir: &Path, wanted: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, Box<Problem>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|error| cannot(dir, &error))? {
        let file = entry.map_err(|error| cannot(dir, &error))?.path();
        if stem(&file).is_some_and(&wanted) && !is_dir(&file)? {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn stem(file: &Path) -> Option<&str> {
    let (stem, ending) = (file.file_stem()?.to_str()?, file.extension()?);
    let yaml = ["yaml", "yml"].iter().any(|known| ending.eq_ignore_ascii_case(known));
    (yaml && !stem.starts_with('.')).then_some(stem)
}

/// A problem of a file or directory as a whole.
pub fn about(path: &Path, message: &str) -> Problem {
    let place = Place { file: path.display().to_string().into(), ..Place::default() };
    Problem::error(&place, message)
}
