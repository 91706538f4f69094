//! Evaluates a condition over the facts of one request.
//!
//! A fact is asked for when evaluation comes to it, and lent: nothing is allocated but what the condition makes
//! itself. Depth is bounded when the condition is compiled, turns and text by the meter.

use super::arithmetic;
use super::compare;
use super::fault::Fault;
use super::functions::MAX_ARGUMENTS;
use super::meter::Meter;
use super::pattern::Pattern;
use super::program::{Gives, Loop, Node, Order};
use super::value::{List, Text, Value};
use crate::policy::variables::Facts;

pub(super) type Outcome<'a> = Result<Value<'a>, Fault<'a>>;

/// One evaluation.
pub(super) struct Evaluation<'a> {
    facts: &'a dyn Facts,
    meter: Meter,
}

/// The elements of the loops around an expression, the innermost first.
#[derive(Clone, Copy)]
struct Scope<'s, 'a> {
    innermost: Option<&'s Frame<'s, 'a>>,
}

struct Frame<'s, 'a> {
    element: Value<'a>,
    outer: Scope<'s, 'a>,
}

impl<'a> Scope<'_, 'a> {
    fn element(self, out: usize) -> Outcome<'a> {
        let mut frame = self.innermost;
        for _ in 0..out {
            frame = frame.and_then(|frame| frame.outer.innermost);
        }
        frame.map(|frame| frame.element.clone()).ok_or(Fault::Type)
    }
}

impl<'a> Evaluation<'a> {
    /// Begins one, with a full allowance.
    pub(super) fn new(facts: &'a dyn Facts) -> Self {
        Self { facts, meter: Meter::new() }
    }

