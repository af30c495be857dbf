//! A scenario as in its file. A settle line stands for steps that the subject determines.

use std::io::BufRead;
use std::path::Path;

use crate::divergence::Sides;
use crate::expect::Expect;
use crate::file::{
    FilePosition, Header, PlacedLine, Reader, Record, SettleLine, Step, Trace, TraceError, Verdict,
};
use crate::outcome::{Outcome, Reason};
use crate::replay::{ReplayError, Replayer};
use crate::subject::Settler;

/// A settle that takes more steps than this does not end.
const LONGEST_SETTLING: usize = 10_000;

/// The content of a scenario or trace file, line by line.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The header.
    pub header: Header,
    first: PlacedLine,
    lines: Vec<Line>,
    /// The verdict; a scenario that a person wrote has none.
    pub verdict: Option<Verdict>,
}

#[derive(Clone, Debug)]
struct Line {
    /// The position of the action or settle.
    place: FilePosition,
    says: Says,
}

#[derive(Clone, Debug)]
enum Says {
    Step(Box<Step>),
    Settle(Box<SettleLine>),
}

impl Scenario {
    /// Reads a scenario or trace file; `-` is standard input.
    ///
    /// # Errors
    /// As [`Trace::read`].
    pub fn read(path: &Path) -> Result<Self, TraceError> {
        Self::collect(Reader::open(path)?)
    }

    /// Reads one from memory; `name` is what errors call it.
    ///
    /// # Errors
    /// As [`Trace::read`].
    pub fn parse(name: &str, text: &str) -> Result<Self, TraceError> {
        Self::collect(Reader::new(text.as_bytes(), name)?)
    }

    fn collect<R: BufRead>(mut reader: Reader<R>) -> Result<Self, TraceError> {
        let (mut lines, mut verdict, first) = (Vec::new(), None, reader.line());
        while let Some(record) = reader.next() {
            match record? {
                Record::Step(step) => {
                    lines.push(Line { place: reader.position_of("action"), says: Says::Step(step) });
                }
                Record::Settle(line) => {
                    lines.push(Line { place: reader.position_of("settle"), says: Says::Settle(line) });
                }
                Record::Verdict(reached) => verdict = Some(reached),
            }
        }
        Ok(Self { header: reader.into_header(), first, lines, verdict })
    }

    /// The position of the header's `field`.
    pub fn position_of(&self, field: &str) -> FilePosition {
        self.first.position_of(field)
    }

    /// Whether it has neither a step nor a settle.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Every property that the file states to be violated.
    pub fn stated(&self) -> impl Iterator<Item = &str> {
        let of_steps = self.lines.iter().flat_map(|line| match &line.says {
            Says::Step(step) => step.violated.as_slice(),
            Says::Settle(_) => &[],
        });
        of_steps
            .chain(self.verdict.iter().filter_map(|verdict| verdict.property.as_ref()))
            .map(String::as_str)
    }

    /// The expectations, line by line.
    pub fn expectations(&self) -> impl Iterator<Item = &Expect> {
        self.lines.iter().filter_map(|line| match &line.says {
            Says::Step(step) => step.expect.as_ref(),
            Says::Settle(settle) => settle.expect.as_ref(),
        })
    }

    /// The number of lines with a view, an expectation or an outcome.
    pub fn checks(&self) -> usize {
        let says = |line: &&Line| match &line.says {
            Says::Step(step) => step.expect.is_some() || step.outcome.is_some() || step.view.is_some(),
            Says::Settle(settle) => settle.expect.is_some(),
        };
        self.lines.iter().filter(says).count()
    }

    /// The scenario as a trace, if every step has its outcome and view.
    pub fn recorded(&self) -> Option<Trace> {
        let step = |line: &Line| match &line.says {
            Says::Step(step) if step.outcome.is_some() && step.view.is_some() => Some((**step).clone()),
            _ => None,
        };
        let steps = self.lines.iter().map(step).collect::<Option<Vec<_>>>()?;
        Some(Trace { header: self.header.clone(), steps, verdict: self.verdict.clone() })
    }

