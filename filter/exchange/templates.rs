//! Text with `${…}`, compiled: what is wrong with an expression is told as of a condition, with a caret below the fault.

use super::guard::condition_problem;
use crate::config::Problem;
use crate::config::set::{Located, Text, TextPart};
use crate::policy::template::Part;
use crate::policy::{ConditionError, Expression, Template};

/// How one expression is compiled.
pub(super) type Compile = fn(&str) -> Result<Expression, ConditionError>;

/// Compiles a text, with its expressions as told; what does not compile is reported and left out.
pub(super) fn template(text: &Located<Text>, compile: Compile, problems: &mut Vec<Problem>) -> Template {
    let mut parts = Vec::new();
    for part in &text.value.parts {
        match part {
            TextPart::Text(text) => parts.push(Part::Text(text.clone())),
            TextPart::Expression(source) => {
                let source = Located { value: source.clone(), place: text.place.clone() };
                let compiled = compile(&source.value);
                parts.extend(condition_problem(&source, compiled, problems).map(Part::Value));
            }
        }
    }
    Template { parts }
}