    /// What a condition's tree is worth. Running out of the allowance cannot be outvoted by the other side of an `||`.
    pub(super) fn of(&self, tree: &'a Node) -> Outcome<'a> {
        let outcome = self.value(tree, Scope { innermost: None });
        if self.meter.is_spent() { Err(Fault::Cost) } else { outcome }
    }

    fn value(&self, node: &'a Node, scope: Scope<'_, 'a>) -> Outcome<'a> {
        match node {
            Node::Constant(value) => Ok(value.lend()),
            Node::Fact(variable) => Value::of(self.facts.fact(*variable), *variable),
            Node::Element(out) => scope.element(*out),
            Node::Index(sides) => self.index(sides, scope),
            Node::Arithmetic(operator, sides) => {
                let (left, right) = self.both(sides, scope)?;
                arithmetic::apply(&self.meter, *operator, &left, &right)
            }
            Node::Negate(operand) => arithmetic::negate(&self.value(operand, scope)?),
            Node::Conditional(parts) => {
                let [question, yes, no] = &**parts;
                self.value(if self.holds(question, scope)? { yes } else { no }, scope)
            }
            Node::List(elements) => {
                self.meter.elements(elements.len())?;
                let elements = elements.iter().map(|element| self.value(element, scope));
                Ok(Value::List(List::Made(elements.collect::<Result<_, _>>()?)))
            }
            Node::Call(run, given) => {
                let mut values = [Value::Null, Value::Null];
                for (value, node) in values.iter_mut().zip(given) {
                    *value = self.value(node, scope)?;
                }
                run(&self.meter, values.get(..given.len().min(MAX_ARGUMENTS)).unwrap_or_default())
            }
            Node::Loop(of) => self.repeat(of, scope),
            Node::Not(_)
            | Node::And(_)
            | Node::Or(_)
            | Node::Equal { .. }
            | Node::Order(..)
            | Node::In(_)
            | Node::Has(..)
            | Node::Matches(..) => self.holds(node, scope).map(Value::Bool),
        }
    }

    fn both(&self, sides: &'a [Node; 2], scope: Scope<'_, 'a>) -> Result<(Value<'a>, Value<'a>), Fault<'a>> {
        let [left, right] = sides;
        Ok((self.value(left, scope)?, self.value(right, scope)?))
    }

    /// Whether an expression that gives a bool is true.
    fn holds(&self, node: &'a Node, scope: Scope<'_, 'a>) -> Result<bool, Fault<'a>> {
        match node {
            Node::Not(operand) => Ok(!self.holds(operand, scope)?),
            Node::And(sides) => self.outvoted(false, sides, scope),
            Node::Or(sides) => self.outvoted(true, sides, scope),
            Node::Equal { sides, not } => {
                let (left, right) = self.both(sides, scope)?;
                Ok(compare::equal(&self.meter, &left, &right)? != *not)
            }
            Node::Order(order, sides) => {
                let (left, right) = self.both(sides, scope)?;
                let found = compare::order(&self.meter, &left, &right)?;
                Ok(found.is_some_and(|found| match order {
                    Order::Less => found.is_lt(),
                    Order::LessOrEqual => found.is_le(),
                    Order::Greater => found.is_gt(),
                    Order::GreaterOrEqual => found.is_ge(),
                }))
            }
            Node::In(sides) => match self.both(sides, scope)? {
                (one, Value::List(list)) => compare::holds(&self.meter, &list, &one),
                (Value::Text(key), Value::Map(map)) => Ok(map.has(&key)),
                _ => Err(Fault::Type),
            },
            Node::Has(operand, key) => match self.value(operand, scope)? {
                Value::Map(map) => Ok(map.has(key)),
                _ => Err(Fault::Type),
            },
            Node::Matches(text, pattern) => self.matches(text, pattern, scope),
            other => match self.value(other, scope)? {
                Value::Bool(holds) => Ok(holds),
                _ => Err(Fault::Type),
            },
        }
    }

    /// `&&` (`decides` is false) and `||` (true): what decides wins over a fault on the other side.
    fn outvoted(&self, decides: bool, sides: &'a [Node; 2], scope: Scope<'_, 'a>) -> Result<bool, Fault<'a>> {
        let [left, right] = sides;
        let left = self.holds(left, scope);
        if matches!(left, Ok(left) if left == decides) || self.meter.is_spent() {
            return left;
        }
        match (left, self.holds(right, scope)) {
            (_, Ok(right)) if right == decides => Ok(decides),
            (Err(fault), _) => Err(fault),
            (Ok(_), right) => right,
        }
    }

    fn matches(&self, text: &'a Node, pattern: &Pattern, scope: Scope<'_, 'a>) -> Result<bool, Fault<'a>> {
        let Value::Text(text) = self.value(text, scope)? else { return Err(Fault::Type) };
        // An automaton reads slower than a comparison.
        self.meter.text(text.len().saturating_mul(2))?;
        Ok(pattern.is_match(&text))
    }

    fn index(&self, sides: &'a [Node; 2], scope: Scope<'_, 'a>) -> Outcome<'a> {
        match self.both(sides, scope)? {
            (Value::Map(map), Value::Text(key)) => map.get(&key).ok_or(Fault::Entry(key)),
            (Value::List(list), Value::Int(place)) => {
                usize::try_from(place).ok().and_then(|place| list.get(place)).ok_or(Fault::Element)
            }
            _ => Err(Fault::Type),
        }
    }

    fn repeat(&self, of: &'a Loop, scope: Scope<'_, 'a>) -> Outcome<'a> {
        let list = match self.value(&of.over, scope)? {
            Value::List(list) => list,
            Value::Map(map) => {
                self.meter.elements(map.at_most())?;
                let keys = map.keys().into_iter().map(|key| Value::Text(Text::Lent(key)));
                List::Made(keys.collect())
            }
            _ => return Err(Fault::Type),
        };
        match &of.gives {
            Gives::Exists(holds) => self.decided(true, holds, &list, scope),
            Gives::All(holds) => self.decided(false, holds, &list, scope),
            Gives::ExistsOne(holds) => self.exists_one(holds, &list, scope),
            Gives::List { counts, element } => self.collect(counts.as_ref(), element, &list, scope),
        }
    }

    /// `exists` (`decides` is true) and `all` (false): what decides ends the loop, and wins over faults before it.
    fn decided(&self, decides: bool, holds: &'a Node, list: &List<'a>, scope: Scope<'_, 'a>) -> Outcome<'a> {
        let mut fault = None;
        for element in list.iter() {
            self.meter.turn()?;
            let frame = Frame { element, outer: scope };
            match self.holds(holds, Scope { innermost: Some(&frame) }) {
                Ok(holds) if holds == decides => return Ok(Value::Bool(decides)),
                Ok(_) => {}
                Err(found) => fault = fault.or(Some(found)),
            }
        }
        fault.map_or(Ok(Value::Bool(!decides)), Err)
    }

    fn exists_one(&self, holds: &'a Node, list: &List<'a>, scope: Scope<'_, 'a>) -> Outcome<'a> {
        let mut count = 0_usize;
        for element in list.iter() {
            self.meter.turn()?;
            let frame = Frame { element, outer: scope };
            let holds = self.holds(holds, Scope { innermost: Some(&frame) })?;
            count = count.saturating_add(usize::from(holds));
        }
        Ok(Value::Bool(count == 1))
    }

    fn collect(
        &self,
        counts: Option<&'a Node>,
        element: &'a Node,
        list: &List<'a>,
        scope: Scope<'_, 'a>,
    ) -> Outcome<'a> {
        let mut made = Vec::new();
        for of in list.iter() {
            self.meter.turn()?;
            let frame = Frame { element: of, outer: scope };
            let inside = Scope { innermost: Some(&frame) };
            if counts.map_or(Ok(true), |counts| self.holds(counts, inside))? {
                made.push(self.value(element, inside)?);
            }
        }
        Ok(Value::List(List::Made(made.into())))
    }
}
