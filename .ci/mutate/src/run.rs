//! Who notices: the checks, how long each takes, which mutants it comes by, and for
//! each mutant the first check that fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::tree::Places;

/// The crate whose tests are long: each test is a check of its own.
const LONG: &str = "checks";
/// So are these tests, wherever they are: seeded runs, thousands of them.
const LONG_TESTS: &[&str] = &["storm"];
/// They look at every scope together; each scope is a test besides.
const SPARED: &[&str] =
    &["the_families_cover_everything", "the_numbers_are_as_they_were", "every_smoke_scope_is_a_test"];
/// Files that `golden` and `peers` replay, all in one process; and tests of the explorer and
/// of `accept` themselves, which no rule decides.
const OTHERS: &[&str] = &[
    "scenarios/",
    "explorer::",
    "journal::",
    "second_answer::",
    "facts::",
    "files::",
    "splits::",
    "transfers::",
];

/// What a check may allocate, in KiB of address space: a mutant may never stop asking.
const MEMORY: &str = "8000000";

/// Something that passes without a mutant and may fail with one.
pub struct Check {
    pub name: String,
    folder: PathBuf,
    program: PathBuf,
    arguments: Vec<String>,
}

enum End {
    Passed,
    Failed(String),
    TimedOut,
}

impl Check {
    fn command(&self) -> Command {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", "ulimit -v \"$0\" && exec \"$@\"", MEMORY])
            .arg(&self.program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env("CARGO_MANIFEST_DIR", &self.folder)
            .env("INSTA_UPDATE", "no")
            .env("INSTA_FORCE_PASS", "0")
            .env("RUST_BACKTRACE", "0")
            .env("MIMALLOC_PURGE_DELAY", "-1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        command
    }

    /// Ended at its first failure, or when the time is up.
    fn run(&self, mut command: Command, limit: Duration) -> Result<End> {
        let mut child = command.spawn().with_context(|| self.program.display().to_string())?;
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (say, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if line.starts_with("test ") && line.ends_with("FAILED") {
                    let _ = say.send(line.trim_start_matches("test ").trim_end_matches("FAILED").to_string());
                }
            }
        });
        let end = match receiver.recv_timeout(limit) {
            Ok(line) => End::Failed(line.trim_end_matches([' ', '.']).to_string()),
            Err(mpsc::RecvTimeoutError::Timeout) => End::TimedOut,
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                let passed = child.wait()?.success();
                if passed { End::Passed } else { End::Failed(String::new()) }
            }
        };
        stop(&mut child);
        Ok(end)
    }
}

fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The checks of the tree that was built.
pub fn checks(places: &Places) -> Result<Vec<Check>> {
    let programs = fs::read_to_string(places.work.join("programs.tsv")).context("build first")?;
    let mut checks = vec![];
    for line in programs.lines() {
        let [name, folder, program] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
        let of = Path::new(folder).file_name().expect("a crate").to_string_lossy().into_owned();
        let check = |part: &str, arguments: Vec<String>| Check {
            name: format!("{of} {name}{part}"),
            folder: folder.into(),
            program: program.into(),
            arguments,
        };
        let listed =
            Command::new(program).args(["--list", "--format", "terse"]).current_dir(folder).output()?;
        let listed = String::from_utf8(listed.stdout)?;
        let tests = listed.lines().filter_map(|line| line.strip_suffix(": test"));
        let long = |test: &&str| of == LONG || LONG_TESTS.iter().any(|word| test.contains(word));
        let (alone, together): (Vec<&str>, Vec<&str>) = tests.partition(long);
        let one_thread = "--test-threads=1".to_string();
        for test in alone
            .iter()
            .filter(|test| !SPARED.contains(test) && !OTHERS.iter().any(|other| test.starts_with(other)))
        {
            checks
                .push(check(&format!(" {test}"), vec!["--exact".into(), (*test).into(), one_thread.clone()]));
        }
        if !together.is_empty() {
            let spared = alone.iter().flat_map(|test| ["--skip".to_string(), (*test).to_string()]);
            checks.push(check("", spared.chain([one_thread.clone()]).collect()));
        }
    }
    Ok(checks)
}

