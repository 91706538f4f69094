//! A checked tree made ready to be evaluated.
//!
//! | as written | as evaluated |
//! |---|---|
//! | `llm.model` | `@v0`, a slot that the evaluation fills: no map is built, no name joined |
//! | `x in identity.groups` | the same with a slot that is only searched |
//! | `identity.claims.tenant` | `@v1["tenant"]` |
//! | `["a", "b"]` | `@k0`, built once |
//! | `text.matches("…")` | `matches(text, @p0)`, compiled once |
//! | `cidr("…")`, `semver("…")` | `@k1`, likewise |
//! | `now()` | `@v2`, which is `request.time` |
//! | `a + b` | `@add(a, b)`, which pays for what it copies |
//! | a loop | the same, with `@tick` evaluated before each turn |
//!
//! No source can write a name with `@`.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, operators};
use cel::common::types::CelList;
use cel::common::value::Val;

use super::check::variable_of;
use super::functions;
use super::operators::written_text;
use super::pattern::Pattern;
use crate::policy::variables::{Shape, Variable};

/// The name that takes a turn of a loop.
pub(super) const TICK: &str = "tick";

/// How a slot is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Any way.
    Whole,
    /// On the right of `in` alone.
    Members,
}

/// What the rewritten tree needs beside itself.
#[derive(Default)]
pub(super) struct Parts {
    /// What `@v…` means.
    pub(super) slots: Vec<(Variable, Use)>,
    /// What `@p…` means.
    pub(super) patterns: Vec<Pattern>,
    /// What `@k…` means.
    pub(super) constants: Vec<Box<dyn Val>>,
}

/// Rewrites a checked tree in place.
pub(super) fn rewrite(tree: &mut IdedExpr, patterns: Vec<(u64, Pattern)>) -> Parts {
    let mut rewriter = Rewriter { compiled: patterns, parts: Parts::default() };
    rewriter.expr(tree);
    rewriter.parts
}

struct Rewriter {
    compiled: Vec<(u64, Pattern)>,
    parts: Parts,
}

impl Rewriter {
    fn expr(&mut self, expr: &mut IdedExpr) {
        if let Some(variable) = variable_of(expr) {
            expr.expr = self.slot(variable, Use::Whole);
            return;
        }
        if let Some(done) = self.known_call(expr) {
            expr.expr = done;
            return;
        }
        match &mut expr.expr {
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(of) => self.comprehension(of),
            Expr::Select(select) => {
                self.expr(&mut select.operand);
                if !select.test {
                    let field =
                        node(Expr::Literal(LiteralValue::String(std::mem::take(&mut select.field).into())));
                    expr.expr = global(operators::INDEX, vec![std::mem::take(&mut *select.operand), field]);
                }
            }
            Expr::List(list) => match constant(list) {
                Some(value) => expr.expr = self.constant(value),
                None => list.elements.iter_mut().for_each(|element| self.expr(element)),
            },
            Expr::Literal(_) | Expr::Ident(_) | Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => {}
        }
    }

    fn slot(&mut self, variable: Variable, role: Use) -> Expr {
        let known = self.parts.slots.iter().position(|slot| *slot == (variable, role));
        let index = known.unwrap_or_else(|| {
            self.parts.slots.push((variable, role));
            self.parts.slots.len().saturating_sub(1)
        });
        Expr::Ident(format!("@v{index}"))
    }

    fn constant(&mut self, value: Box<dyn Val>) -> Expr {
        self.parts.constants.push(value);
        Expr::Ident(format!("@k{}", self.parts.constants.len().saturating_sub(1)))
    }

    /// What stands for a call whose value is another name's, or was made when the set loaded.
    fn known_call(&mut self, expr: &IdedExpr) -> Option<Expr> {
        let Expr::Call(call) = &expr.expr else { return None };
        let (name, given) = functions::called(call);
        let function = functions::named(&name)?;
        if let Some(variable) = function.variable() {
            return Some(self.slot(variable, Use::Whole));
        }
        let made = function.made(written_text(given.first()?)?)?;
        Some(self.constant(made))
    }

