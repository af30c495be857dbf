//! `subject`, `dialects`, and `--subject` of other commands: another Raft library behind its
//! adapter.

mod judged;
mod museum;
mod replay;
mod schedules;
mod verify;
mod walks;

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use rollcall_model::{Dialect, GuardSet};
use rollcall_traces::{Divergence, Scope};

use super::end::End;
use super::out;
use super::out::outln;
use crate::subject::selftest::{OF_A_CLUSTER, OfACluster, SITUATIONS, Verdict, look, look_at_cluster};
use crate::subject::{Link, Recipe, decided, dialect};

pub(super) use museum::run as museum;
pub(super) use replay::run as replay;
pub(super) use schedules::{museum as museum_by_properties, replay as replay_by_properties};
pub(super) use verify::{Wanted as Verify, run as verify};
pub(super) use walks::{Walking, run as verify_by_properties};

/// How another Raft library is reached.
#[derive(Args)]
pub(super) struct SubjectArguments {
    /// Another Raft library instead of raft-rs: the shell command of its adapter
    #[arg(long, value_name = "CMD")]
    subject: Option<String>,
    /// How a subject is judged: every step equal to the model's, or by the properties alone
    #[arg(long, value_name = "WHAT", default_value = "equality")]
    by: By,
    #[command(flatten)]
    how: AdapterOptions,
}

/// How a subject is judged.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum By {
    Equality,
    Properties,
}

/// How to communicate with an adapter.
#[derive(Args)]
pub(super) struct AdapterOptions {
    /// How long to wait for an adapter's answer
    #[arg(long, value_name = "SECONDS", default_value_t = Recipe::TIMEOUT.as_secs_f64())]
    subject_timeout: f64,
    /// Writes every line to and from the adapter here
    #[arg(long, value_name = "FILE")]
    subject_log: Option<PathBuf>,
}

impl SubjectArguments {
    /// Whether another library is given.
    pub(super) fn is_asked(&self) -> bool {
        self.subject.is_some()
    }

    /// Whether only properties judge.
    pub(super) fn is_by_properties(&self) -> bool {
        self.by == By::Properties
    }

    /// The adapter, if one is given, after its handshake.
    pub(super) fn connected(&self) -> Result<Option<ConnectedSubject>> {
        self.subject.as_ref().map(|command| ConnectedSubject::of(command, &self.how)).transpose()
    }
}

/// An adapter after its handshake.
pub(super) struct ConnectedSubject {
    recipe: Recipe,
    link: Link,
    dialects: Vec<Dialect>,
}

impl ConnectedSubject {
    fn of(command: &str, how: &AdapterOptions) -> Result<Self> {
        let timeout = Duration::try_from_secs_f64(how.subject_timeout).ok().filter(|time| !time.is_zero());
        let Some(timeout) = timeout else {
            bail!("--subject-timeout {}: a number of seconds above 0", how.subject_timeout);
        };
        let log = match &how.subject_log {
            None => None,
            Some(path) => {
                let file = File::create(path).with_context(|| path.display().to_string())?;
                Some(Arc::new(Mutex::new(file)))
            }
        };
        let recipe = Recipe { timeout, log, ..Recipe::new(command) };
        let link = match Link::connect(&recipe) {
            Ok(link) => link,
            Err(fault) => bail!("{fault}"),
        };
        let spoken = link.handshake();
        let dialects = spoken.dialect.iter().filter_map(|name| dialect::named(name)).collect();
        Ok(Self { recipe, link, dialects })
    }

    /// The guards, translated into the subject's dialects.
    fn in_dialect(&self, guards: GuardSet) -> GuardSet {
        self.dialects.iter().fold(guards, |guards, dialect| guards.in_dialect(*dialect))
    }

    /// Equality suits only libraries of raft-rs's design.
    fn is_of_this_design(&self) -> Result<()> {
        let shaken = self.link.handshake();
        if self.link.is_of_a_world() {
            bail!("{} is of level `world`: judge it with `--by properties`", shaken.name);
        }
        if shaken.by_design.is_empty() {
            return Ok(());
        }
        let designs = shaken.by_design.join(" and ");
        bail!(
            "{} differs by design ({designs}; `rollcall dialects`): judge it with `--by properties`",
            shaken.name
        )
    }

