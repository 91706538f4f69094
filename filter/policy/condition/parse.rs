//! Text to syntax tree, and a tree's nodes back to places in the text.
//!
//! The tree comes from `cel`'s Pratt parser, called directly: going through `cel::Program` would link its ANTLR
//! parser too, 683 KB of module. It hands out places only with an error, so a text that parsed but does not check
//! is parsed once more with a stray `)` behind it, for the same nodes with their places.

use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};
use cel::parser::pratt_parser::{Lexer, TokenKind};
use cel::parser::{ParseError, PrattParser};

use super::{ConditionError, bounds};

/// Parses a condition, macros expanded.
pub(super) fn parse(source: &str) -> Result<IdedExpr, ConditionError> {
    bounds::check(source)?;
    if source.trim().is_empty() {
        return Err(ConditionError::new(0, 0, "is empty").help("write `true` for always"));
    }
    let tree = parser().parse(source).map_err(|errors| first_error(source, &errors.errors))?;
    if depth(&tree) > bounds::MAX_DEPTH {
        let (offset, len) = Places::of(source).span(&tree);
        return Err(bounds::too_deep(offset, len));
    }
    Ok(tree)
}

fn parser() -> PrattParser {
    // Below the stack's end whatever happens; `bounds` answers first.
    PrattParser::new().max_recursion_depth(128).error_recovery_limit(1)
}

fn first_error(source: &str, errors: &[ParseError]) -> ConditionError {
    if let Some(offset) = lone_equals(source) {
        return ConditionError::new(offset, 1, "`=` gives a value, and a condition asks for one")
            .help("compare with `==`");
    }
    if let Some(error) = worded(source) {
        return error;
    }
    let Some(error) = errors.first() else {
        return ConditionError::new(0, source.len(), "cannot be parsed");
    };
    let place = error.source_info.as_ref().and_then(|info| info.offset_for(error.expr_id));
    let (start, end) = match place {
        Some((start, end)) => (start as usize, end as usize),
        None => at_line_and_column(source, error.pos),
    };
    let message = error.msg.strip_prefix("Syntax error: ").unwrap_or(&error.msg);
    ConditionError::new(start.min(source.len()), end.saturating_sub(start), plain(message))
}

/// What other languages call an operator, and how it is written here.
const OPERATORS: [(&str, &str); 3] = [("and", "write `&&`"), ("or", "write `||`"), ("not", "write `!x`")];

/// How an operator is written here, by what other languages call it.
pub(super) fn operator(word: &str) -> Option<&'static str> {
    OPERATORS.iter().find(|(of, _)| of.eq_ignore_ascii_case(word)).map(|(_, help)| *help)
}

/// The first word that stands for an operator elsewhere, of a text that is no condition.
fn worded(source: &str) -> Option<ConditionError> {
    let mut lexer = Lexer::new(source);
    let mut before = TokenKind::TokEnd;
    loop {
        let token = lexer.lex();
        if matches!(token.kind, TokenKind::TokEnd | TokenKind::TokError) {
            return None;
        }
        let word = source.get(token.start..token.end).unwrap_or_default();
        if token.kind == TokenKind::TokIdent
            && before != TokenKind::TokDot
            && let Some(help) = operator(word)
        {
            let message = format!("`{word}` is no operator here");
            return Some(ConditionError::new(token.start, word.len(), message).help(help));
        }
        before = token.kind;
    }
}

/// Where a `=` stands that is no part of `==`, `!=`, `<=` or `>=`, outside of texts.
fn lone_equals(source: &str) -> Option<usize> {
    let (mut quote, mut before) = (None, ' ');
    let mut chars = source.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match (quote, char) {
            (Some(_), '\\') => {
                chars.next();
            }
            (Some(open), char) if open == char => quote = None,
            (None, '"' | '\'') => quote = Some(char),
            (None, '=')
                if !matches!(before, '=' | '!' | '<' | '>')
                    && chars.peek().is_none_or(|(_, next)| *next != '=') =>
            {
                return Some(at);
            }
            _ => {}
        }
        before = char;
    }
    None
}