    fn call(&mut self, call: &mut CallExpr) {
        let name = functions::called(call).0.into_owned();
        // Methods become plain calls, receiver first.
        if let Some(target) = call.target.take()
            && name == call.func_name
        {
            call.args.insert(0, *target);
        }
        call.func_name = name;
        match (call.func_name.as_str(), call.args.as_mut_slice()) {
            (operators::IN, [element, container]) => {
                self.expr(element);
                match variable_of(container).filter(|variable| variable.shape() == Shape::TextList) {
                    Some(variable) => container.expr = self.slot(variable, Use::Members),
                    None => self.expr(container),
                }
            }
            ("matches", [text, pattern]) => {
                self.expr(text);
                if let Some((_, compiled)) = self.compiled.iter().find(|(id, _)| *id == pattern.id) {
                    self.parts.patterns.push(compiled.clone());
                    pattern.expr = Expr::Ident(format!("@p{}", self.parts.patterns.len().saturating_sub(1)));
                } else {
                    self.expr(pattern);
                }
            }
            (operators::ADD, [left, right]) => {
                self.expr(left);
                self.expr(right);
                call.func_name = functions::ADD.to_owned();
            }
            (_, args) => args.iter_mut().for_each(|argument| self.expr(argument)),
        }
    }

    /// Ticks before each turn. `map` and `filter` tick inside their step, where `cel` still sees that the step only
    /// appends and so does not copy the list at every turn; the others tick in the loop's condition.
    fn comprehension(&mut self, of: &mut ComprehensionExpr) {
        self.expr(&mut of.iter_range);
        let appends = matches!(of.accu_init.expr, Expr::List(_));
        let Expr::Call(step) = &mut of.loop_step.expr else { return };
        if !appends {
            // Of exists_one the predicate comes first, of the others second; the rest is the accumulator's own.
            let first = step.func_name == operators::CONDITIONAL;
            if let Some(predicate) = step.args.get_mut(usize::from(!first)) {
                self.expr(predicate);
            }
            let condition = std::mem::take(&mut of.loop_cond);
            of.loop_cond = ticking(condition, boolean(false));
            return;
        }
        if step.func_name != operators::CONDITIONAL {
            self.appended(step);
            let append = std::mem::take(&mut of.loop_step);
            of.loop_step = ticking(append, node(Expr::Ident(of.accu_var.clone())));
            return;
        }
        if let [predicate, append, ..] = step.args.as_mut_slice() {
            self.expr(predicate);
            let guarded = std::mem::take(predicate);
            *predicate = ticking(guarded, boolean(false));
            if let Expr::Call(append) = &mut append.expr {
                self.appended(append);
            }
        }
    }

    /// The `x` of `@result + [x]`; the addition stays as it is.
    fn appended(&mut self, append: &mut CallExpr) {
        if let Some(Expr::List(list)) = append.args.get_mut(1).map(|list| &mut list.expr) {
            list.elements.iter_mut().for_each(|element| self.expr(element));
        }
    }
}

fn node(expr: Expr) -> IdedExpr {
    IdedExpr { id: 0, expr }
}

fn boolean(value: bool) -> IdedExpr {
    node(Expr::Literal(LiteralValue::Boolean(value.into())))
}

fn global(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args })
}

/// `@tick ? yes : no`. A conditional, for `&&` would swallow the error that stops the loop.
fn ticking(yes: IdedExpr, no: IdedExpr) -> IdedExpr {
    node(global(operators::CONDITIONAL, vec![node(Expr::Ident(format!("@{TICK}"))), yes, no]))
}

/// A list of nothing but literals, built.
fn constant(list: &ListExpr) -> Option<Box<dyn Val>> {
    let elements = list.elements.iter().map(|element| match &element.expr {
        Expr::Literal(literal) => Some(literal.to_val().into_owned()),
        _ => None,
    });
    let elements: Vec<Box<dyn Val>> = elements.collect::<Option<_>>()?;
    Some(Box::new(CelList::from(elements)))
}
