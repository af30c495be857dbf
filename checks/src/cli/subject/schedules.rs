//! `museum` and `replay` with `--by properties`: schedules of exhibits and files, judged only by
//! properties over the subject's own history.

use std::path::Path;
use std::sync::atomic::Ordering;

use anyhow::Result;
use rollcall_model::properties::Property;
use rollcall_traces::Action;

use super::ConnectedSubject;
use super::judged::stated;
use super::museum::{KEPT, trace_of};
use super::walks::{Walking, Whom, name_of};
use crate::cli::end::{End, INTERRUPTED, in_a_line};
use crate::cli::named;
use crate::cli::out::{errln, grouped, outln};
use crate::cli::replay::files_of;
use crate::lookup;
use crate::museum::{Harm, PIECES, Piece};
use crate::random_walks::{Walks, judge};
use crate::subject::SubjectCluster;
use crate::subject::exhibits::is_decided_by_raft;
use crate::subject::needs::{lacking, needs_to_begin};

/// `museum --by properties`: each exhibit's own schedule, then random walks of its scope.
pub(in crate::cli) fn museum(
    subject: &ConnectedSubject,
    guard: Option<&str>,
    walking: &Walking,
) -> Result<End> {
    guard.map(lookup::any_guard).transpose()?;
    outln!("{}", subject.introduction_by_properties().trim_end());
    let is_asked = |piece: &&Piece| match guard {
        Some(name) => piece.guard.name() == name,
        None => is_decided_by_raft(piece),
    };
    let (mut shown, mut not_shown, mut skipped) = (0, 0, 0);
    for piece in PIECES.iter().filter(is_asked) {
        if INTERRUPTED.load(Ordering::SeqCst) {
            outln!("interrupted");
            return Ok(End::NotConclusive);
        }
        let name = piece.name();
        let said = match exhibit(subject, piece, walking)? {
            Came::Shown(words) => {
                shown += 1;
                format!("{words}\n{:<48} {}", "", piece.guard.incident())
            }
            Came::NotShown(words) => {
                not_shown += 1;
                words
            }
            Came::Skipped(why) => {
                skipped += 1;
                format!("skipped: {why}")
            }
        };
        outln!("{name:<48} {said}");
    }
    outln!("{shown} exhibits show a violation, {not_shown} do not, {skipped} are skipped");
    Ok(match () {
        () if shown > 0 => End::Violated,
        () if not_shown == 0 => End::NotConclusive,
        () => End::Holds,
    })
}

enum Came {
    Shown(String),
    NotShown(String),
    Skipped(String),
}

fn exhibit(subject: &ConnectedSubject, piece: &Piece, walking: &Walking) -> Result<Came> {
    let Harm::Safety(_) = piece.harm else {
        return Ok(Came::Skipped("it breaks a goal, and a subject is not healed".into()));
    };
    let path = Path::new(KEPT).join(format!("{}.jsonl", piece.name()));
    let Some(trace) = trace_of(piece, &path)? else {
        return Ok(Came::Skipped("its trace was not found".into()));
    };
    let scope = &trace.header.scope;
    if let Some(lacks) = lacking(&subject.link, &needs_to_begin(scope)) {
        return Ok(Came::Skipped(lacks));
    }
    let whom = Whom::Subject(subject);
    let has = whom.has();
    let properties: Vec<Property> =
        trace.header.properties.iter().filter_map(|name| Property::from_name(name)).collect();
    let walks = walking.of(scope, &properties, &has)?;
    let way: Vec<Action> = trace.actions().filter(|action| has(action)).cloned().collect();
    let (along, wrong) = match judge(&walks, SubjectCluster::by(&subject.link), &way) {
        Ok(judged) => judged,
        Err(why) => return Ok(Came::Skipped(why)),
    };
    if let Some((wrong, step, words)) = wrong {
        let again = subject.again(&format!("replay {} --by properties", path.display()));
        let words = words.lines().next().unwrap_or_default();
        return Ok(Came::Shown(format!(
            "{} at step {step}: {words}\n{:<48} to see it: {again}",
            name_of(wrong),
            ""
        )));
    }
    let walked = whom.walk(&walks)?;
    match walked.found.first() {
        Some(found) => Ok(Came::Shown(format!(
            "{} at random, in {} steps (seed {}): {}",
            name_of(found.wrong),
            found.way.len(),
            found.seed,
            found.words.lines().next().unwrap_or_default()
        ))),
        None if along.steps + walked.steps == 0 => Ok(Came::Skipped("it takes no step of its scope".into())),
        None => Ok(Came::NotShown(format!(
            "not shown: it takes {} of the {} steps, and {} at random in {} walks",
            along.steps,
            trace.steps.len(),
            grouped(walked.steps),
            grouped(walked.walks)
        ))),
    }
}

