//! Rows of placeholders: many rows in one statement, and few statements to prepare.

use std::fmt::Write as _;

/// Rows of one statement, largest first. Every number of rows is a sum of few of them.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// Cuts rows into those of one statement each.
pub fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at_checked(size)?;
        rows = rest;
        Some(chunk)
    })
}

/// `head VALUES ($1, $2), ($3, $4) tail`; the texts are the program's own.
pub fn statement(head: &'static str, rows: usize, columns: usize, tail: &'static str) -> String {
    let mut sql = format!("{head} VALUES ");
    let mut number = 0_usize;
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..columns {
            number = number.saturating_add(1);
            let comma = if column == 0 { "" } else { ", " };
            let _ = write!(sql, "{comma}${number}");
        }
        sql.push(')');
    }
    sql.push_str(tail);
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_comes_once_and_in_order() {
        let rows: Vec<usize> = (0..1000).collect();
        for most in [0, 1, 3, 4, 255, 256, 257, 1000] {
            let all: Vec<usize> = chunks(&rows[..most]).flatten().copied().collect();
            assert_eq!(all, rows[..most]);
        }
        assert_eq!(
            statement("INSERT INTO t (a, b)", 2, 2, ""),
            "INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4)"
        );
    }
}
