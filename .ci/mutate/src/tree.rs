//! The tree that is built: the repository's files, the mutants put in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::rewrite::{Mutant, rewrite};

const MUTATED: [&str; 2] = ["impl", "model"];

/// Where everything of this tool lies, by the root of the repository.
pub struct Places {
    pub root: PathBuf,
    pub work: PathBuf,
    pub tree: PathBuf,
}

impl Places {
    pub fn of(root: PathBuf) -> Self {
        let work = root.join("target/mutants");
        Self { tree: work.join("tree"), work, root }
    }
}

/// The stores and the placement driver, and the rules of the model; neither what is for
/// tests alone nor what says which rule is dropped.
fn is_mutated(path: &str) -> bool {
    let of_rules = path.starts_with("impl/src/") || path.starts_with("model/src/rules/");
    let spared = path == "impl/src/guard.rs" || path.starts_with("impl/src/unsound");
    of_rules && path.ends_with(".rs") && !path.ends_with("/tests.rs") && !spared
}

/// One rewritten file, to find the mutant that an error is about.
struct Put {
    places: Vec<(u32, Range<usize>)>,
    inserted: Vec<(u32, Range<usize>)>,
}

struct Tree {
    mutants: Vec<Mutant>,
    files: BTreeMap<String, Put>,
    /// What goes to disk.
    texts: Vec<(PathBuf, Vec<u8>)>,
}

/// Only what differs, so that nothing is compiled in vain.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().expect("within the tree"))?;
    fs::write(path, bytes).with_context(|| path.display().to_string())
}

/// What the repository no longer has may not be compiled either: a module that was moved
/// would be there twice. What cargo builds stays.
fn sweep(folder: &Path, kept: &BTreeSet<&PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            sweep(&path, kept)?;
        } else if !kept.contains(&path) {
            fs::remove_file(&path).with_context(|| path.display().to_string())?;
        }
    }
    Ok(())
}

fn listed(root: &Path) -> Result<Vec<String>> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output()?;
    ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout)?;
    let wanted = |name: &&str| !name.is_empty() && !name.starts_with(".ci/");
    Ok(names.split('\0').filter(wanted).map(String::from).collect())
}

fn rewritten(places: &Places, left_out: &BTreeSet<u32>) -> Result<Tree> {
    let mut tree = Tree { mutants: vec![], files: BTreeMap::new(), texts: vec![] };
    for name in listed(&places.root)? {
        let from = places.root.join(&name);
        let mut bytes = fs::read(from).with_context(|| name.clone())?;
        if is_mutated(&name) {
            let first = tree.mutants.len() as u32 + 1;
            let text = String::from_utf8(bytes)?;
            let rewritten = rewrite(&name, &text, first, left_out).with_context(|| name.clone())?;
            bytes = rewritten.text.into_bytes();
            tree.mutants.extend(rewritten.mutants);
            let put = Put { places: rewritten.places, inserted: rewritten.inserted };
            tree.files.insert(name.clone(), put);
        }
        if MUTATED.iter().any(|of| name == format!("{of}/src/lib.rs")) {
            bytes.extend_from_slice(b"\nmod mutants;\n");
        }
        tree.texts.push((places.tree.join(&name), bytes));
    }
    for of in MUTATED {
        let switch = include_bytes!("../mutants.rs.in").to_vec();
        tree.texts.push((places.tree.join(of).join("src/mutants.rs"), switch));
    }
    Ok(tree)
}

/// Whether the list on disk was made of these very sources.
fn same_sources(places: &Places) -> Result<bool> {
    let Ok(list) = fs::read_to_string(places.work.join("mutants.tsv")) else { return Ok(false) };
    let known = list.lines().filter_map(|line| line.rsplit_once('\t')).map(|(mutant, _)| mutant);
    let now = rewritten(places, &BTreeSet::new())?.mutants;
    Ok(known.eq(now.iter().map(columns)))
}

fn columns(mutant: &Mutant) -> String {
    let Mutant { number, file, line, function, what } = mutant;
    format!("{number}\t{file}:{line}\t{function}\t{what}")
}

/// cargo's messages.
fn cargo(places: &Places, arguments: &[&str]) -> Result<(bool, Vec<Value>)> {
    let run = Command::new("cargo")
        .args(arguments)
        .arg("--message-format=json")
        .current_dir(&places.tree)
        .env_remove("CARGO_TARGET_DIR")
        .env("CARGO_INCREMENTAL", "0")
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        // No mutant is in there: built in an eighth of the time, the checks take twice as long.
        .args(["--config", "profile.dev.package.rollcall-checks.opt-level=0"])
        .stderr(Stdio::inherit())
        .output()?;
    let lines = String::from_utf8(run.stdout)?;
    let messages = lines.lines().filter(|line| line.starts_with('{')).map(serde_json::from_str);
    Ok((run.status.success(), messages.collect::<Result<_, _>>()?))
}

