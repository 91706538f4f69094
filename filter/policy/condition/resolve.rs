//! A checked syntax tree made into a [`Node`] tree, in which nothing is left to be looked up.

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, operators};

use super::arithmetic::Operator;
use super::check::variable_of;
use super::functions;
use super::loops::Turn;
use super::operators::written_text;
use super::pattern::Pattern;
use super::program::{Gives, Loop, Node, Order};
use super::value::{List, Value};

/// Resolves a tree; `None`: it is none that the checker lets pass.
pub(super) fn resolve(tree: &IdedExpr, patterns: Vec<(u64, Pattern)>) -> Option<Node> {
    Resolver { patterns, loops: Vec::new() }.expr(tree)
}

struct Resolver<'t> {
    /// The compiled patterns, by the node of their text.
    patterns: Vec<(u64, Pattern)>,
    /// The names of the loops' elements, the innermost last.
    loops: Vec<&'t str>,
}

impl<'t> Resolver<'t> {
    fn expr(&mut self, expr: &'t IdedExpr) -> Option<Node> {
        if let Some(variable) = variable_of(expr) {
            return Some(Node::Fact(variable));
        }
        match &expr.expr {
            Expr::Literal(literal) => constant(literal).map(Node::Constant),
            Expr::Ident(name) => self.loops.iter().rev().position(|of| of == name).map(Node::Element),
            Expr::Select(select) => {
                let operand = self.expr(&select.operand)?;
                if select.test {
                    return Some(Node::Has(Box::new(operand), select.field.as_str().into()));
                }
                let field = Node::Constant(Value::made(select.field.as_str()));
                Some(Node::Index(Box::new([operand, field])))
            }
            Expr::List(list) => match constants(list) {
                Some(list) => Some(Node::Constant(Value::List(list))),
                None => self.all(&list.elements).map(Node::List),
            },
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(of) => self.comprehension(of),
            Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => None,
        }
    }

    fn all(&mut self, exprs: impl IntoIterator<Item = &'t IdedExpr>) -> Option<Vec<Node>> {
        exprs.into_iter().map(|expr| self.expr(expr)).collect()
    }

    fn some<const N: usize>(&mut self, exprs: &'t [IdedExpr]) -> Option<Box<[Node; N]>> {
        self.all(exprs)?.into_boxed_slice().try_into().ok()
    }

    fn call(&mut self, call: &'t CallExpr) -> Option<Node> {
        let args = call.args.as_slice();
        if call.target.is_some() {
            return self.function(call);
        }
        Some(match (call.func_name.as_str(), args) {
            (operators::LOGICAL_NOT, [operand]) => Node::Not(Box::new(self.expr(operand)?)),
            (operators::NEGATE, [operand]) => Node::Negate(Box::new(self.expr(operand)?)),
            (operators::LOGICAL_AND, _) => Node::And(self.some(args)?),
            (operators::LOGICAL_OR, _) => Node::Or(self.some(args)?),
            (operators::CONDITIONAL, _) => Node::Conditional(self.some(args)?),
            (operators::EQUALS, _) => Node::Equal { sides: self.some(args)?, not: false },
            (operators::NOT_EQUALS, _) => Node::Equal { sides: self.some(args)?, not: true },
            (operators::LESS, _) => Node::Order(Order::Less, self.some(args)?),
            (operators::LESS_EQUALS, _) => Node::Order(Order::LessOrEqual, self.some(args)?),
            (operators::GREATER, _) => Node::Order(Order::Greater, self.some(args)?),
            (operators::GREATER_EQUALS, _) => Node::Order(Order::GreaterOrEqual, self.some(args)?),
            (operators::ADD, _) => Node::Arithmetic(Operator::Add, self.some(args)?),
            (operators::SUBSTRACT, _) => Node::Arithmetic(Operator::Subtract, self.some(args)?),
            (operators::MULTIPLY, _) => Node::Arithmetic(Operator::Multiply, self.some(args)?),
            (operators::DIVIDE, _) => Node::Arithmetic(Operator::Divide, self.some(args)?),
            (operators::MODULO, _) => Node::Arithmetic(Operator::Modulo, self.some(args)?),
            (operators::IN, _) => Node::In(self.some(args)?),
            (operators::INDEX, _) => Node::Index(self.some(args)?),
            _ => return self.function(call),
        })
    }

    fn function(&mut self, call: &'t CallExpr) -> Option<Node> {
        let (name, given) = functions::called(call);
        let function = functions::named(&name)?;
        if let Some(variable) = function.variable() {
            return Some(Node::Fact(variable));
        }
        if let Some(made) = given.first().and_then(|text| function.made(written_text(text)?)) {
            return Some(Node::Constant(made));
        }
        if let ("matches", [text, pattern]) = (function.name, given.as_slice())
            && let Some((_, compiled)) = self.patterns.iter().find(|(id, _)| *id == pattern.id)
        {
            let compiled = compiled.clone();
            return Some(Node::Matches(Box::new(self.expr(text)?), compiled));
        }
        Some(Node::Call(function.run()?, self.all(given)?))
    }

    fn comprehension(&mut self, of: &'t ComprehensionExpr) -> Option<Node> {
        let over = self.expr(&of.iter_range)?;
        self.loops.push(&of.iter_var);
        let gives = self.turn(Turn::of(of)?);
        self.loops.pop();
        Some(Node::Loop(Box::new(Loop { over, gives: gives? })))
    }

    fn turn(&mut self, turn: Turn<'t>) -> Option<Gives> {
        Some(match turn {
            Turn::Exists(holds) => Gives::Exists(self.expr(holds)?),
            Turn::All(holds) => Gives::All(self.expr(holds)?),
            Turn::ExistsOne(holds) => Gives::ExistsOne(self.expr(holds)?),
            Turn::List { counts, element } => {
                let counts = match counts {
                    Some(counts) => Some(self.expr(counts)?),
                    None => None,
                };
                Gives::List { counts, element: self.expr(element)? }
            }
        })
    }
}

fn constant(literal: &LiteralValue) -> Option<Value<'static>> {
    Some(match literal {
        LiteralValue::Boolean(bool) => Value::Bool(*bool.inner()),
        LiteralValue::Int(int) => Value::Int(*int.inner()),
        LiteralValue::Double(double) => Value::Double(*double.inner()),
        LiteralValue::String(text) => Value::made(text.inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::UInt(_) | LiteralValue::Bytes(_) => return None,
    })
}

/// A list of nothing but literals.
fn constants(list: &ListExpr) -> Option<List<'static>> {
    let elements = list.elements.iter().map(|element| match &element.expr {
        Expr::Literal(literal) => constant(literal),
        _ => None,
    });
    elements.collect::<Option<_>>().map(List::Made)
}