fn reached_path(places: &Places, check: &Check) -> PathBuf {
    places.work.join("checks").join(check.name.replace([' ', ':', '/'], "+"))
}

/// Every check without a mutant, or those whose names begin so: it passes, takes so long,
/// and comes by these.
pub fn baseline(places: &Places, names: &[String]) -> Result<()> {
    fs::create_dir_all(places.work.join("checks"))?;
    for check in checks(places)? {
        let path = reached_path(places, &check);
        let done = path.with_extension("seconds");
        let is_wanted = names.is_empty() || names.iter().any(|name| check.name.starts_with(name));
        if done.exists() || !is_wanted {
            continue;
        }
        let _ = fs::remove_file(&path);
        File::create(&path)?;
        let begun = Instant::now();
        let mut command = check.command();
        command.env("ROLLCALL_MUTANTS_REACHED", &path);
        let end = check.run(command, Duration::from_secs(3600))?;
        ensure!(matches!(end, End::Passed), "{} fails without any mutant", check.name);
        let seconds = begun.elapsed().as_secs_f64();
        fs::write(done, format!("{seconds:.2}\n"))?;
        println!("{seconds:>8.2} s {}", check.name);
    }
    Ok(())
}

struct TimedCheck {
    check: Check,
    seconds: f64,
    reached: BTreeSet<u32>,
}

/// First who notices much in a short time, going by what is known.
fn known(places: &Places, results: &BTreeMap<u32, (String, String, f64)>) -> Result<Vec<TimedCheck>> {
    let (mut all, mut missing) = (vec![], 0);
    for check in checks(places)? {
        let path = reached_path(places, &check);
        let Ok(seconds) = fs::read_to_string(path.with_extension("seconds")) else {
            missing += 1;
            continue;
        };
        let reached = fs::read_to_string(&path)?.lines().map(str::parse).collect::<Result<_, _>>()?;
        all.push(TimedCheck { check, seconds: seconds.trim().parse()?, reached });
    }
    if missing > 0 {
        eprintln!("{missing} checks have no baseline and are not asked");
    }
    let noticed = |known: &TimedCheck| {
        let by = |by: &&String| by.starts_with(&known.check.name);
        1.0 + results.values().map(|(_, check, _)| check).filter(by).count() as f64
    };
    all.sort_by_cached_key(|known| (1e6 * (known.seconds + 0.02) / noticed(known)) as u64);
    Ok(all)
}

/// A mutant that compiles, as the list has it.
pub struct Listed {
    pub number: u32,
    pub place: String,
    pub line: String,
}

pub fn listed(places: &Places) -> Result<Vec<Listed>> {
    let list = fs::read_to_string(places.work.join("mutants.tsv")).context("build first")?;
    let viable = list.lines().filter_map(|line| line.strip_suffix("\tviable"));
    viable
        .map(|line| {
            let mut columns = line.split('\t');
            let number = columns.next().expect("a number").parse()?;
            let place = columns.next().expect("a place").to_string();
            Ok(Listed { number, place, line: line.to_string() })
        })
        .collect()
}

/// What is known of each mutant: its number, how it ended, by which check.
pub fn results(places: &Places) -> Result<BTreeMap<u32, (String, String, f64)>> {
    let mut results = BTreeMap::new();
    let Ok(folder) = fs::read_dir(places.work.join("results")) else { return Ok(results) };
    for file in folder {
        for line in fs::read_to_string(file?.path())?.lines() {
            let [number, end, by, seconds] = line.split('\t').collect::<Vec<_>>()[..] else { continue };
            results.insert(number.parse()?, (end.to_string(), by.to_string(), seconds.parse()?));
        }
    }
    Ok(results)
}

/// What of the mutants is run.
pub struct Part {
    pub seed: u64,
    pub shard: (usize, usize),
    /// The first of the order.
    pub limit: usize,
    /// Only checks that take no more seconds than this: the others are for those that live.
    pub within: f64,
    /// Only of files whose path begins so.
    pub files: Vec<String>,
}

