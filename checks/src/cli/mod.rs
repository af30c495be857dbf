//! The command line.

mod actions;
mod arguments;
mod check;
mod crash;
mod end;
mod explain;
mod explore;
mod heal;
mod hosts;
mod lasting;
mod learn;
mod list;
mod matrix;
mod museum;
mod named;
mod out;
mod progress;
mod record;
mod replay;
mod selected;
mod show;
mod stated;
mod subject;
mod terminal;
mod traces;
mod usage;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::{ColorChoice, Parser, Subcommand};

use arguments::{FamilyArgument, SizeArgument, refuse_by_properties, refuse_with_subject};
pub use end::End;
use end::{INTERRUPTED, USAGE, in_a_line};
use lasting::{Lasting, default_threads};
use out::errln;
use subject::{AdapterOptions, SubjectArguments, Walking};

#[derive(Parser)]
#[command(
    name = "rollcall",
    version,
    about = "Checks membership changes, splits, merges and decommission in a Multi-Raft store",
    after_help = "Exit codes: 0 holds, 1 violated or diverged, 2 usage or bad input, 3 not conclusive."
)]
struct Arguments {
    /// Colours steps and divergences; `auto` does on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, default_value = "auto", value_name = "WHEN")]
    color: ColorChoice,
    #[command(subcommand)]
    command: Ask,
}

