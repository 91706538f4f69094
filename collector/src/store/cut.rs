//! How much of a chain may go: pure.
//!
//! Always a beginning of the chain, so that what is left can be held against the last that went. It ends before the first
//! record that is to stay, and before the first record of an exchange of which one is to stay.

use std::collections::BTreeMap;

/// A record at the beginning of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its number in the chain. Several bodies may stand under one.
    pub seq: i64,
    /// Number of its arrival.
    pub id: i64,
    /// When it arrived.
    pub arrived: i64,
    /// sha256 of its body.
    pub hash: Vec<u8>,
    /// Number of its exchange.
    pub exchange: Option<i64>,
    /// Length of its body.
    pub bytes: i64,
}

/// An exchange that some of the rows belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// Number of arrival of the last of all its records.
    pub id: i64,
    /// When the latest of them arrived.
    pub arrived: i64,
    /// The highest number of them.
    pub seq: i64,
    /// When it began.
    pub time: i64,
    /// Whether it is under way.
    pub open: bool,
}

/// What goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Everything up to this number.
    Until(i64),
    /// Nothing, or less than could: to say how much, more rows must be looked at.
    More,
    /// Nothing.
    Nothing,
}

/// What bounds a cut.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// Records of a higher number of arrival stay.
    pub until: i64,
    /// Records that arrived then or later stay. Of several collectors one clock may be wrong, so both count.
    pub before: i64,
    /// The lowest number that is not there, and of which the alarm was not raised yet.
    pub gap: Option<i64>,
    /// Whether the rows are all there is of the chain.
    pub all: bool,
    /// Whether an exchange may be cut in two where it is too long for one look.
    pub across: bool,
}

