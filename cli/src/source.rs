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

/// Reads a file, or every `*.yaml` and `*.yml` of a directory but tests (`*_test.yaml`), in the order of their names.
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
        let text = match text(path) {
            Ok(text) => text,
            Err(message) => return self.problems.push(about(path, &message)),
        };
        let name = path.display().to_string();
        match yaml::read(&name, &text) {
            Ok(more) => documents.extend(more),
            Err(problems) => self.problems.extend(problems),
        }
        self.texts.insert(name, text);
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
    let cannot = |error: std::io::Error| Box::new(about(path, &format!("cannot be read: {error}")));
    if !fs::metadata(path).map_err(cannot)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(cannot)? {
        let file = entry.map_err(cannot)?.path();
        if belongs(&file) && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn belongs(file: &Path) -> bool {
    let Some(name) = file.file_name().and_then(|name| name.to_str()) else { return false };
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    stem.is_some_and(|stem| !name.starts_with('.') && !stem.ends_with("_test"))
}

/// A problem of a file or directory as a whole.
pub fn about(path: &Path, message: &str) -> Problem {
    let place = Place { file: path.display().to_string().into(), ..Place::default() };
    Problem::error(&place, message)
}