#[derive(Subcommand)]
enum Ask {
    /// Explores every scope to the end and replays every transition on the implementation
    Verify {
        /// A scenario: verifies its own scope, starting after its steps
        #[arg(value_name = "FILE", conflicts_with_all = ["family", "size", "scope"])]
        file: Option<PathBuf>,
        /// Only the scopes of this family
        #[arg(long)]
        family: Option<FamilyArgument>,
        /// Smoke takes seconds a scope, standard minutes, deep hours
        #[arg(long, default_value = "standard")]
        size: SizeArgument,
        /// Only the scopes whose name contains this
        #[arg(long)]
        scope: Option<String>,
        /// Prints one JSON object for each scope instead of a table
        #[arg(long)]
        json: bool,
        /// The number of threads
        #[arg(long, default_value_t = default_threads())]
        threads: usize,
        #[command(flatten)]
        lasting: Lasting,
        /// The most actions that healing may take (400 by default)
        #[arg(long, value_name = "ACTIONS")]
        heal_bound: Option<usize>,
        /// Switches this guard off on the implementation, to see a divergence; may be given more
        /// than once
        #[arg(long, value_name = "GUARD")]
        impl_without: Vec<String>,
        /// Stops after the first scope that fails
        #[arg(long)]
        fail_fast: bool,
        /// Prints how often each action fired and each reason was given, and where the time went
        #[arg(long)]
        details: bool,
        /// Writes the figures of this run into the tables of this page (`docs/results.md`)
        #[arg(long, value_name = "FILE", conflicts_with = "file")]
        results: Option<PathBuf>,
        /// Checks every disabled action in every state instead of reusing earlier refusals
        #[arg(long, alias = "every-probe")]
        every_refusal: bool,
        #[command(flatten)]
        walking: Walking,
        #[command(flatten)]
        subject: SubjectArguments,
    },
    /// Explores one scope with the model alone, and writes a violation as a trace
    Check {
        /// A scope (see `rollcall scopes`), or a scenario: its own scope, starting after its steps
        #[arg(value_name = "SCOPE|FILE")]
        scope: String,
        /// Switches this guard off (see `rollcall guards`)
        #[arg(long)]
        without: Option<String>,
        /// Judges only these properties or goals (by default all of the scope's)
        #[arg(long)]
        property: Vec<String>,
        /// Writes a violation here
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Heals every state of a deep scope as well
        #[arg(long, conflicts_with = "no_heal")]
        heal: bool,
        /// Does not check healing
        #[arg(long)]
        no_heal: bool,
        /// Prints one JSON object instead of text
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        sharing: hosts::SharingArguments,
        #[command(flatten)]
        lasting: Lasting,
    },
    /// Heals a file's last state, step by step, on the model and on the implementation
    Heal {
        /// A trace or scenario; `-` is standard input
        #[arg(value_name = "FILE")]
        path: PathBuf,
        /// Switches this guard off on the implementation, in addition to those that the file names
        #[arg(long, value_name = "GUARD")]
        without: Vec<String>,
    },
    /// Replays a trace or scenario, or a folder of them, on the implementation and on the model
    Replay {
        /// A file (`-` is standard input), or a folder with every file below it
        #[arg(value_name = "FILE|FOLDER")]
        path: PathBuf,
        /// Switches this guard off on the implementation; may be given more than once
        #[arg(long, value_name = "GUARD")]
        without: Vec<String>,
        /// Heals the file's last state as well
        #[arg(long)]
        heal: bool,
        /// Judges the file against its own header and verdict, as a folder's files are judged
        #[arg(long)]
        as_stated: bool,
        /// Writes the trace here, with every outcome and view (one file only)
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        #[command(flatten)]
        subject: SubjectArguments,
    },
    /// Lets the power fail at every write and every sync of a run: what is left must hold and heal
    Crash {
        /// A trace or scenario (`-` is standard input); without one, the exhibits at crash points
        #[arg(value_name = "FILE")]
        path: Option<PathBuf>,
        /// Switches this guard off on the implementation; without a file, shows only its exhibits
        #[arg(long, value_name = "GUARD")]
        without: Vec<String>,
    },
    /// Prints a trace in readable form
    Show {
        /// A trace, a scenario or a recorded run; `-` is standard input
        #[arg(value_name = "FILE")]
        path: PathBuf,
        /// Prints a Mermaid sequence diagram
        #[arg(long, conflicts_with = "html")]
        mermaid: bool,
        /// Prints one self-contained HTML page
        #[arg(long)]
        html: bool,
        /// Writes to this file instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Switches off each guard in turn: what breaks, after how many steps, and which check notices
    Museum {
        /// Only this guard
        guard: Option<String>,
        /// Runs every guard against every check, within bounds
        #[arg(long, conflicts_with = "out")]
        matrix: bool,
        /// Writes the traces here, one for each exhibit
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
        /// Prints one JSON object for each exhibit instead of a table
        #[arg(long)]
        json: bool,
        /// Prints the page `docs/museum.md`, from the traces under `traces/museum`
        #[arg(long, conflicts_with_all = ["guard", "matrix", "out", "json"])]
        markdown: bool,
        #[command(flatten)]
        walking: Walking,
        #[command(flatten)]
        subject: SubjectArguments,
    },
    /// Prints the handshake of another raft library's adapter, and tests the adapter in six situations with one right result
    Subject {
        /// The command of the adapter, for the shell
        #[arg(value_name = "CMD")]
        command: String,
        #[command(flatten)]
        how: AdapterOptions,
    },
    /// Lists the differences between raft libraries that are known to be harmless
    Dialects,
    /// Records a random run of the implementation, message by message
    Record {
        /// The seed of all random choices
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(..rollcall_traces::NUMBER_LIMIT))]
        seed: u64,
        /// The number of events before faults stop (by default the scenario's)
        #[arg(long)]
        events: Option<u64>,
        /// The scenario: which faults and changes happen
        #[arg(long, default_value = crate::network::DEFAULT)]
        scenario: String,
        /// Writes the run here
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Checks whether the model explains a recorded run
    Accept {
        /// A recorded run; `-` is standard input
        #[arg(value_name = "FILE")]
        path: PathBuf,
    },
    /// Explains a guard, reason, property, goal, scope, row or issue, or a pasted error message
    Explain {
        /// A name, `row 15`, `tikv#10595`, or a symptom: `meta corruption detected`, `缩容不掉`
        #[arg(required = true)]
        words: Vec<String>,
    },
    /// Serves the explorer: a page to step through a scope or a file, with verdicts and lessons
    Explore {
        /// The scope or file to begin with
        #[arg(value_name = "SCOPE|FILE", default_value = "three_voters_to_one_smoke")]
        scope: String,
        /// Switches this guard off
        #[arg(long, value_name = "GUARD")]
        without: Option<String>,
        /// The port on this machine; 0 takes a free one
        #[arg(long, default_value_t = 4070)]
        port: u16,
        /// The address to listen on; any but a loopback address lets other machines in
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
        host: std::net::IpAddr,
    },
    /// Teaches in twelve lessons: a story, a guess before the decisive step, the rule, an exercise
    Learn {
        /// The lesson's number; without one, all lessons are listed
        #[arg(value_name = "N", allow_negative_numbers = true, value_parser = learn::number)]
        number: Option<usize>,
        /// The language of the lesson
        #[arg(long, default_value = "en", value_name = "en|zh")]
        lang: learn::LanguageArgument,
        /// Judges this answer to the lesson's exercise, one action a line
        #[arg(long, value_name = "FILE", requires = "number")]
        answer: Option<PathBuf>,
    },
    /// Lists every action with its fields and an example
    Actions {
        /// Only actions whose name or text contains this
        part: Option<String>,
        /// Prints the page `docs/actions.md`
        #[arg(long)]
        markdown: bool,
    },
    /// Prints the JSON Schema of a line of a trace or scenario
    Schema,
    /// Lists the scopes, with the question of each
    Scopes,
    /// Writes a scope as trace files, for an implementation without an adapter
    Traces {
        /// A scope (see `rollcall scopes`)
        #[arg(value_name = "SCOPE")]
        scope: String,
        /// A new or empty folder
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
        /// What the traces cover together
        #[arg(long, value_name = "WHAT", default_value = "transitions")]
        cover: traces::CoverArgument,
        /// How a trace is written
        #[arg(long, default_value = "jsonl")]
        format: traces::FormatArgument,
        /// Writes at most this many traces and prints how many are left out
        #[arg(long, value_name = "TRACES")]
        most: Option<u64>,
        /// The number of threads
        #[arg(long, default_value_t = default_threads())]
        threads: usize,
    },
    /// Lists the guards, with the incident behind each
    Guards,
    /// Lists the properties and goals, with what each states
    Properties,
    /// Lists what a scenario's header may name under `must_reach` and `may_end`
    Situations,
}

