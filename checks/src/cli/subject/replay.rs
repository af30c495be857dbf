//! `replay --subject`: traces and scenarios on another Raft library. Every step must equal the
//! model's.

use std::path::Path;

use anyhow::Result;
use rollcall_impl::{Decider, Guard};
use rollcall_traces::ReplayError;

use super::ConnectedSubject;
use super::judged::expected;
use crate::cli::end::End;
use crate::cli::end::{INTERRUPTED, in_a_line};
use crate::cli::named;
use crate::cli::out::{errln, outln};
use crate::cli::replay::{files_of, placed};
use crate::subject::needs::{lacking, needs};
use crate::subject::{replay_on, sides, world};

/// The result of one file.
enum Came {
    Agrees,
    Violates,
    Diverged,
    Skipped,
}

/// Replays a file, or every file of a folder.
pub(in crate::cli) fn run(subject: &ConnectedSubject, path: &Path) -> Result<End> {
    let files = if path.is_dir() { files_of(path)? } else { vec![path.to_path_buf()] };
    subject.is_of_this_design()?;
    outln!("{}", subject.introduction().trim_end());
    let (mut agree, mut violate, mut part, mut skipped, mut unread) = (0, 0, 0, 0, 0);
    for file in &files {
        if INTERRUPTED.load(std::sync::atomic::Ordering::SeqCst) {
            break;
        }
        match one(subject, file) {
            Ok(Came::Agrees) => agree += 1,
            Ok(Came::Violates) => violate += 1,
            Ok(Came::Diverged) => part += 1,
            Ok(Came::Skipped) => skipped += 1,
            Err(error) if files.len() == 1 => return Err(error),
            Err(error) => {
                unread += 1;
                errln!("rollcall: {}", in_a_line(&error));
            }
        }
    }
    let all = files.len();
    outln!(
        "{agree} of {all} agree to the end and violate nothing, {violate} agree and violate a property, {part} part, \
         {skipped} are skipped, {unread} cannot be read"
    );
    Ok(match () {
        () if part + violate + unread > 0 => End::Violated,
        () if agree == 0 => End::NotConclusive,
        () => End::Holds,
    })
}

fn one(subject: &ConnectedSubject, file: &Path) -> Result<Came> {
    let (scenario, named) = named::read(file)?;
    let name = file.display();
    let kept = named.guards.dropped().filter_map(|guard| Guard::from_name(guard.name()));
    if let Some(guard) = kept.into_iter().find(|guard| guard.decider() != Decider::Raft) {
        outln!("{name}: skipped: it drops `{guard}`, which a Raft library does not decide");
        return Ok(Came::Skipped);
    }
    let trace = match expected(subject, file, &scenario, &named)? {
        Ok(trace) => trace,
        Err(why) => {
            outln!("{name}: skipped: {why}");
            return Ok(Came::Skipped);
        }
    };
    let asks = needs(&trace.header.scope, trace.steps.iter().map(|step| &step.action));
    if let Some(lacks) = lacking(&subject.link, &asks) {
        outln!("{name}: skipped: {lacks}");
        return Ok(Came::Skipped);
    }
    match replay_on(&mut world(&subject.link), &trace, sides("model", &subject.link)) {
        Ok(replayed) => {
            let subject = &subject.link.handshake().name;
            outln!("{name}: {subject} agrees: {} steps, {} views compared", replayed.steps, replayed.views);
            let violated = trace.steps.iter().find_map(|step| Some((step.violated.first()?, step.index)));
            let Some((property, step)) = violated else { return Ok(Came::Agrees) };
            outln!("{name}: {subject} violates {property} at step {step}");
            Ok(Came::Violates)
        }
        Err(ReplayError::Diverged(divergence)) => {
            let again = format!("replay {name}");
            let reported = subject.reported(&divergence, &trace.header.scope, named.guards, &again);
            outln!("{name}:\n{}", super::super::terminal::divergence(&reported));
            Ok(Came::Diverged)
        }
        Err(error) => Err(placed(file, error)),
    }
}
