//! Bounds on a condition's text, found on its tokens before anything recurses over it.
//!
//! Parser, checker and evaluator all recurse as deep as the syntax tree is, and in the module the stack is 1 MiB:
//! `1+1+…` with a thousand terms would kill the VM. The tree can be no deeper than brackets nest, plus the longest
//! chain of operators in each of them. `&&` and `||` do not count: the parser balances their chains.

use cel::parser::pratt_parser::{Lexer, TokenKind};

use super::ConditionError;

/// Longest condition, in bytes.
pub const MAX_LENGTH: usize = 4096;

/// Deepest syntax tree, in nodes from the root to a leaf, macros expanded.
pub const MAX_DEPTH: usize = 48;

/// What is open at a token: how long the chains in it are.
#[derive(Default, Clone, Copy)]
struct Level {
    /// Operators since the last separator.
    chain: usize,
    /// `?` so far: the branches of a conditional nest to the right.
    conditionals: usize,
}

/// Refuses a text that is too long, nests too deep or has characters that are no token.
pub(super) fn check(source: &str) -> Result<(), ConditionError> {
    if source.len() > MAX_LENGTH {
        return Err(ConditionError::new(MAX_LENGTH, 1, format!("longer than {MAX_LENGTH} bytes"))
            .help("split it into several rules"));
    }
    let mut lexer = Lexer::new(source);
    let mut open = vec![Level::default()];
    loop {
        let token = lexer.lex();
        match token.kind {
            TokenKind::TokEnd => return Ok(()),
            TokenKind::TokWhitespace | TokenKind::TokComment => continue,
            TokenKind::TokError => {
                let message =
                    lexer.get_error().map_or("unexpected character", |error| error.message.as_str());
                let error = ConditionError::new(token.start, token.end.saturating_sub(token.start), message);
                let help = odd(source.get(token.start..).unwrap_or_default(), message);
                return Err(error.maybe_help(help.map(str::to_owned)));
            }
            kind => step(&mut open, kind),
        }
        let depth: usize =
            open.iter().map(|level| level.chain.saturating_add(level.conditionals).saturating_add(1)).sum();
        if depth > MAX_DEPTH {
            return Err(too_deep(token.start, token.end.saturating_sub(token.start)));
        }
    }
}

/// What was meant by characters that are no token.
fn odd(source: &str, message: &str) -> Option<&'static str> {
    if source.starts_with("${") {
        return Some(
            "a condition is CEL by itself; `${env:…}` stands where a secret does, as in a credential's `value`",
        );
    }
    message.contains("trailing characters").then_some("put a text in quotes")
}

/// The error for a text that nests too deep.
pub(super) fn too_deep(offset: usize, len: usize) -> ConditionError {
    ConditionError::new(offset, len, format!("nests deeper than {MAX_DEPTH} levels")).help(
        "shorten the chain of operators or the nesting of parentheses; chains of && and || may be long, so may lists",
    )
}

fn step(open: &mut Vec<Level>, kind: TokenKind) {
    use TokenKind::*;
    match kind {
        TokLeftParen | TokLeftBracket | TokLeftBrace => {
            bump(open);
            open.push(Level::default());
        }
        TokRightParen | TokRightBracket | TokRightBrace if open.len() > 1 => {
            open.pop();
        }
        TokComma => reset(open, |level| *level = Level::default()),
        TokLogicalAnd | TokLogicalOr | TokColon => reset(open, |level| level.chain = 0),
        TokQuestion => reset(open, |level| {
            level.chain = 0;
            level.conditionals = level.conditionals.saturating_add(1);
        }),
        TokDot | TokMinus | TokPlus | TokAsterisk | TokSlash | TokPercent | TokExclamation
        | TokEqualEqual | TokExclamationEqual | TokLess | TokLessEqual | TokGreater | TokGreaterEqual
        | TokIn => bump(open),
        _ => {}
    }
}

fn bump(open: &mut [Level]) {
    reset(open, |level| level.chain = level.chain.saturating_add(1));
}

fn reset(open: &mut [Level], change: impl FnOnce(&mut Level)) {
    if let Some(level) = open.last_mut() {
        change(level);
    }
}