/// `replay --by properties`: the actions of files, as far as the subject takes them.
pub(in crate::cli) fn replay(subject: &ConnectedSubject, path: &Path) -> Result<End> {
    let files = if path.is_dir() { files_of(path)? } else { vec![path.to_path_buf()] };
    outln!("{}", subject.introduction_by_properties().trim_end());
    let (mut hold, mut violate, mut skipped, mut unread) = (0, 0, 0, 0);
    for file in &files {
        if INTERRUPTED.load(Ordering::SeqCst) {
            break;
        }
        let name = file.display();
        match along(subject, file) {
            Ok(Came::Shown(words)) => {
                violate += 1;
                outln!("{name}: {words}");
            }
            Ok(Came::NotShown(words)) => {
                hold += 1;
                outln!("{name}: {words}");
            }
            Ok(Came::Skipped(why)) => {
                skipped += 1;
                outln!("{name}: skipped: {why}");
            }
            Err(error) if files.len() == 1 => return Err(error),
            Err(error) => {
                unread += 1;
                errln!("rollcall: {}", in_a_line(&error));
            }
        }
    }
    outln!(
        "of {} files {hold} violate nothing, {violate} do, {skipped} are skipped, {unread} cannot be read",
        files.len()
    );
    Ok(match () {
        () if violate + unread > 0 => End::Violated,
        () if hold == 0 => End::NotConclusive,
        () => End::Holds,
    })
}

fn along(subject: &ConnectedSubject, file: &Path) -> Result<Came> {
    let (scenario, named) = named::read(file)?;
    let trace = stated(file, &scenario, &named)?;
    let scope = &trace.header.scope;
    let asks = needs_to_begin(scope);
    if let Some(lacks) = lacking(&subject.link, &asks) {
        return Ok(Came::Skipped(lacks));
    }
    let has = Whom::Subject(subject).has();
    let way: Vec<Action> = trace.actions().filter(|action| has(action)).cloned().collect();
    let left_out = trace.steps.len() - way.len();
    let properties = if named.properties.is_empty() { Property::ALL.to_vec() } else { named.properties };
    let walks = Walks {
        scope,
        properties: &properties,
        seed: 0,
        walks: 0,
        steps: 0,
        threads: 1,
        until: None,
        fail_fast: true,
        has: &has,
    };
    let (walked, wrong) = match judge(&walks, SubjectCluster::by(&subject.link), &way) {
        Ok(judged) => judged,
        Err(why) => return Ok(Came::Skipped(why)),
    };
    let counted = format!("{} steps judged, {} refused, {left_out} left out", walked.steps, walked.refused);
    Ok(match wrong {
        Some((wrong, step, words)) => {
            Came::Shown(format!("{} at step {step}: {words} ({counted})", name_of(wrong)))
        }
        None if walked.steps == 0 => Came::Skipped(format!("it takes none of its steps ({counted})")),
        None => Came::NotShown(format!("violates nothing: {counted}")),
    })
}
