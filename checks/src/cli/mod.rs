//! The command line: what can be asked, and how it ends.

mod check;
mod lasting;
mod list;
mod lookup;
mod matrix;
mod museum;
mod named;
mod out;
mod progress;
mod record;
mod replay;
mod show;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use clap::{Parser, Subcommand, ValueEnum};

use lasting::Lasting;

/// How a command ended; the number is the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    /// Everything that was asked holds.
    Holds = 0,
    /// A property is violated, or two sides diverge.
    Violated = 1,
    /// A bound was hit: never claimed as "holds".
    NotConclusive = 3,
}

/// Set by Ctrl-C: what runs ends soon and says what it had covered.
pub(crate) static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

#[derive(Parser)]
#[command(
    name = "rollcall",
    version,
    about = "Checks that members leave and join a Multi-Raft cluster safely",
    after_help = "Exit codes: 0 holds, 1 violated or diverged, 2 usage or bad input, 3 not conclusive."
)]
struct Arguments {
    #[command(subcommand)]
    command: Ask,
}

#[derive(Subcommand)]
enum Ask {
    /// The main job: every scope exhausted, and every transition replayed on the implementation
    Verify {
        /// Only this subject
        #[arg(long)]
        family: Option<FamilyArgument>,
        /// How much is looked at
        #[arg(long, default_value = "standard")]
        size: SizeArgument,
        /// Only the scopes whose name contains this
        #[arg(long)]
        scope: Option<String>,
        /// One JSON object a scope instead of a table
        #[arg(long)]
        json: bool,
        /// Threads
        #[arg(long, default_value_t = default_threads())]
        threads: usize,
        #[command(flatten)]
        lasting: Lasting,
        /// The most actions that healing may take (400 by default)
        #[arg(long, value_name = "ACTIONS")]
        heal_bound: Option<usize>,
        /// Tries every probe in every state, though it was refused on the same parts before
        #[arg(long)]
        every_probe: bool,
    },
    /// One scope, model only; a violation is written as a trace
    Check {
        /// The scope; `rollcall scopes` lists them
        scope: String,
        /// A guard to drop; `rollcall guards` lists them
        #[arg(long)]
        without: Option<String>,
        /// Only these properties (all of the scope's by default)
        #[arg(long)]
        property: Vec<String>,
        /// Where a violation is written
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// One JSON object instead of words
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        lasting: Lasting,
    },
    /// A trace or scenario, or a folder of them, on the implementation and on the model
    Replay {
        /// The file or folder
        path: PathBuf,
        /// A guard to drop on the implementation; may be given more than once
        #[arg(long, value_name = "GUARD")]
        without: Vec<String>,
        /// Where the trace is written, with every outcome and view (one file only)
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// A trace for people
    Show {
        /// The file
        path: PathBuf,
        /// As a Mermaid sequence diagram
        #[arg(long, conflicts_with = "html")]
        mermaid: bool,
        /// As one self-contained HTML page
        #[arg(long)]
        html: bool,
        /// Where it is written instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Every guard dropped once: what breaks, how soon, who notices
    Museum {
        /// Only this guard
        guard: Option<String>,
        /// Every guard against every check: who kills whom, within bounds
        #[arg(long, conflicts_with = "out")]
        matrix: bool,
        /// Where the traces are written, one an exhibit
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
        /// One JSON object an exhibit instead of a table
        #[arg(long)]
        json: bool,
    },
    /// A seeded message-level run of the implementation, written down
    Record {
        /// From where all that is random is drawn
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..rollcall_traces::NUMBER_LIMIT))]
        seed: u64,
        /// Events before faults stop (the scenario's by default)
        #[arg(long)]
        events: Option<u64>,
        /// What happens to the cluster
        #[arg(long, default_value = "conf-change-snapshot-unreliable-recover")]
        scenario: String,
        /// Where the run is written
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// The model's verdict on a recorded run
    Accept {
        /// The run
        path: PathBuf,
    },
    /// The scopes, with the question that each asks
    Scopes,
    /// The guards, with the incident behind each
    Guards,
    /// The properties, with what each states
    Properties,
}

#[derive(Clone, Copy, ValueEnum)]
enum FamilyArgument {
    ConfChange,
    Split,
    Decommission,
}

#[derive(Clone, Copy, ValueEnum)]
enum SizeArgument {
    Smoke,
    Standard,
    Deep,
}

impl From<FamilyArgument> for rollcall_model::scopes::Family {
    fn from(family: FamilyArgument) -> Self {
        match family {
            FamilyArgument::ConfChange => Self::ConfChange,
            FamilyArgument::Split => Self::Split,
            FamilyArgument::Decommission => Self::Decommission,
        }
    }
}

impl From<SizeArgument> for rollcall_model::scopes::Size {
    fn from(size: SizeArgument) -> Self {
        match size {
            SizeArgument::Smoke => Self::Smoke,
            SizeArgument::Standard => Self::Standard,
            SizeArgument::Deep => Self::Deep,
        }
    }
}

fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Parses the command line, does what it says, and reports errors in a line.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let _ = ctrlc::set_handler(|| {
        // The second time the reader means it.
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
    match dispatch(arguments.command) {
        Ok(end) => ExitCode::from(end as u8),
        Err(error) => {
            eprintln!("rollcall: {}", in_a_line(&error));
            ExitCode::from(2)
        }
    }
}

/// The error with its causes, each said once.
fn in_a_line(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

fn dispatch(ask: Ask) -> anyhow::Result<End> {
    match ask {
        Ask::Verify { family, size, scope, json, threads, lasting, heal_bound, every_probe } => {
            verify::run(&verify::Wanted {
                family: family.map(Into::into),
                size: size.into(),
                scope,
                json,
                threads: threads.max(1),
                lasting,
                heal_bound,
                every_probe,
            })
        }
        Ask::Check { scope, without, property, out, json, lasting } => {
            check::run(&scope, without.as_deref(), &property, out.as_deref(), json, &lasting)
        }
        Ask::Replay { path, without, out } => replay::run(&path, &without, out.as_deref()),
        Ask::Show { path, mermaid, html, out } => show::run(&path, mermaid, html, out.as_deref()),
        Ask::Museum { guard, matrix: true, json, .. } => matrix::run(guard.as_deref(), json),
        Ask::Museum { guard, out, json, .. } => museum::run(guard.as_deref(), out.as_deref(), json),
        Ask::Record { seed, events, scenario, out } => record::record(&scenario, seed, events, &out),
        Ask::Accept { path } => record::judge(&path),
        Ask::Scopes => list::scopes(),
        Ask::Guards => list::guards(),
        Ask::Properties => list::properties(),
    }
}
