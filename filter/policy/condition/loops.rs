//! The loops that the parser makes of `exists`, `all`, `exists_one`, `map` and `filter`.
//!
//! Each has a shape of its own, with an accumulator `@result` that no source can name; here they are read back.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue, operators};

/// What a loop evaluates in each turn.
pub(super) enum Turn<'a> {
    /// `exists`: whether one holds.
    Exists(&'a IdedExpr),
    /// `all`: whether all hold.
    All(&'a IdedExpr),
    /// `exists_one`: whether exactly one holds.
    ExistsOne(&'a IdedExpr),
    /// `map` and `filter`: what the turn adds to the list that the loop gives.
    List {
        /// Decides whether the turn counts.
        counts: Option<&'a IdedExpr>,
        element: &'a IdedExpr,
    },
}

impl<'a> Turn<'a> {
    /// Reads a loop back; `None`: it has none of the shapes.
    pub(super) fn of(of: &'a ComprehensionExpr) -> Option<Turn<'a>> {
        let Expr::Call(step) = &of.loop_step.expr else { return None };
        match &of.accu_init.expr {
            // @result || p
            Expr::Literal(LiteralValue::Boolean(begins)) if !begins.inner() => {
                step.args.get(1).map(Turn::Exists)
            }
            // @result && p
            Expr::Literal(LiteralValue::Boolean(_)) => step.args.get(1).map(Turn::All),
            // p ? @result + 1 : @result
            Expr::Literal(LiteralValue::Int(_)) => step.args.first().map(Turn::ExistsOne),
            // p ? @result + [x] : @result
            Expr::List(_) if step.func_name == operators::CONDITIONAL => {
                let Expr::Call(append) = &step.args.get(1)?.expr else { return None };
                Some(Turn::List { counts: step.args.first(), element: appended(append)? })
            }
            // @result + [x]
            Expr::List(_) => Some(Turn::List { counts: None, element: appended(step)? }),
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