/// In an order drawn by the seed, one of the rules and one of the stores by turns.
fn drawn(mutants: Vec<Listed>, seed: u64) -> Vec<Listed> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let (rules, stores): (Vec<_>, Vec<_>) =
        mutants.into_iter().partition(|one| one.place.starts_with("model/"));
    let mut turns = vec![];
    for (side, mutants) in [rules, stores].into_iter().enumerate() {
        let mut keyed: Vec<(u64, Listed)> = mutants.into_iter().map(|one| (next(), one)).collect();
        keyed.sort_by_key(|(key, _)| *key);
        turns.extend(keyed.into_iter().enumerate().map(|(turn, (_, one))| (turn, side, one)));
    }
    turns.sort_by_key(|(turn, side, _)| (*turn, *side));
    turns.into_iter().map(|(.., one)| one).collect()
}

pub fn run(places: &Places, part: &Part) -> Result<()> {
    let done = results(places)?;
    let known = known(places, &done)?;
    let of_files =
        |one: &Listed| part.files.is_empty() || part.files.iter().any(|file| one.place.starts_with(file));
    println!("seed {}", part.seed);
    let order = drawn(listed(places)?, part.seed).into_iter().filter(of_files).enumerate();
    let (shard, of) = part.shard;
    let own = order.take(part.limit).filter(|(at, _)| at % of == shard).map(|(_, one)| one);
    fs::create_dir_all(places.work.join("results"))?;
    let path = places.work.join(format!("results/{shard}-of-{of}.tsv"));
    let mut file = File::options().create(true).append(true).open(path)?;
    // One that lived is asked again where there are checks now that it has not met.
    let is_done = |number: &u32| {
        done.get(number).is_some_and(|(end, by, _)| match end.as_str() {
            "lived" | "unreached" => *by == met(&known, *number, part.within),
            _ => true,
        })
    };
    for mutant in own.filter(|one| !is_done(&one.number)) {
        let begun = Instant::now();
        let before = done.get(&mutant.number).map(|(_, by, _)| by.as_str());
        let (end, by) = one(&known, mutant.number, part.within, before)?;
        let seconds = begun.elapsed().as_secs_f64();
        writeln!(file, "{}\t{end}\t{by}\t{seconds:.2}", mutant.number)?;
        println!("{end:>9} {seconds:>7.2} s {} [{by}]", mutant.line.replace('\t', " "));
    }
    Ok(())
}

fn reaching(known: &[TimedCheck], number: u32, within: f64) -> impl Iterator<Item = &TimedCheck> {
    known.iter().filter(move |known| known.reached.contains(&number) && known.seconds <= within)
}

/// How many checks come by a mutant, and how long the longest of them is.
fn met(known: &[TimedCheck], number: u32, within: f64) -> String {
    let longest = reaching(known, number, within).map(|known| known.seconds).fold(0.0, f64::max);
    format!("{} checks of up to {longest:.2} s", reaching(known, number, within).count())
}

/// How a mutant ends, and by which check: of those that come by it, without
/// those that it has met `before`.
fn one(known: &[TimedCheck], number: u32, within: f64, before: Option<&str>) -> Result<(&'static str, String)> {
    let longest = before.and_then(|before| before.strip_suffix(" s")?.rsplit(' ').next()?.parse().ok());
    let longest = longest.filter(|longest| before == Some(&*met(known, number, *longest))).unwrap_or(-1.0);
    for TimedCheck { check, seconds, .. } in reaching(known, number, within) {
        if *seconds <= longest {
            continue;
        }
        let mut command = check.command();
        command.env("ROLLCALL_MUTANT", number.to_string());
        // Other work on the machine is no reason to call a mutant noticed.
        let limit = Duration::from_secs_f64(5.0 + 10.0 * seconds);
        match check.run(command, limit)? {
            End::Passed => {}
            End::Failed(test) if test.is_empty() || check.name.ends_with(&test) => {
                return Ok(("killed", check.name.clone()));
            }
            End::Failed(test) => return Ok(("killed", format!("{} {test}", check.name))),
            End::TimedOut => return Ok(("timeout", check.name.clone())),
        }
    }
    let is_reached = known.iter().any(|known| known.reached.contains(&number));
    Ok((if is_reached { "lived" } else { "unreached" }, met(known, number, within)))
}
