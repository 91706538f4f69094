//! Copies, made while a collector writes.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may"
)]

mod support;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};

use support::place::Place;
use support::worker::Worker;
use support::{Collector, Records};

fn backup(database: &str, to: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_portcullis-collector"))
        .args(["backup", "--database", database, "--to"])
        .arg(to)
        .output()
        .unwrap()
}

#[test]
fn a_copy_that_is_made_under_load_holds_everything_acknowledged_before_it() {
    let place = Place::sqlite();
    let collector = Collector::start(&place, &[]);
    let mut worker = Worker::new(1);
    (0..20).for_each(|_| {
        (0..20).for_each(|_| worker.exchange());
        assert!(worker.send(collector.address));
    });
    let before = worker.acknowledged.clone();
    let directory = tempfile::tempdir().unwrap();
    let to = directory.path().join("audit.db");
    let done = AtomicBool::new(false);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                worker.exchange();
                worker.send(collector.address);
            }
        });
        let output = backup(&place.url(), &to);
        done.store(true, Ordering::SeqCst);
        output
    });
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains(" records, up to number "), "{output:?}");
    assert_eq!(std::fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);

    let copied = Place::Sqlite(directory);
    let copy = Collector::start(&copied, &[]);
    let records = copy.records();
    records.assert_whole();
    let kept: std::collections::BTreeSet<_> =
        records.of_workers().iter().map(|body| support::worker::id(body)).collect();
    assert!(before.is_subset(&kept), "{} of {}", kept.len(), before.len());
    // It can be searched, too, and goes on.
    let found =
        support::http::request(copy.address, "GET", "/api/exchanges?group=engineering&limit=1000", &[], b"");
    assert!(found.unwrap().json()["exchanges"].as_array().unwrap().len() >= 400);
    let mut other = Worker::new(2);
    other.exchange();
    assert!(other.send(copy.address));
    let _: Records = copy.records();
}

#[test]
fn what_cannot_be_copied_is_said_and_nothing_is_overwritten() {
    let place = Place::sqlite();
    let directory = tempfile::tempdir().unwrap();
    let there = directory.path().join("there.db");
    std::fs::write(&there, "precious").unwrap();
    let missing = format!("sqlite:{}", directory.path().join("missing.db").display());
    let new = directory.path().join("new.db");
    drop(Collector::start(&place, &[]));
    for (database, to, why) in [
        (place.url().as_str(), there.as_path(), "name a file that is not there"),
        (place.url().as_str(), Path::new("/no/such/folder/x.db"), "cannot make"),
        (missing.as_str(), new.as_path(), "unable to open"),
        ("postgres://x@127.0.0.1:1/x", new.as_path(), "pg_dump"),
    ] {
        let output = backup(database, to);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(1) && said.contains(why), "{why}: {said}");
        assert!(!new.exists(), "{why}");
    }
    assert_eq!(std::fs::read(&there).unwrap(), b"precious");
}