/// The mutants that an error is about: what it points at was put there by them, or else
/// the smallest around it, or those within it.
fn blamed(tree: &Tree, message: &Value) -> BTreeSet<u32> {
    let spans = message["message"]["spans"].as_array().map_or(&[][..], Vec::as_slice);
    for wanted in [true, false] {
        for span in spans.iter().filter(|span| span["is_primary"] == Value::Bool(wanted)) {
            let (Some(file), Some(start), Some(end)) =
                (span["file_name"].as_str(), span["byte_start"].as_u64(), span["byte_end"].as_u64())
            else {
                continue;
            };
            let Some(put) = tree.files.get(file) else { continue };
            let span = start as usize..end as usize;
            let by_text = |(_, text): &&(u32, Range<usize>)| text.start <= span.start && span.end <= text.end;
            let found: BTreeSet<u32> =
                put.inserted.iter().filter(by_text).map(|(number, _)| *number).collect();
            if !found.is_empty() {
                return found;
            }
            let around = put.places.iter().filter(|(_, at)| at.start <= span.start && span.end <= at.end);
            if let Some((_, smallest)) = around.min_by_key(|(_, at)| at.len()) {
                let same = put.places.iter().filter(|(_, at)| at == smallest);
                return same.map(|(number, _)| *number).collect();
            }
            let within = put.places.iter().filter(|(_, at)| span.start <= at.start && at.end <= span.end);
            let found: BTreeSet<u32> = within.map(|(number, _)| *number).collect();
            if !found.is_empty() {
                return found;
            }
        }
    }
    BTreeSet::new()
}

/// Lays out the tree, drops what does not compile, and builds the tests: of `checks` the
/// `wanted`, or all.
pub fn build(places: &Places, wanted: &[String]) -> Result<()> {
    fs::create_dir_all(&places.work)?;
    let remembered = places.work.join("unviable.txt");
    let mut left_out = BTreeSet::new();
    // What did not compile for the same list does not now.
    if same_sources(places)? {
        let numbers = fs::read_to_string(&remembered)?;
        left_out = numbers.lines().map(str::parse).collect::<Result<_, _>>()?;
    }
    let tree = loop {
        let tree = rewritten(places, &left_out)?;
        for (path, bytes) in &tree.texts {
            write(path, bytes)?;
        }
        let kept = tree.texts.iter().map(|(path, _)| path).collect();
        for of in ["traces", "model", "impl", "checks"] {
            sweep(&places.tree.join(of), &kept)?;
        }
        let (compiles, messages) = cargo(places, &["check", "-p", "rollcall-impl", "-p", "rollcall-model"])?;
        if compiles {
            break tree;
        }
        let is_error = |message: &&Value| message["message"]["level"] == "error";
        let mut new = BTreeSet::new();
        for error in messages.iter().filter(is_error) {
            let blamed = blamed(&tree, error);
            let aborts = error["message"]["spans"].as_array().is_none_or(Vec::is_empty);
            if blamed.is_empty() && !aborts {
                bail!("no mutant is to blame: {}", error["message"]["rendered"].as_str().unwrap_or_default());
            }
            new.extend(blamed);
        }
        ensure!(!new.is_subset(&left_out), "it does not compile, and nothing is left to leave out");
        eprintln!("{} mutants do not compile", new.len());
        left_out.extend(new);
    };
    let line = |mutant: &Mutant| {
        let viable = if left_out.contains(&mutant.number) { "unviable" } else { "viable" };
        format!("{}\t{viable}\n", columns(mutant))
    };
    let list: String = tree.mutants.iter().map(line).collect();
    let path = places.work.join("mutants.tsv");
    if fs::read_to_string(&path).is_ok_and(|old| old != list) {
        eprintln!("the mutants are others than before: earlier results are put aside");
        for name in ["results", "checks"] {
            let aside = places.work.join(format!("{name}.old"));
            let _ = fs::remove_dir_all(&aside);
            let _ = fs::rename(places.work.join(name), aside);
        }
    }
    fs::write(path, list)?;
    fs::write(remembered, left_out.iter().map(|number| format!("{number}\n")).collect::<String>())?;
    println!("{} mutants, {} of them compile", tree.mutants.len(), tree.mutants.len() - left_out.len());
    tests(places, wanted)
}

/// The tests of the crates themselves, without those of the model that compare the rules
/// with themselves: in the compact state and over a view.
const OWN: &[&str] = &["store", "pd", "running", "raft_facts", "checking"];
/// What comes behind them: the tests within the crates, and those of `checks` that ask
/// what a step does; the others look at the repository.
const ASKING: &[&str] = &["lib", "smoke", "scenarios", "peers", "golden", "accept", "exhibits", "files"];

/// Builds the tests, and writes down which programs they are.
fn tests(places: &Places, wanted: &[String]) -> Result<()> {
    let mut programs = String::new();
    // The packages are the same each time, or cargo would build what they need with other features.
    let packages =
        ["test", "--no-run", "-p", "rollcall-impl", "-p", "rollcall-model", "-p", "rollcall-checks"];
    let asking = ASKING.iter().filter(|name| wanted.is_empty() || wanted.iter().any(|one| one == *name));
    // The smaller ones can be asked while the others are built.
    for tests in [OWN.to_vec(), asking.copied().collect()] {
        let tests =
            tests.iter().flat_map(|test| if *test == "lib" { vec!["--lib"] } else { vec!["--test", test] });
        let arguments: Vec<&str> = packages.into_iter().chain(tests).collect();
        let (compiles, messages) = cargo(places, &arguments)?;
        if !compiles {
            for message in &messages {
                eprint!("{}", message["message"]["rendered"].as_str().unwrap_or_default());
            }
            bail!("the tests do not compile");
        }
        for message in &messages {
            let Some(program) = message["executable"].as_str() else { continue };
            let (Some(name), Some(manifest)) =
                (message["target"]["name"].as_str(), message["manifest_path"].as_str())
            else {
                continue;
            };
            if message["profile"]["test"] == true {
                let folder = Path::new(manifest).parent().expect("a folder");
                programs.push_str(&format!("{name}\t{}\t{program}\n", folder.display()));
            }
        }
        fs::write(places.work.join("programs.tsv"), &programs)?;
    }
    Ok(())
}