    /// The subject, and the rules by which it is judged.
    fn introduction(&self) -> String {
        let shaken = self.link.handshake();
        let dialects = match shaken.dialect.as_slice() {
            [] => "in no dialect".to_string(),
            named => format!("in the dialect {}", named.join(", ")),
        };
        format!(
            "{} {}, level {}, judged {dialects}; has {}\n",
            shaken.name,
            shaken.version,
            shaken.level,
            shaken.has.join(", ")
        )
    }

    /// The subject, judged only by properties.
    fn introduction_by_properties(&self) -> String {
        let shaken = self.link.handshake();
        let has = shaken.has.join(", ");
        format!(
            "{} {}, level {}, judged by properties alone; has {has}\n",
            shaken.name, shaken.version, shaken.level
        )
    }

    /// A divergence with the subject's name, what decides the step, and the command that shows it
    /// again.
    fn reported(&self, divergence: &Divergence, scope: &Scope, guards: GuardSet, again: &str) -> Divergence {
        let mut reported = decided(divergence.clone(), scope, self.in_dialect(guards));
        reported.judged = Some(self.introduction().trim_end().into());
        reported.command = Some(self.again(again));
        reported
    }

    fn again(&self, rest: &str) -> String {
        format!("rollcall {rest} --subject '{}'", self.recipe.command.replace('\'', r"'\''"))
    }
}

/// `subject CMD`: the handshake and the adapter's self-test.
pub(super) fn run(command: &str, how: &AdapterOptions) -> Result<End> {
    let asked = ConnectedSubject::of(command, how)?;
    let mut text = asked.introduction();
    let (mut wrong, mut skipped) = (0, 0);
    let looked: Vec<(&str, &str, Verdict)> = if asked.link.is_of_a_world() {
        let look = |of: &OfACluster| (of.name, of.about, look_at_cluster(&asked.link, of));
        OF_A_CLUSTER.iter().map(look).collect()
    } else {
        SITUATIONS.iter().map(|of| (of.name, of.about, look(&asked.link, of))).collect()
    };
    let all = looked.len();
    for (name, about, verdict) in looked {
        let came = match verdict {
            Verdict::Fine => "fine".to_string(),
            Verdict::Skipped(lacks) => {
                skipped += 1;
                format!("skipped: it has no `{lacks}`")
            }
            Verdict::ByDesign(design) => {
                skipped += 1;
                format!("skipped: by design it has `{design}`")
            }
            Verdict::Wrong(words) => {
                wrong += 1;
                format!("WRONG: {words}")
            }
        };
        text += &format!("{name:<10} {about:<52} {came}\n");
    }
    let how = if asked.is_of_this_design().is_ok() { "" } else { ", `--by properties`" };
    text += &match wrong {
        0 => format!(
            "the adapter passes {} of {all} situations; check its Raft library with `museum` and `verify`{how}\n",
            all - skipped
        ),
        _ => format!("{wrong} of {all} situations are wrong: correct the adapter first\n"),
    };
    out::say(&text)?;
    Ok(match (wrong, skipped == all) {
        (0, true) => End::NotConclusive,
        (0, false) => End::Holds,
        _ => End::Violated,
    })
}

/// `dialects`: every known harmless difference.
pub(super) fn dialects() -> Result<End> {
    for dialect in Dialect::ALL {
        outln!("{dialect}");
        outln!("{}", out::wrapped(&format!("  {}", dialect.differs())).trim_end());
        outln!("{}", out::wrapped(&format!("  harmless: {}", dialect.reason())).trim_end());
    }
    for (design, differs) in dialect::DESIGNS {
        outln!("{design}");
        outln!("{}", out::wrapped(&format!("  {differs}")).trim_end());
        outln!("  by design, and no dialect: judged by properties alone");
    }
    Ok(End::Holds)
}
