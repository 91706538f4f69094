//! Detectors beside the built-in ones. Whether their patterns and words stand is judged where they are compiled.

use std::borrow::Cow;

use super::node::{Node, Value};
use super::problem::Problem;
use super::read;
use super::set::{Detector, Finds, Located};

#[inline(never)]
pub(super) fn read(node: &Node, problems: &mut Vec<Problem>) -> Option<Detector> {
    let before = problems.len();
    let finds = match (node.get("pattern"), node.get("words")) {
        (Some(_), None) => {
            refuse(node, &["ignore_case"], "words", problems);
            Finds::Pattern {
                pattern: read::verbatim(node, "pattern")?,
                not_after: read::verbatim(node, "not_after"),
                not_before: read::verbatim(node, "not_before"),
            }
        }
        (None, Some(words)) => {
            refuse(node, &["not_after", "not_before"], "a pattern", problems);
            Finds::Words {
                words: Located { value: words.texts(), place: words.place.clone() },
                ignore_case: matches!(
                    node.get("ignore_case").map(|flag| &flag.value),
                    Some(Value::Bool(true))
                ),
            }
        }
        (Some(_), Some(words)) => {
            let problem = Problem::error(&words.place, "stands beside `pattern`: a detector has one of them");
            problems.push(problem.help("make two detectors of it, with the same name"));
            return None;
        }
        (None, None) => {
            let problem = Problem::error(&node.place, "finds nothing");
            problems.push(problem.help("give the detector one of `pattern` and `words`"));
            return None;
        }
    };
    let located =
        |node: Cow<'_, Node>| Some(Located { value: node.text()?.to_owned(), place: node.place.clone() });
    let context = node.get("context").into_iter().flat_map(Node::each).filter_map(located).collect();
    let name = read::located(node, "name")?;
    (problems.len() == before).then_some(Detector { name, finds, context })
}

fn refuse(node: &Node, keys: &[&str], with: &str, problems: &mut Vec<Problem>) {
    for node in keys.iter().filter_map(|key| node.get(key)) {
        problems.push(Problem::error(&node.place, format!("goes with {with} only")));
    }
}
