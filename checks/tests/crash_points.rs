//! Runs whose machines fail at every write and every sync. Each exhibit dies at its crash point when
//! its guard is dropped, and with every guard no point of any run fails.

use std::path::{Path, PathBuf};

use rollcall_checks::crash_points::exhibits::{EXHIBITS, RUNS, read};
use rollcall_checks::crash_points::{Tried, run};
use rollcall_impl::Sound;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn each_exhibit_dies_at_its_crash_point() {
    for exhibit in EXHIBITS {
        let (dropped, sound) = exhibit.show(&root()).unwrap_or_else(|error| panic!("{error:#}"));
        println!("{}: {:?}\n  {:?}", exhibit.guard, dropped.failure, sound.tried);
        assert_eq!(exhibit.wrong(&dropped, &sound), Vec::<String>::new(), "{}", exhibit.guard);
    }
}

#[test]
fn every_run_holds_at_every_crash_point() {
    let mut tried = Tried::default();
    for file in RUNS {
        let trace = read(&root().join(file)).unwrap_or_else(|error| panic!("{error:#}"));
        let report = run(Sound, &trace).unwrap_or_else(|error| panic!("{file}: {error}"));
        println!("{file}: {}", report.tried);
        assert!(report.failure.is_none(), "{file}: {}", report.failure.expect("it is there"));
        assert_eq!(report.without_crash, None, "{file}");
        tried = tried.and(report.tried);
    }
    println!("{tried}");
    assert!(tried.points > 5_000 && tried.clusters > 2_000, "{tried}");
}
