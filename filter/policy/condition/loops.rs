//! The loops that the parser makes of `exists`, `all`, `exists_one`, `map` and `filter`.
//!
//! Each has a shape of its own, with an accumulator `@result` that no source can name; here they are read back.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};

/// What a loop evaluates in each turn.
pub(super) struct Loop<'a> {
    /// Decides whether the turn counts.
    pub(super) predicate: Option<&'a IdedExpr>,
    /// What the turn adds to the list that the loop gives; `None`: the loop gives a bool.
    pub(super) element: Option<&'a IdedExpr>,
}

impl<'a> Loop<'a> {
    /// Reads a loop back; `None`: it has none of the shapes.
    pub(super) fn of(of: &'a ComprehensionExpr) -> Option<Loop<'a>> {
        let Expr::Call(step) = &of.loop_step.expr else { return None };
        match &of.accu_init.expr {
            // exists: @result || p; all: @result && p
            Expr::Literal(LiteralValue::Boolean(_)) => {
                Some(Loop { predicate: step.args.get(1), element: None })
            }
            // exists_one: p ? @result + 1 : @result
            Expr::Literal(LiteralValue::Int(_)) => Some(Loop { predicate: step.args.first(), element: None }),
            // filter, map with a condition: p ? @result + [x] : @result
            Expr::List(_) if step.func_name == operators::CONDITIONAL => {
                let Expr::Call(append) = &step.args.get(1)?.expr else { return None };
                Some(Loop { predicate: step.args.first(), element: Some(appended(append)?) })
            }
            // map: @result + [x]
            Expr::List(_) => Some(Loop { predicate: None, element: Some(appended(step)?) }),
            _ => None,
        }
    }
}

/// The `x` of `@result + [x]`.
fn appended(append: &CallExpr) -> Option<&IdedExpr> {
    match &append.args.get(1)?.expr {
        Expr::List(list) => list.elements.first(),
        _ => None,
    }
}