/// Checks that `words` are a valid command line after the program's name.
///
/// # Errors
/// The usage error, as text.
pub fn parses(words: &[&str]) -> Result<(), String> {
    let words = std::iter::once(&"rollcall").chain(words);
    Arguments::try_parse_from(words).map(drop).map_err(|error| error.to_string())
}

/// Parses the command line, runs the command, and prints an error in one line.
pub fn run() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage::refused(&error),
    };
    if let Some(choice) = match arguments.color {
        ColorChoice::Auto => None,
        ColorChoice::Always => Some(anstream::ColorChoice::Always),
        ColorChoice::Never => Some(anstream::ColorChoice::Never),
    } {
        choice.write_global();
    }
    let _ = ctrlc::set_handler(|| {
        // A second interrupt ends the process at once.
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    });
    let ended = dispatch(arguments.command);
    let code = match ended {
        Ok(end) => end as u8,
        Err(error) => {
            errln!("rollcall: {}", in_a_line(&error));
            USAGE
        }
    };
    match out::unsaid() {
        Some(error) => {
            errln!("rollcall: standard output: {error}: the output is incomplete");
            ExitCode::from(if code == End::Holds as u8 { USAGE } else { code })
        }
        None => ExitCode::from(code),
    }
}

fn dispatch(ask: Ask) -> anyhow::Result<End> {
    match ask {
        Ask::Verify {
            file,
            family,
            size,
            scope,
            json,
            threads,
            lasting,
            heal_bound,
            every_refusal,
            impl_without,
            fail_fast,
            details,
            results,
            walking,
            subject,
        } => {
            if subject.is_by_properties() {
                refuse_by_properties(&[
                    (file.is_some(), "a file"),
                    (json, "--json"),
                    (results.is_some(), "--results"),
                    (every_refusal, "--every-refusal"),
                    (!impl_without.is_empty() && subject.is_asked(), "--impl-without and --subject"),
                ])?;
                let plans = verify::plans(family.map(Into::into), size.into(), scope.as_deref())?;
                let asked = subject.connected()?;
                return subject::verify_by_properties(
                    asked.as_ref(),
                    &impl_without,
                    &plans,
                    &walking,
                    threads,
                    fail_fast,
                );
            }
            walking.refuse_without_properties()?;
            if let Some(asked) = subject.connected()? {
                let unfit = [
                    (file.is_some(), "a file"),
                    (json, "--json"),
                    (!impl_without.is_empty(), "--impl-without"),
                    (results.is_some(), "--results"),
                ];
                refuse_with_subject(&unfit)?;
                let plans = verify::plans(family.map(Into::into), size.into(), scope.as_deref())?;
                let wanted = subject::Verify { threads: threads.max(1), every_refusal, fail_fast };
                return subject::verify(&asked, &plans, &wanted);
            }
            verify::run(&verify::Wanted {
                file,
                family: family.map(Into::into),
                size: size.into(),
                scope,
                json,
                threads: threads.max(1),
                lasting,
                heal_bound,
                every_refusal,
                lacking: impl_without,
                fail_fast,
                details,
                results,
            })
        }
        Ask::Check { scope, without, property, out, heal, no_heal, json, sharing, lasting } => {
            let heal = if no_heal { Some(false) } else { heal.then_some(true) };
            check::run(&check::Wanted {
                scope: &scope,
                without: without.as_deref(),
                properties: &property,
                out: out.as_deref(),
                json,
                heal,
                sharing: &sharing.sharing()?,
                lasting: &lasting,
            })
        }
        Ask::Heal { path, without } => replay::run(&replay::Wanted {
            path: &path,
            without: &without,
            out: None,
            heal: replay::Heal::Steps,
            as_stated: false,
        }),
        Ask::Replay { path, without, heal, as_stated, out, subject } => {
            if subject.is_by_properties() && !subject.is_asked() {
                anyhow::bail!("replay --by properties needs --subject");
            }
            let by_properties = subject.is_by_properties();
            if let Some(asked) = subject.connected()? {
                refuse_with_subject(&[
                    (!without.is_empty(), "--without"),
                    (heal, "--heal"),
                    (as_stated, "--as-stated"),
                    (out.is_some(), "--out"),
                ])?;
                return match by_properties {
                    true => subject::replay_by_properties(&asked, &path),
                    false => subject::replay(&asked, &path),
                };
            }
            let heal = if heal { replay::Heal::End } else { replay::Heal::No };
            let out = out.as_deref();
            replay::run(&replay::Wanted { path: &path, without: &without, out, heal, as_stated })
        }
        Ask::Crash { path: Some(path), without } => crash::one(&path, &without),
        Ask::Crash { path: None, without } => crash::exhibits(&without),
        Ask::Show { path, mermaid, html, out } => show::run(&path, mermaid, html, out.as_deref()),
        Ask::Museum { markdown: true, .. } => museum::say_page(),
        Ask::Museum { guard, matrix, out, json, walking, subject, .. } if subject.is_asked() => {
            refuse_with_subject(&[(matrix, "--matrix"), (out.is_some(), "--out"), (json, "--json")])?;
            let by_properties = subject.is_by_properties();
            match subject.connected()? {
                Some(asked) if by_properties => {
                    subject::museum_by_properties(&asked, guard.as_deref(), &walking)
                }
                Some(asked) => {
                    walking.refuse_without_properties()?;
                    subject::museum(&asked, guard.as_deref())
                }
                None => unreachable!("it was looked at"),
            }
        }
        Ask::Museum { subject, .. } if subject.is_by_properties() => {
            anyhow::bail!("museum --by properties needs --subject")
        }
        Ask::Subject { command, how } => subject::run(&command, &how),
        Ask::Dialects => subject::dialects(),
        Ask::Museum { guard, matrix: true, json, .. } => matrix::run(guard.as_deref(), json),
        Ask::Museum { guard, out, json, .. } => museum::run(guard.as_deref(), out.as_deref(), json),
        Ask::Record { seed, events, scenario, out } => record::record(&scenario, seed, events, &out),
        Ask::Accept { path } => record::judge(&path),
        Ask::Explain { words } => explain::run(&words),
        Ask::Explore { scope, without, port, host } => explore::run(&scope, without.as_deref(), host, port),
        Ask::Learn { number, lang, answer } => learn::run(number, lang.into(), answer.as_deref()),
        Ask::Actions { part, markdown } => actions::run(part.as_deref(), markdown),
        Ask::Schema => actions::say_schema(),
        Ask::Scopes => list::scopes(),
        Ask::Traces { scope, out, cover, format, most, threads } => {
            traces::write(&scope, &out, cover, format, most, threads)
        }
        Ask::Guards => list::guards(),
        Ask::Properties => list::properties(),
        Ask::Situations => list::situations(),
    }
}
