//! What new records show about their chain: the judgement of `portcullis audit verify`, over them and what stands around
//! them.

use portcullis::audit::signature::Witness;
use portcullis::audit::verify::{Finding, Knowledge, Removal, Stored, Verifier, What};

use super::alert::Alert;
use super::neighbours::{Neighbour, Neighbours};
use crate::entry::Entry;

/// What a run shows.
#[derive(Debug, Default)]
pub struct Shown {
    /// Damage.
    pub alerts: Vec<Alert>,
    /// Numbers that are not there, and that nothing declares as lost.
    pub missing: Vec<(i64, i64)>,
}

/// Judges new records of consecutive numbers. Where nothing stands before them, what was `removed` there counts.
pub fn run(run: &[&Entry], around: &Neighbours, removed: Option<Removal>, witnesses: &[Witness]) -> Shown {
    let Some(first) = run.first() else { return Shown::default() };
    let mut verifier = Verifier::default();
    let bare = |neighbour: &Neighbour, verifier: &mut Verifier| {
        verifier.add(Stored { body: &neighbour.body, attributes: &[] });
    };
    if let Some(before) = predecessor(first, &around.before) {
        bare(before, &mut verifier);
    }
    around.within.iter().for_each(|within| bare(within, &mut verifier));
    run.iter().for_each(|entry| verifier.add(entry.stored()));
    if let Some(after) = &around.after {
        bare(after, &mut verifier);
    }
    let known = Knowledge {
        witnesses: witnesses.to_vec(),
        partial: !around.before.is_empty(),
        removed: removed.map(|removed| (first.chain.clone(), removed)).into_iter().collect(),
    };
    shown(&first.chain, first.seq, &verifier.report(&known).findings, around)
}

/// Of several bodies under the number before, the one that the run goes on from.
fn predecessor<'n>(first: &Entry, before: &'n [Neighbour]) -> Option<&'n Neighbour> {
    let named = before.iter().find(|one| first.body.contains(&portcullis::audit::trace::to_hex(&one.hash)));
    named.or_else(|| before.first())
}

fn shown(chain: &str, first_new: i64, findings: &[Finding], around: &Neighbours) -> Shown {
    let mut shown = Shown::default();
    let with_holes = findings
        .iter()
        .any(|finding| matches!(finding, Finding::OfChain { what: What::Missing | What::Lost, .. }));
    for finding in findings {
        let Finding::OfChain { first, last, what, .. } = finding else { continue };
        let (first, last) = (number(*first), number(*last));
        let again = around.within.iter().any(|within| within.seq == first);
        let name = match what {
            What::Missing => {
                shown.missing.push((first, last));
                continue;
            }
            // In the course of things.
            What::Doubled | What::Reordered | What::Lost | What::Removed { .. } | What::PartsLost(..) => {
                continue;
            }
            // Of another chain, which is not looked at here.
            What::CutOff(_) => continue,
            // Parts may stand in the hole, which is judged by itself.
            What::PartsMissing(..) if with_holes => continue,
            // Told when the record before came.
            What::Forged | What::Unsigned if first < first_new => continue,
            // Of two bodies under one number one fits its neighbours at most; that there are two says it.
            What::Changed if again => continue,
            What::Changed => "changed",
            What::Conflicting => "conflicting",
            What::Disagreeing(_) => "disagreeing",
            What::Forged => "forged",
            What::Unsigned => "unsigned",
            What::PartsMissing(..) => "parts_missing",
        };
        let attributes = match what {
            What::Disagreeing(names) => names.clone(),
            _ => Vec::new(),
        };
        let exchange = match what {
            What::PartsMissing(exchange, _) => Some(exchange.clone()),
            _ => None,
        };
        shown.alerts.push(Alert {
            what: name,
            chain: Some(chain.to_owned()),
            first,
            last,
            attributes,
            exchange,
        });
    }
    shown
}

fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
