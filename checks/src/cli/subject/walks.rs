//! `verify --by properties`: random walks of a subject, judged only by properties over its own
//! history.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use rollcall_impl::Lacking;
use rollcall_model::properties::Property;
use rollcall_model::scopes::ScopePlan;
use rollcall_traces::{Action, Budget, Scope, Trace};

use super::ConnectedSubject;
use crate::cli::end::{End, INTERRUPTED};
use crate::cli::out::{errln, grouped, outln};
use crate::cli::replay::guard_of;
use crate::random_walks::{Found, Walked, Walks, Wrong, trace_of as trace_of_found, walk};
use crate::subject::Link;
use crate::subject::needs::{lacking, lacking_of, needs_of, needs_to_begin};
use crate::subject::{SubjectCluster, caught, unwind};
use crate::world::World;

/// Walks of a scope by default.
const WALKS: u64 = 1_000;
const STEPS: usize = 60;

/// The settings of the walks.
#[derive(Args)]
pub(in crate::cli) struct Walking {
    /// With --by properties: the seed of the first walk; each further walk takes the next seed (1)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(..rollcall_traces::NUMBER_LIMIT))]
    seed: Option<u64>,
    /// With --by properties: the number of walks of each scope (1000)
    #[arg(long, value_name = "N")]
    walks: Option<u64>,
    /// With --by properties: the maximum number of steps of a walk (60)
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// With --by properties: starts no walk of a scope after this many seconds. Such a run cannot
    /// be repeated exactly; it prints how many walks it made
    #[arg(long, value_name = "N")]
    seconds: Option<f64>,
    /// With --by properties: multiplies every budget of a scope, and lets every store campaign (1)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    budgets: Option<u8>,
    /// With --by properties: writes each schedule found to this folder, as a trace
    #[arg(long, value_name = "FOLDER")]
    found: Option<PathBuf>,
}

impl Walking {
    /// None of these settings applies without `--by properties`.
    pub(in crate::cli) fn refuse_without_properties(&self) -> Result<()> {
        let given = [
            (self.seed.is_some(), "--seed"),
            (self.walks.is_some(), "--walks"),
            (self.steps.is_some(), "--steps"),
            (self.seconds.is_some(), "--seconds"),
            (self.budgets.is_some(), "--budgets"),
            (self.found.is_some(), "--found"),
        ];
        match given.iter().find(|(is_given, _)| *is_given) {
            Some((_, option)) => bail!("{option} needs --by properties"),
            None => Ok(()),
        }
    }

    /// The scope with enlarged budgets.
    fn widened(&self, plan: &ScopePlan) -> ScopePlan {
        let Some(times) = self.budgets.filter(|times| *times > 1) else { return plan.clone() };
        let mut plan = plan.clone();
        for budget in Budget::ALL {
            let count = plan.scope.budgets.count_mut(*budget);
            *count = count.saturating_mul(times);
        }
        plan.scope.campaigners.clear();
        plan
    }

    fn until(&self) -> Result<Option<Instant>> {
        let Some(seconds) = self.seconds else { return Ok(None) };
        let time = Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero());
        let Some(time) = time else { bail!("--seconds {seconds}: a number of seconds above 0") };
        Ok(Some(Instant::now() + time))
    }

    pub(super) fn of<'a>(
        &self,
        scope: &'a Scope,
        properties: &'a [Property],
        has: Has<'a>,
    ) -> Result<Walks<'a>> {
        Ok(Walks {
            scope,
            properties,
            seed: self.seed.unwrap_or(1),
            walks: self.walks.unwrap_or(WALKS),
            steps: self.steps.unwrap_or(STEPS),
            threads: 1,
            until: self.until()?,
            fail_fast: false,
            has,
        })
    }
}

pub(super) type Has<'a> = &'a (dyn Fn(&Action) -> bool + Sync);

/// The subject: another Raft library, or Rollcall's own store without some guards.
pub(super) enum Whom<'a> {
    Subject(&'a ConnectedSubject),
    Own(Vec<rollcall_impl::Guard>),
}

