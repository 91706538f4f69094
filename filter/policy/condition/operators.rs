//! What operators and functions take and give.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators};

use super::ConditionError;
use super::check::{Checker, Outcome, nearest};
use super::functions::{self, Function, Style, Takes};
use super::parse::operator;
use super::pattern::Pattern;
use super::types::Type;

impl Checker<'_> {
    pub(super) fn call(&mut self, expr: &IdedExpr, call: &CallExpr) -> Outcome {
        if call.target.is_some() {
            return self.function(expr, call);
        }
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [left, right]) => {
                self.needs_bool(left)?;
                self.needs_bool(right)?;
                Ok(Type::Bool)
            }
            (operators::LOGICAL_NOT, [operand]) => {
                self.needs_bool(operand)?;
                Ok(Type::Bool)
            }
            (operators::CONDITIONAL, [question, yes, no]) => {
                self.needs_bool(question)?;
                let yes = self.of(yes)?;
                Ok(yes.join(self.of(no)?))
            }
            (operators::NEGATE, [operand]) => self.negate(expr, operand),
            (operators::EQUALS | operators::NOT_EQUALS, [left, right]) => self.equality(expr, left, right),
            (
                operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS,
                [left, right],
            ) => self.order(expr, left, right),
            (
                name @ (operators::ADD
                | operators::SUBSTRACT
                | operators::MULTIPLY
                | operators::DIVIDE
                | operators::MODULO),
                [left, right],
            ) => self.arithmetic(expr, name, left, right),
            (operators::IN, [element, container]) => self.membership(expr, element, container),
            (operators::INDEX, [container, index]) => self.index(expr, container, index),
            _ => self.function(expr, call),
        }
    }

    fn negate(&mut self, expr: &IdedExpr, operand: &IdedExpr) -> Outcome {
        match self.of(operand)? {
            of @ (Type::Int | Type::Double | Type::Dyn) => Ok(of),
            other => Err(self.fault_at_token(expr, format!("{other} cannot be negated with `-`"))),
        }
    }

    fn equality(&mut self, expr: &IdedExpr, left: &IdedExpr, right: &IdedExpr) -> Outcome {
        let (left, right) = (self.of(left)?, self.of(right)?);
        if matches!(left, Type::Map(_)) || matches!(right, Type::Map(_)) {
            return Err(self.fault(expr, "whole maps cannot be compared").help("compare their entries"));
        }
        if left.comparable(&right) {
            return Ok(Type::Bool);
        }
        let error = self.fault(expr, format!("{left} is never equal to {right}"));
        Err(match (&left, &right) {
            (Type::List(of), other) | (other, Type::List(of)) if of.comparable(other) => {
                error.help("write `element in list`")
            }
            (_, Type::Null) | (Type::Null, _) => error.help("compare it with what it is when empty"),
            _ => error,
        })
    }

    fn order(&mut self, expr: &IdedExpr, left: &IdedExpr, right: &IdedExpr) -> Outcome {
        let (left, right) = (self.of(left)?, self.of(right)?);
        let text = |of: &Type| matches!(of, Type::Text | Type::Dyn);
        let number = |of: &Type| of.is_number() || of.is_dyn();
        if (text(&left) && text(&right)) || (number(&left) && number(&right)) {
            return Ok(Type::Bool);
        }
        let error = self.fault(expr, format!("{left} cannot be compared with {right}"));
        Err(match (&left, &right) {
            (Type::Version, _) | (_, Type::Version) => error.help("write `version.isLessThan(version)`"),
            _ => error,
        })
    }

    fn arithmetic(&mut self, expr: &IdedExpr, name: &str, left: &IdedExpr, right: &IdedExpr) -> Outcome {
        let (left, right) = (self.of(left)?, self.of(right)?);
        let sign = name.trim_matches('_');
        let fits = match (&left, &right) {
            (Type::Dyn, other) | (other, Type::Dyn) => return self.half_known(expr, sign, other),
            (Type::Int, Type::Int) => true,
            (Type::Double, Type::Double) => name != operators::MODULO,
            (Type::Text, Type::Text) | (Type::List(_), Type::List(_)) => name == operators::ADD,
            _ => false,
        };
        if fits {
            return Ok(left.join(right));
        }
        let error = self.fault(expr, format!("`{sign}` does not go with {left} and {right}"));
        Err(if left.is_number() && right.is_number() && left != right {
            error.help("write both as int (3) or both as double (3.0)")
        } else {
            error
        })
    }

    /// One side is known only when evaluated.
    fn half_known(&self, expr: &IdedExpr, sign: &str, known: &Type) -> Outcome {
        match known {
            Type::Dyn => Ok(Type::Dyn),
            Type::Int | Type::Double => Ok(known.clone()),
            Type::Text | Type::List(_) if sign == "+" => Ok(Type::Dyn),
            other => Err(self.fault(expr, format!("`{sign}` does not go with {other}"))),
        }
    }

    fn membership(&mut self, expr: &IdedExpr, element: &IdedExpr, container: &IdedExpr) -> Outcome {
        let one = self.of(element)?;
        let all = self.of(container)?;
        if let Some(key) = written_text(element) {
            self.header_name(container, key, element)?;
        }
        match all {
            Type::Dyn => Ok(Type::Bool),
            Type::List(of) if one.comparable(&of) => Ok(Type::Bool),
            Type::Map(_) if matches!(one, Type::Text | Type::Dyn) => Ok(Type::Bool),
            Type::Text => Err(self
                .fault(expr, "`in` needs a list or a map on its right, and this is string")
                .help("write `text.contains(part)`")),
            other => Err(self.fault(expr, format!("{one} is never in {other}"))),
        }
    }

    fn index(&mut self, expr: &IdedExpr, container: &IdedExpr, index: &IdedExpr) -> Outcome {
        let of = self.of(container)?;
        let at = self.of(index)?;
        if let Some(key) = written_text(index) {
            self.header_name(container, key, index)?;
        }
        match (of, &at) {
            (Type::Dyn, Type::Int | Type::Text | Type::Dyn) => Ok(Type::Dyn),
            (Type::List(of), Type::Int | Type::Dyn) | (Type::Map(of), Type::Text | Type::Dyn) => Ok(*of),
            (of, at) => Err(self.fault(expr, format!("{of} has no entry at {at}"))),
        }
    }

    fn function(&mut self, expr: &IdedExpr, call: &CallExpr) -> Outcome {
        let (name, given) = functions::called(call);
        let Some(function) = functions::named(&name) else { return Err(self.unknown(expr, &name)) };
        let method = given.len() > call.args.len();
        let style_fits = match function.style {
            Style::Method => method,
            Style::Plain => !method,
            Style::Either => true,
        };
        if !style_fits || given.len() != function.takes.len() {
            return Err(self
                .fault_at_token(expr, format!("`{}` is called wrongly", function.name))
                .help(format!("write `{}`", function.usage)));
        }
        let mut before = Type::Dyn;
        for (argument, takes) in given.into_iter().zip(function.takes) {
            let one = self.argument(function, argument, *takes)?;
            if *takes == Takes::Alike && !one.comparable(&before) {
                return Err(self.fault(expr, format!("nothing of {one} is ever in {before}")));
            }
            before = one;
        }
        if let Some(variable) = function.variable() {
            self.reads(expr, variable)?;
        }
        Ok(function.gives.into())
    }

    fn argument(&mut self, function: &Function, argument: &IdedExpr, takes: Takes) -> Outcome {
        let given = self.of(argument)?;
        if !takes.accepts(&given) {
            let message = format!("`{}` needs {} here, and this is {given}", function.name, takes.describe());
            let error = self.fault(argument, message);
            return Err(match given {
                Type::List(_) => error.help("write `element in list`, or `list.exists(x, condition)`"),
                _ => error,
            });
        }
        if let Some(written) = written_text(argument).filter(|written| !takes.reads(written)) {
            let message = format!("`{}` needs {} and `{written}` is none", function.name, takes.describe());
            return Err(self.fault(argument, message));
        }
        if takes != Takes::Pattern {
            return Ok(given);
        }
        let Some(pattern) = written_text(argument) else { return Ok(given) };
        let compiled = Pattern::compile(pattern).map_err(|error| self.fault(argument, error))?;
        self.patterns.push((argument.id, compiled));
        Ok(given)
    }

    fn unknown(&self, expr: &IdedExpr, name: &str) -> ConditionError {
        if let Some((_, usage)) = functions::MACROS.iter().find(|(of, _)| *of == name) {
            return self
                .fault_at_token(expr, format!("`{name}` is called wrongly"))
                .help(format!("write `{usage}`"));
        }
        let names =
            functions::FUNCTIONS.iter().map(|of| of.name).chain(functions::MACROS.iter().map(|(of, _)| *of));
        if let Some(operator) = operator(name) {
            return self.fault_at_token(expr, format!("unknown function `{name}`")).help(operator);
        }
        let near = match name.to_ascii_lowercase().as_str() {
            "beginswith" | "hasprefix" => Some("startsWith"),
            "finisheswith" | "hassuffix" => Some("endsWith"),
            "tolower" | "lowercase" | "tolowercase" => Some("lower"),
            "upper" | "toupper" | "uppercase" => Some("upperAscii"),
            "strip" => Some("trim"),
            "intersects" | "intersection" => Some("sets.intersects"),
            "incidr" | "iprange" | "ip" => Some("cidr"),
            "includes" | "has_substring" => Some("contains"),
            "any" | "some" => Some("exists"),
            "every" | "foreach" => Some("all"),
            "length" | "len" | "count" => Some("size"),
            _ => nearest(name, names),
        };
        self.fault_at_token(expr, format!("unknown function `{name}`"))
            .maybe_help(near.map(|near| format!("did you mean `{near}`?")))
    }
}

/// The text of a string that stands in the condition as such.
pub(super) fn written_text(expr: &IdedExpr) -> Option<&str> {
    match &expr.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}
