//! `verify --subject`: every transition of the scopes on another Raft library. Every step must
//! equal the model's.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Result, bail};
use rollcall_model::GuardSet;
use rollcall_model::scopes::ScopePlan;
use rollcall_traces::Divergence;

use super::ConnectedSubject;
use crate::cli::end::End;
use crate::cli::end::INTERRUPTED;
use crate::cli::out::{errln, grouped, outln};
use crate::conformance::{Conformance, Look, TourOptions};
use crate::subject::needs::{lacking, needs};
use crate::subject::tour;
use crate::verify::{Watch, explore};

/// What a tour of another Raft library checks, and the number of threads.
pub(in crate::cli) struct Wanted {
    pub(in crate::cli) threads: usize,
    pub(in crate::cli) every_refusal: bool,
    pub(in crate::cli) fail_fast: bool,
}

/// The totals of all scopes.
#[derive(Default)]
struct Total {
    transitions: u64,
    only_reached_after: u64,
    refusals: u64,
    steps: u64,
    seconds: f64,
    toured: usize,
    divergences: usize,
    unfinished: usize,
    skipped: Vec<String>,
}

/// Tours the scopes.
pub(in crate::cli) fn run(subject: &ConnectedSubject, plans: &[ScopePlan], wanted: &Wanted) -> Result<End> {
    subject.is_of_this_design()?;
    outln!("{}", subject.introduction().trim_end());
    let mut total = Total::default();
    for plan in plans {
        if INTERRUPTED.load(Ordering::SeqCst) {
            break;
        }
        let name = &plan.scope.name;
        if let Some(lacks) = lacking(&subject.link, &needs(&plan.scope, [])) {
            outln!("{name:<52} skipped: {lacks}");
            total.skipped.push(lacks);
            continue;
        }
        let toured = one(subject, plan, wanted, &mut total)?;
        if wanted.fail_fast && (toured.divergence.is_some() || !toured.divergences.is_empty()) {
            break;
        }
    }
    conclude(&total, plans.len());
    let is_whole = total.toured + total.skipped.len() == plans.len() && total.unfinished == 0;
    Ok(match () {
        () if total.divergences > 0 => End::Violated,
        () if total.toured == 0 || !is_whole => End::NotConclusive,
        () => End::Holds,
    })
}

fn one(
    subject: &ConnectedSubject,
    plan: &ScopePlan,
    wanted: &Wanted,
    total: &mut Total,
) -> Result<Conformance> {
    let name = &plan.scope.name;
    let model = plan.model(subject.in_dialect(GuardSet::ALL))?;
    let explored = explore(&model, wanted.threads, &Watch::default())?;
    let tour_options = TourOptions {
        look: Look::Everything,
        every_refusal: wanted.every_refusal,
        continues: true,
        threads: wanted.threads,
    };
    let began = Instant::now();
    let covered = AtomicU64::new(0);
    let toured = match tour(&subject.recipe, tour_options, &model, &explored, &INTERRUPTED, &covered) {
        Ok(toured) => toured,
        Err(fault) => bail!("{name}: {fault}"),
    };
    let seconds = began.elapsed().as_secs_f64();
    let divergences: u64 = toured.divergences.values().map(|divergences| divergences.times).sum();
    let differ = divergences + u64::from(toured.divergence.is_some());
    outln!(
        "{name:<52} {:>9} of {:>9} transitions compared, {differ} differ, {} reached only after them; {} disabled actions; {} steps in {seconds:.1} s",
        grouped(toured.transitions),
        grouped(explored.graph.edges().into()),
        grouped(toured.only_reached_after),
        grouped(toured.refusals),
        grouped(toured.steps)
    );
    for (guard, divergences) in &toured.divergences {
        let why =
            guard.map_or("which no missing guard explains".into(), |guard| format!("as without `{guard}`"));
        print(
            subject,
            plan,
            &format!("{} of them {why}; the shortest:", divergences.times),
            &divergences.shortest,
        );
    }
    if let Some(divergence) = &toured.divergence {
        print(subject, plan, "it diverges:", divergence);
    }
    total.transitions += toured.transitions;
    total.only_reached_after += toured.only_reached_after;
    total.refusals += toured.refusals;
    total.steps += toured.steps;
    total.seconds += seconds;
    total.toured += 1;
    total.divergences += usize::from(differ > 0);
    total.unfinished += usize::from(!toured.finished && toured.divergence.is_none());
    Ok(toured)
}

fn print(subject: &ConnectedSubject, plan: &ScopePlan, why: &str, divergence: &Divergence) {
    let again = format!("verify --size {} --scope {}", plan.size.name(), plan.scope.name);
    let recorded = subject.reported(divergence, &plan.scope, GuardSet::ALL, &again);
    outln!("  {why}");
    for line in recorded.to_string().lines() {
        outln!("    {line}");
    }
}

fn conclude(total: &Total, scopes: usize) {
    let rate = if total.seconds > 0.0 { total.steps as f64 / total.seconds } else { 0.0 };
    outln!(
        "{} of {scopes} scopes toured, {} of them diverge; {} transitions compared, {} reached only after a difference, {} disabled actions refused; \
         {rate:.0} steps a second",
        total.toured,
        total.divergences,
        grouped(total.transitions),
        grouped(total.only_reached_after),
        grouped(total.refusals)
    );
    if !total.skipped.is_empty() {
        outln!("{} scopes skipped", total.skipped.len());
    }
    if total.toured == 0 {
        errln!("nothing was compared, so this is no success");
    }
}