impl Whom<'_> {
    pub(super) fn walk(&self, walks: &Walks<'_>) -> Result<Walked> {
        match self {
            Whom::Own(lacking) => Ok(walk(walks, || World::new(Lacking(lacking)), &INTERRUPTED)),
            Whom::Subject(subject) => {
                let recipe = &subject.recipe;
                let begun = || match Link::connect(recipe) {
                    Ok(link) => SubjectCluster::by(&link),
                    Err(fault) => unwind(fault),
                };
                match caught(|| walk(walks, begun, &INTERRUPTED)) {
                    Ok(walked) => Ok(walked),
                    Err(fault) => bail!("{}: {fault}", walks.scope.name),
                }
            }
        }
    }

    fn trace_of(&self, scope: &Scope, found: &Found) -> Trace {
        match self {
            Whom::Own(lacking) => trace_of_found(scope, found, World::new(Lacking(lacking))),
            Whom::Subject(subject) => trace_of_found(scope, found, SubjectCluster::by(&subject.link)),
        }
    }

    /// Why the scope is skipped.
    fn lacks(&self, scope: &Scope) -> Option<String> {
        match self {
            Whom::Own(_) => None,
            Whom::Subject(subject) => lacking(&subject.link, &needs_to_begin(scope)),
        }
    }

    pub(super) fn has(&self) -> impl Fn(&Action) -> bool + Sync + use<> {
        let has = match self {
            Whom::Own(_) => None,
            Whom::Subject(subject) => Some(subject.link.handshake().has.clone()),
        };
        move |action: &Action| has.as_ref().is_none_or(|has| lacking_of(has, &needs_of(action)).is_none())
    }

    fn again(&self, rest: &str) -> String {
        match self {
            Whom::Own(lacking) => {
                let without = lacking.iter().map(|guard| format!(" --impl-without {guard}"));
                format!("rollcall {rest} --by properties{}", without.collect::<String>())
            }
            Whom::Subject(subject) => subject.again(&format!("{rest} --by properties")),
        }
    }
}

/// The totals of all scopes.
#[derive(Default)]
struct Total {
    walks: u64,
    steps: u64,
    refused: u64,
    seconds: f64,
    walked: usize,
    skipped: usize,
    cut: usize,
    violated: usize,
}