/// Of rows in the order of their numbers.
pub fn cut(rows: &[Row], exchanges: &BTreeMap<i64, Whole>, bound: Bound) -> Cut {
    let stays = |row: &Row| {
        let whole = row.exchange.and_then(|id| exchanges.get(&id));
        let young = |id: i64, arrived: i64| id > bound.until || arrived >= bound.before;
        young(row.id, row.arrived)
            || whole.is_some_and(|whole| whole.open || young(whole.id, whole.arrived))
            || bound.gap.is_some_and(|gap| row.seq >= gap)
    };
    let stop = rows.iter().filter(|row| stays(row)).map(|row| row.seq).min();
    // Of the last number there may be more rows than are here.
    let end = match (stop, rows.last()) {
        (None, Some(last)) if !bound.all && rows.first().is_some_and(|first| first.seq < last.seq) => {
            Some(last.seq)
        }
        _ => stop,
    };
    let goes = |row: &&Row| end.is_none_or(|end| row.seq < end);
    let (mut reach, mut whole, mut last) = (0, None, None);
    for numbers in rows.chunk_by(|one, next| one.seq == next.seq) {
        let Some(first) = numbers.first().filter(goes) else { break };
        let of = numbers.iter().filter_map(|row| exchanges.get(&row.exchange?)).map(|whole| whole.seq);
        reach = of.fold(reach, i64::max);
        last = Some(first.seq);
        if reach <= first.seq {
            whole = last;
        }
    }
    match (whole, last) {
        (Some(seq), _) => Cut::Until(seq),
        (None, Some(_)) if stop.is_some() || bound.all => Cut::Nothing,
        (None, Some(seq)) if bound.across => Cut::Until(seq),
        (None, Some(_)) => Cut::More,
        (None, None) => Cut::Nothing,
    }
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "a test may")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: Bound = Bound { until: i64::MAX, before: i64::MAX, gap: None, all: true, across: false };

    /// Rows that arrived in their order; of each its exchange, 0: none.
    fn rows(exchanges: &[i64]) -> Vec<Row> {
        let row = |(at, exchange): (usize, &i64)| {
            let at = at as i64 + 1;
            Row {
                seq: at,
                id: at,
                arrived: at,
                hash: vec![],
                exchange: Some(*exchange).filter(|id| *id > 0),
                bytes: 1,
            }
        };
        exchanges.iter().enumerate().map(row).collect()
    }

    fn wholes(rows: &[Row]) -> BTreeMap<i64, Whole> {
        let mut all = BTreeMap::new();
        for row in rows {
            if let Some(id) = row.exchange {
                all.insert(
                    id,
                    Whole { id: row.id, arrived: row.arrived, seq: row.seq, time: 0, open: false },
                );
            }
        }
        all
    }

    fn of(exchanges: &[i64], bound: Bound) -> Cut {
        let rows = rows(exchanges);
        cut(&rows, &wholes(&rows), bound)
    }

    #[test]
    fn an_exchange_goes_as_a_whole_or_stays() {
        assert_eq!(of(&[1, 1, 2, 2], ALL), Cut::Until(4));
        // The second one's end is young: so both of its records stay.
        assert_eq!(of(&[1, 1, 2, 2], Bound { until: 3, ..ALL }), Cut::Until(2));
        assert_eq!(of(&[1, 1, 2, 2], Bound { before: 4, ..ALL }), Cut::Until(2));
        // And what stands between its records.
        assert_eq!(of(&[1, 2, 1, 0, 0, 2], Bound { until: 5, ..ALL }), Cut::Nothing);
        assert_eq!(of(&[0, 1, 2, 1, 0, 0, 2], Bound { until: 6, ..ALL }), Cut::Until(1));
        assert_eq!(of(&[1, 1, 0, 0], Bound { until: 3, ..ALL }), Cut::Until(3));
        let one = rows(&[0, 1]);
        let open = BTreeMap::from([(1, Whole { id: 2, arrived: 2, seq: 2, time: 0, open: true })]);
        assert_eq!(cut(&one, &open, ALL), Cut::Until(1), "one that is under way stays");
    }

    #[test]
    fn a_gap_that_nobody_was_told_of_stays() {
        assert_eq!(of(&[0, 0, 0, 0], Bound { gap: Some(3), ..ALL }), Cut::Until(2));
        assert_eq!(of(&[0, 0], Bound { gap: Some(1), ..ALL }), Cut::Nothing);
    }

    #[test]
    fn an_exchange_that_is_longer_than_the_rows_asks_for_more_of_them() {
        let some = rows(&[1, 2, 1, 2]);
        let long = BTreeMap::from([
            (1, Whole { id: 90, arrived: 90, seq: 90, time: 0, open: false }),
            (2, Whole { id: 91, arrived: 91, seq: 91, time: 0, open: false }),
        ]);
        let bound = Bound { all: false, ..ALL };
        assert_eq!(cut(&some, &long, bound), Cut::More);
        // All bodies under the last number need not be here.
        assert_eq!(cut(&some, &long, Bound { across: true, ..bound }), Cut::Until(3));
        assert_eq!(cut(&some, &long, Bound { until: 3, ..bound }), Cut::Nothing);
    }

    #[test]
    fn bodies_of_one_number_go_together() {
        let mut some = rows(&[0, 0, 0]);
        (some[2].seq, some[2].id) = (2, 9);
        assert_eq!(cut(&some, &BTreeMap::new(), Bound { until: 5, ..ALL }), Cut::Until(1));
        assert_eq!(cut(&some, &BTreeMap::new(), ALL), Cut::Until(2));
        assert_eq!(cut(&some, &BTreeMap::new(), Bound { all: false, ..ALL }), Cut::Until(1));
        let mut one = rows(&[0, 0]);
        one[1].seq = 1;
        assert_eq!(cut(&one, &BTreeMap::new(), Bound { all: false, ..ALL }), Cut::Until(1));
    }

    proptest! {
        #[test]
        fn what_goes_is_old_and_whole(
            exchanges in proptest::collection::vec(0..5_i64, 0..20), until in 0..20_i64, gap in proptest::option::of(1..20_i64),
        ) {
            let rows = rows(&exchanges);
            let bound = Bound { until, gap, ..ALL };
            if let Cut::Until(last) = cut(&rows, &wholes(&rows), bound) {
                prop_assert!(last <= until && gap.is_none_or(|gap| last < gap));
                let (goes, stays): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.seq <= last);
                for row in goes {
                    prop_assert!(row.exchange.is_none() || stays.iter().all(|other| other.exchange != row.exchange));
                }
            }
        }
    }
}