/// The place of an error that macros report: line and column from 1, the column in bytes.
fn at_line_and_column(source: &str, (line, column): (isize, isize)) -> (usize, usize) {
    let number = |of: isize| usize::try_from(of).ok().and_then(|of| of.checked_sub(1));
    let (Some(line), Some(column)) = (number(line), number(column)) else {
        return (source.len(), source.len());
    };
    let before: usize = source.split_inclusive('\n').take(line).map(str::len).sum();
    let start = before.saturating_add(column).min(source.len());
    (start, start)
}

/// The parser's messages in words that say what to do.
fn plain(message: &str) -> String {
    if message.contains("mismatched input '<EOF>'") || message.contains("mismatched input <EOF>") {
        return "ends too early".to_owned();
    }
    if message.starts_with("invalid argument to has()") {
        return "has() takes a field, such as has(identity.claims.tenant)".to_owned();
    }
    message.to_owned()
}

/// Nodes from the root to the deepest leaf. Recurses as deep as `bounds` lets a tree be.
fn depth(tree: &IdedExpr) -> usize {
    let mut deepest = 0;
    each_child(&tree.expr, |child| deepest = deepest.max(depth(child)));
    deepest.saturating_add(1)
}

/// Calls a function with each direct child of a node.
fn each_child<'a>(expr: &'a Expr, mut visit: impl FnMut(&'a IdedExpr)) {
    match expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(visit),
        Expr::Comprehension(of) => {
            [&of.iter_range, &of.accu_init, &of.loop_cond, &of.loop_step, &of.result]
                .into_iter()
                .for_each(visit);
        }
        Expr::List(list) => list.elements.iter().for_each(visit),
        Expr::Select(select) => visit(&select.operand),
        Expr::Map(map) => map.entries.iter().for_each(|entry| each_entry(&entry.expr, &mut visit)),
        Expr::Struct(of) => of.entries.iter().for_each(|entry| each_entry(&entry.expr, &mut visit)),
    }
}

fn each_entry<'a>(entry: &'a EntryExpr, visit: &mut impl FnMut(&'a IdedExpr)) {
    match entry {
        EntryExpr::StructField(field) => visit(&field.value),
        EntryExpr::MapEntry(entry) => {
            visit(&entry.key);
            visit(&entry.value);
        }
    }
}

/// Where a tree's nodes stand in the text.
pub(super) struct Places {
    info: Option<Arc<SourceInfo>>,
    length: usize,
}

impl Places {
    /// The places of a text that parses.
    pub(super) fn of(source: &str) -> Places {
        let info = parser()
            .parse(&format!("{source}\n)"))
            .err()
            .and_then(|errors| errors.errors.into_iter().find_map(|error| error.source_info));
        Places { info, length: source.len() }
    }

    /// Offset and length of a node with everything under it, in bytes.
    pub(super) fn span(&self, tree: &IdedExpr) -> (usize, usize) {
        let (start, end) = self.range(tree).unwrap_or((0, self.length));
        let start = start.min(self.length);
        (start, end.min(self.length).saturating_sub(start))
    }

    /// Offset and length of the token a node was made at: an operator, a dot, a literal, a name.
    pub(super) fn token(&self, node: &IdedExpr) -> (usize, usize) {
        let (start, end) = self.own(node).unwrap_or((0, self.length));
        let start = start.min(self.length);
        (start, end.min(self.length).saturating_sub(start))
    }

    fn own(&self, node: &IdedExpr) -> Option<(usize, usize)> {
        let (start, end) = self.info.as_ref()?.offset_for(node.id)?;
        let (start, end) = (start as usize, end as usize);
        Some(match &node.expr {
            // The place of a selection is its dot; the field follows.
            Expr::Select(select) if !select.test => (start, end.saturating_add(select.field.len())),
            // The place of a method call is its parenthesis; the name stands before it.
            Expr::Call(call) if call.target.is_some() => (start.saturating_sub(call.func_name.len()), end),
            _ => (start, end),
        })
    }

    fn range(&self, tree: &IdedExpr) -> Option<(usize, usize)> {
        let mut range = self.own(tree);
        each_child(&tree.expr, |child| {
            range = match (range, self.range(child)) {
                (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
                (one, other) => one.or(other),
            };
        });
        range
    }
}