/// `verify --by properties`: walks the scopes.
pub(in crate::cli) fn run(
    subject: Option<&ConnectedSubject>,
    lacking: &[String],
    plans: &[ScopePlan],
    walking: &Walking,
    threads: usize,
    fail_fast: bool,
) -> Result<End> {
    let whom = match subject {
        Some(subject) => {
            outln!("{}", subject.introduction_by_properties().trim_end());
            Whom::Subject(subject)
        }
        None => {
            outln!("Rollcall's own store, judged by properties alone");
            Whom::Own(lacking.iter().map(|name| guard_of(name)).collect::<Result<_>>()?)
        }
    };
    if let Some(folder) = &walking.found {
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let has = whom.has();
    let mut total = Total::default();
    for plan in plans {
        if INTERRUPTED.load(Ordering::SeqCst) || (fail_fast && total.violated > 0) {
            break;
        }
        let plan = &walking.widened(plan);
        let name = &plan.scope.name;
        if let Some(lacks) = whom.lacks(&plan.scope) {
            outln!("{name:<44} skipped: {lacks}");
            total.skipped += 1;
            continue;
        }
        let walks =
            Walks { threads: threads.max(1), fail_fast, ..walking.of(&plan.scope, &plan.properties, &has)? };
        one(&whom, plan, &walks, walking, &mut total)?;
    }
    conclude(&total, plans.len(), walking);
    let whole = total.walked + total.skipped == plans.len() && !INTERRUPTED.load(Ordering::SeqCst);
    Ok(match () {
        () if total.violated > 0 => End::Violated,
        () if total.steps == 0 || !whole => End::NotConclusive,
        () => End::Holds,
    })
}

fn one(
    whom: &Whom<'_>,
    plan: &ScopePlan,
    walks: &Walks<'_>,
    walking: &Walking,
    total: &mut Total,
) -> Result<()> {
    let name = &plan.scope.name;
    let began = Instant::now();
    let walked = whom.walk(walks)?;
    let seconds = began.elapsed().as_secs_f64();
    if let Some(why) = &walked.not_begun {
        outln!("{name:<44} skipped: {why}");
        total.skipped += 1;
        return Ok(());
    }
    let never: Vec<&str> =
        plan.must_fire.iter().copied().filter(|kind| !walked.kinds.contains_key(kind)).collect();
    let never = if never.is_empty() { String::new() } else { format!("; never: {}", never.join(", ")) };
    outln!(
        "{name:<44} {:>6} walks, {:>9} steps, {:>9} refused, {} kinds of action in {seconds:.1} s{never}",
        grouped(walked.walks),
        grouped(walked.steps),
        grouped(walked.refused),
        walked.kinds.len()
    );
    for found in &walked.found {
        tell(whom, plan, walks, walking, found)?;
    }
    total.walks += walked.walks;
    total.steps += walked.steps;
    total.refused += walked.refused;
    total.seconds += seconds;
    total.walked += usize::from(walked.steps > 0);
    total.cut += usize::from(walks.until.is_some() && walked.walks < walks.walks);
    total.violated += usize::from(!walked.found.is_empty());
    Ok(())
}

fn tell(
    whom: &Whom<'_>,
    plan: &ScopePlan,
    walks: &Walks<'_>,
    walking: &Walking,
    found: &Found,
) -> Result<()> {
    let what = name_of(found.wrong);
    let (times, steps) = (found.times, found.way.len());
    match steps {
        0 => outln!("  {what} in {times} of the walks, in the scope's setup:"),
        _ => outln!(
            "  {what} in {times} of the walks; the shortest schedule has {steps} steps (of {}, seed {}):",
            found.before,
            found.seed
        ),
    }
    say_way(found);
    let size = plan.size.name();
    let budgets = walking.budgets.map_or(String::new(), |times| format!(" --budgets {times}"));
    let again = format!(
        "verify --size {size} --scope {} --seed {} --walks 1 --steps {}{budgets}",
        plan.scope.name, found.seed, walks.steps
    );
    outln!("    to see it again: {}", whom.again(&again));
    if let Some(folder) = &walking.found {
        let file = match found.wrong {
            Wrong::Violates(property) => format!("{}-{}.jsonl", plan.scope.name, property.name()),
            Wrong::Breaks => format!("{}-breaks.jsonl", plan.scope.name),
        };
        let path = folder.join(file);
        whom.trace_of(&plan.scope, found).write(&path)?;
        outln!("    written to {}", path.display());
    }
    Ok(())
}

fn say_way(found: &Found) {
    for (at, action) in found.way.iter().enumerate() {
        outln!("    {:>4} {action}", at + 1);
    }
    for line in found.words.lines() {
        outln!("    {line}");
    }
}

pub(super) fn name_of(wrong: Wrong) -> String {
    match wrong {
        Wrong::Violates(property) => format!("VIOLATES {}", property.name()),
        Wrong::Breaks => "BREAKS".into(),
    }
}

fn conclude(total: &Total, scopes: usize, walking: &Walking) {
    let rate = if total.seconds > 0.0 { total.steps as f64 / total.seconds } else { 0.0 };
    outln!(
        "{} of {scopes} scopes walked, {} skipped; {} walks, {} steps judged, {} actions refused; {} scopes violated; \
         {rate:.0} steps a second",
        total.walked,
        total.skipped,
        grouped(total.walks),
        grouped(total.steps),
        grouped(total.refused),
        total.violated
    );
    if let Some(seconds) = walking.seconds {
        outln!("{seconds} s for each scope: {} of them ended before all their walks", total.cut);
    }
    if total.steps == 0 && total.violated == 0 {
        errln!("nothing was judged, so this is no success");
    }
}