    /// Takes it on a subject and returns the steps, with settles written out. Only whether a step
    /// can be taken is checked.
    ///
    /// # Errors
    ///
    /// If a step cannot be taken, or a settle does not end.
    pub fn written_out<S: Settler>(&self, subject: &mut S, sides: Sides) -> Result<Trace, ReplayError> {
        self.take(Replayer::blind(subject, &self.header, sides)?)
    }

    /// The same, and the expectations are checked. If it ends early, it returns the steps so far,
    /// including the last, and the error: as [`crate::replay`], or because a settle with an
    /// expectation has nothing to do or does not end.
    ///
    /// # Errors
    ///
    /// If the scope is invalid.
    pub fn taken_as_far<S: Settler>(
        &self,
        subject: &mut S,
        sides: Sides,
    ) -> Result<(Trace, Option<ReplayError>), ReplayError> {
        let mut steps = Vec::new();
        let error = self.steps_on(Replayer::begin(subject, &self.header, sides)?, &mut steps).err();
        Ok((Trace { header: self.header.clone(), steps, verdict: self.verdict.clone() }, error))
    }

    fn take<S: Settler>(&self, replayer: Replayer<'_, S>) -> Result<Trace, ReplayError> {
        let mut steps = Vec::new();
        self.steps_on(replayer, &mut steps)?;
        Ok(Trace { header: self.header.clone(), steps, verdict: self.verdict.clone() })
    }

    fn steps_on<S: Settler>(
        &self,
        mut replayer: Replayer<'_, S>,
        steps: &mut Vec<Step>,
    ) -> Result<(), ReplayError> {
        for Line { place, says } in &self.lines {
            let placed = |error| placed(error, place);
            match says {
                Says::Step(step) => {
                    let index = steps.len() as u64 + 1;
                    steps.push(Step { index, ..(**step).clone() });
                    replayer.step(&steps[steps.len() - 1]).map_err(placed)?;
                }
                Says::Settle(line) => settle(&mut replayer, line, place, steps).map_err(placed)?,
            }
        }
        replayer.finish().map(|_| ())
    }
}

/// Takes the steps for which the line stands. If there are none, the expectation belongs to the
/// step before.
fn settle<S: Settler>(
    replayer: &mut Replayer<'_, S>,
    line: &SettleLine,
    place: &FilePosition,
    steps: &mut Vec<Step>,
) -> Result<(), ReplayError> {
    let malformed = |what: &str| TraceError::Malformed { at: place.clone(), what: what.into() };
    let before = steps.len();
    while let Some(action) = replayer.subject().next_to_settle(&line.settle) {
        if steps.len() == before + LONGEST_SETTLING {
            return Err(malformed("this does not settle").into());
        }
        let mut step = Step::new(steps.len() as u64 + 1, action);
        if steps.len() == before {
            step.note = line.note.clone();
        }
        replayer.step(&step)?;
        steps.push(step);
    }
    if line.expect.is_some() {
        let Some(last) = steps.last_mut().filter(|last| last.expect.is_none()) else {
            let what =
                "nothing is left to settle here, and the step before expects something: expect it there";
            return Err(malformed(what).into());
        };
        last.expect = line.expect.clone();
        replayer.check(last, Some(Outcome::DONE))?;
    }
    Ok(())
}

/// Adds the line number to an action that cannot be taken.
fn placed(mut error: ReplayError, place: &FilePosition) -> ReplayError {
    if let ReplayError::Refused { at, .. } = &mut error {
        at.place = Some(place.clone());
    }
    error
}

/// Whether [`Step::if_any`] allows this outcome.
pub(crate) fn had_nothing_to_do(outcome: &Outcome) -> bool {
    use Reason::{NoEffect, NoSnapshot, NothingHeld, NothingToApply, NothingToDo};
    matches!(outcome, Outcome::Refused(NoEffect | NoSnapshot | NothingHeld | NothingToApply | NothingToDo))
}
