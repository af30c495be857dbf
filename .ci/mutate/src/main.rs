//! Every mutant of the rules and of the stores in one build, one of them chosen when
//! a check is run. See `docs/mutants.md`.

mod rewrite;
mod run;
mod tree;
mod values;

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use run::Part;
use tree::Places;

const USAGE: &str = "usage: .ci/mutants \
    [build [TEST...] | baseline [NAME...] | run [--seed N] [--shard K/N] [--limit N] [--within SECONDS] [FILE...] | summary]";

fn main() -> Result<()> {
    let root = std::env::current_dir()?;
    ensure!(root.join("model/src/rules").is_dir(), "run it from the root of the repository");
    let places = Places::of(root);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("build") => tree::build(&places, &arguments[1..]),
        Some("baseline") => run::baseline(&places, &arguments[1..]),
        Some("run") => run::run(&places, &part(&arguments[1..])?),
        Some("summary") => summary(&places),
        None => {
            tree::build(&places, &[])?;
            run::baseline(&places, &[])?;
            run::run(&places, &part(&[])?)?;
            summary(&places)
        }
        _ => bail!(USAGE),
    }
}

fn part(arguments: &[String]) -> Result<Part> {
    let mut part = Part { seed: 1, shard: (0, 1), limit: usize::MAX, within: f64::MAX, files: vec![] };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--seed" => part.seed = value()?.parse()?,
            "--limit" => part.limit = value()?.parse()?,
            "--within" => part.within = value()?.parse()?,
            "--shard" => {
                let (shard, of) = value()?.split_once('/').context("a shard is K/N")?;
                part.shard = (shard.parse()?, of.parse()?);
                ensure!(part.shard.0 < part.shard.1, "a shard is K/N, with K from 0 to N-1");
            }
            option if option.starts_with('-') => bail!("no such option: {option}\n{USAGE}"),
            file => part.files.push(file.to_string()),
        }
    }
    Ok(part)
}

/// How many were noticed, by what, and which were not.
fn summary(places: &Places) -> Result<()> {
    let results = run::results(places)?;
    let mutants = run::listed(places)?;
    let mut lived = vec![];
    let mut seconds = 0.0;
    let mut sides = BTreeMap::<&str, [usize; 4]>::new();
    let mut by = BTreeMap::<String, usize>::new();
    for mutant in &mutants {
        let Some((end, check, took)) = results.get(&mutant.number) else { continue };
        seconds += took;
        let side = if mutant.place.starts_with("model/") { "model/src/rules" } else { "impl/src" };
        let counts = sides.entry(side).or_default();
        match end.as_str() {
            "killed" => counts[0] += 1,
            "timeout" => counts[1] += 1,
            "lived" => counts[2] += 1,
            _ => counts[3] += 1,
        }
        if matches!(end.as_str(), "lived" | "unreached") {
            lived.push(format!("{end:>9} {}", mutant.line.replace('\t', " ")));
        } else {
            let program = check.split(' ').take(2).collect::<Vec<_>>().join(" ");
            *by.entry(program).or_default() += 1;
        }
    }
    println!(
        "{} of {} mutants that compile were run, {:.1} s each",
        results.len(),
        mutants.len(),
        seconds / results.len().max(1) as f64
    );
    for (side, [killed, timeout, lived, unreached]) in sides {
        let all = killed + timeout + lived + unreached;
        let rate = 100.0 * (killed + timeout) as f64 / all as f64;
        println!(
            "{side}: {all} run, {killed} killed, {timeout} out of time, {lived} lived, \
             {unreached} never reached: {rate:.1} % noticed"
        );
    }
    for (program, count) in by {
        println!("{count:>6} noticed by {program}");
    }
    for line in lived {
        println!("{line}");
    }
    Ok(())
}
