//! The files that the page was given: their scopes, and what they say about their steps. A link has
//! actions alone, so a file is found again by its scope and the steps that it shares with the link.

use std::sync::PoisonError;

use rollcall_model::{Guard, scopes};
use rollcall_traces::{Header, Language, Outcome, Scope, Step, Trace};
use serde::Serialize;

use super::shown::{Link, ServerState};
use super::{Steps, chinese, name_of};
use crate::lookup;

/// The most files whose notes are kept; scopes are always kept, because links name them.
const MOST_KEPT: usize = 64;

/// What a file becomes in a link.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    /// The name of its scope in links.
    pub(super) scope: String,
    /// Its dropped guards, those that the model has.
    pub(super) without: String,
    /// Its actions by name.
    pub(super) actions: Vec<String>,
    /// Why a guard that it drops cannot be dropped here.
    pub(super) unknown: Vec<String>,
}

/// A file with notes.
#[derive(Clone, Debug)]
pub(super) struct Noted {
    scope: String,
    header: Header,
    steps: Vec<(String, Step)>,
}

impl Noted {
    /// The number of steps that a link shares with it.
    fn shared(&self, steps: &Steps) -> usize {
        let is_same = |at: &usize| {
            let taken = steps.step(*at).map(|(action, _)| action);
            taken.is_some() && taken == self.steps.get(at - 1).map(|(_, step)| &step.action)
        };
        (1..=steps.len()).take_while(is_same).count()
    }
}

/// What the file behind a link says.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct FileNotes {
    /// Its title, its origin and what it assumes, one a line.
    about: Vec<String>,
    /// The notes of its steps, each with the step's number.
    steps: Vec<(usize, String)>,
}

impl ServerState {
    /// Adds a file.
    pub(super) fn take_in(&self, trace: &Trace) -> Taken {
        let header = &trace.header;
        // A scope with another question is still the same scope.
        let is_it = |plan: &scopes::ScopePlan| {
            plan.scope == Scope { question: plan.scope.question.clone(), ..header.scope.clone() }
        };
        let scope = match scopes::named(&header.scope.name).filter(is_it) {
            Some(plan) => plan.scope.name,
            None => self.name_of_scope(header),
        };
        let (known, unknown): (Vec<&str>, Vec<&str>) =
            header.without.iter().map(String::as_str).partition(|name| Guard::from_name(name).is_some());
        let steps: Vec<(String, Step)> = trace.steps.iter().map(noted).collect();
        let actions = steps.iter().map(|(name, _)| name.clone()).collect();
        self.note(Noted { scope: scope.clone(), header: Header { view: None, ..header.clone() }, steps });
        let unknown = unknown.into_iter().filter_map(|name| lookup::guard(name).err());
        Taken {
            scope,
            without: known.join(","),
            actions,
            unknown: unknown.map(|error| error.to_string()).collect(),
        }
    }

    fn name_of_scope(&self, header: &Header) -> String {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        let at = files.iter().position(|known| known.scope == header.scope).unwrap_or_else(|| {
            files.push(header.clone());
            files.len() - 1
        });
        if at == 0 { "file".to_string() } else { format!("file{}", at + 1) }
    }

    /// Keeps what the file says, if it says anything.
    fn note(&self, file: Noted) {
        let header = &file.header;
        let speaks = !header.title.is_empty()
            || !header.source.is_empty()
            || !header.assumptions.is_empty()
            || file.steps.iter().any(|(_, step)| !step.note.is_empty() || step.expect.is_some());
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|known| known.scope != file.scope || known.steps != file.steps);
        if speaks {
            noted.push(file);
        }
        if noted.len() > MOST_KEPT {
            noted.remove(0);
        }
    }

    /// The file with which a link's steps begin, and how many steps they share.
    fn file_of(&self, link: &Link, steps: &Steps) -> Option<(Noted, usize)> {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        let own = noted.iter().filter(|file| file.scope == link.scope);
        let shared = own.map(|file| (file, file.shared(steps))).filter(|(_, shared)| *shared > 0);
        // Of several the newest: who opened a file again means that one.
        shared.max_by_key(|(_, shared)| *shared).map(|(file, shared)| (file.clone(), shared))
    }

    /// What the file behind the link says, in the reader's language where Rollcall wrote it.
    pub(super) fn notes(&self, link: &Link, steps: &Steps) -> FileNotes {
        let Some((file, shared)) = self.file_of(link, steps) else { return FileNotes::default() };
        let (language, header) = (link.language(), &file.header);
        let title = (!header.title.is_empty()).then(|| header.title.clone());
        let mut about: Vec<String> = title.into_iter().collect();
        let (from, assumed) = match language {
            Language::English => ("from ", "assumed: "),
            Language::Chinese => ("来源：", "假定："),
        };
        if !header.source.is_empty() {
            about.push(format!("{from}{}", header.source));
        }
        about.extend(header.assumptions.iter().map(|words| format!("{assumed}{words}")));
        let notes = (1..).zip(&file.steps).take(shared).filter(|(_, (_, step))| !step.note.is_empty());
        FileNotes {
            about,
            steps: notes.map(|(at, (_, step))| (at, chinese::note(language, &step.note))).collect(),
        }
    }

    /// The link as a scenario. What the file behind it says is kept for the steps that are still
    /// its own; what it expects, too, where the rules are its own.
    pub(super) fn saved(&self, link: &Link) -> Result<String, String> {
        let (steps, _) = self.steps(link)?;
        let without: Vec<String> =
            steps.model().guards().dropped().map(|guard| guard.name().to_string()).collect();
        let file = self.file_of(link, &steps);
        let mut header = Header::new(steps.model().scope().clone());
        header.title = "Saved from the explorer".into();
        if let Some((file, shared)) = &file {
            header = Header { scope: header.scope, ..file.header.clone() };
            if *shared < file.steps.len() || *shared < steps.len() || file.header.without != without {
                // These are about the file's own last states.
                (header.must_reach, header.may_end) = (Vec::new(), Vec::new());
            }
        }
        let is_own = header.without == without;
        header.without = without;
        let taken = (1..=steps.len()).filter_map(|at| steps.step(at));
        let mut trace = Trace::scenario(header, taken.map(|(action, _)| action.clone()));
        for (at, step) in (1..).zip(&mut trace.steps) {
            let of_file = file.as_ref().filter(|(_, shared)| at <= *shared);
            if let Some((_, old)) = of_file.and_then(|(file, _)| file.steps.get(at - 1)) {
                step.note = old.note.clone();
                if is_own {
                    (step.expect, step.if_any) = (old.expect.clone(), old.if_any);
                }
            }
            // A scenario's step takes effect unless it says otherwise.
            if let Some((_, outcome @ Outcome::Refused(_))) = steps.step(at)
                && !step.if_any
            {
                step.outcome = Some(outcome.clone());
            }
        }
        trace.to_text().map_err(|error| error.to_string())
    }
}

/// The step by name, without what the model computes anew.
fn noted(step: &Step) -> (String, Step) {
    let (outcome, view, violated) = (None, None, Vec::new());
    (name_of(&step.action), Step { outcome, view, violated, ..step.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::server::trace_of;

    const NAME: &str = "../traces/scenarios/basic-conf-change.jsonl";

    fn opened(text: &str) -> (ServerState, Link) {
        let state = ServerState::default();
        let taken = state.take_in(&trace_of("a file", text).expect("a trace"));
        let (scope, without, actions) = (taken.scope, taken.without, taken.actions.join(";"));
        (state, Link { scope, without, actions, through: "1".into(), ..Link::default() })
    }

    fn scenario() -> String {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(NAME);
        std::fs::read_to_string(path).expect("a scenario")
    }

    /// What is saved from an opened file says what the file said, and is opened and saved alike.
    #[test]
    fn the_notes_of_a_file_are_kept() {
        let text = scenario();
        let (state, link) = opened(&text);
        let saved = state.saved(&link).expect("it is saved");
        let (before, after) = (trace_of("a", &text).expect("a"), trace_of("b", &saved).expect("b"));
        assert_eq!(before.header, after.header);
        let notes = |trace: &Trace| {
            let of = |step: &Step| (step.note.clone(), step.expect.clone());
            trace.steps.iter().map(of).collect::<Vec<_>>()
        };
        assert_eq!(notes(&before), notes(&after));
        assert!(before.steps.iter().filter(|step| !step.note.is_empty()).count() > 5);
        let (state, link) = opened(&saved);
        assert_eq!(state.saved(&link).as_deref(), Ok(saved.as_str()));
    }

    #[test]
    fn a_note_is_shown_at_its_step_and_ends_where_the_link_leaves_the_file() {
        let (state, mut link) = opened(&scenario());
        let (steps, _) = state.steps(&link).expect("steps");
        let notes = state.notes(&link, &steps);
        assert!(notes.about[0].starts_with("TestBasicConfChange3B"), "{:?}", notes.about);
        assert_eq!(notes.steps[0], (1, "store 1 is to lead".into()));
        link.actions = "campaign(region:1,store:1);crash(store:5)".into();
        let (steps, _) = state.steps(&link).expect("steps");
        assert_eq!(state.notes(&link, &steps).steps, [(1, "store 1 is to lead".into())]);
        let saved = trace_of("b", &state.saved(&link).expect("it is saved")).expect("b");
        assert_eq!((saved.steps[0].note.as_str(), saved.steps[1].note.as_str()), ("store 1 is to lead", ""));
        link.actions = "crash(store:5)".into();
        let (steps, _) = state.steps(&link).expect("steps");
        assert!(state.notes(&link, &steps).about.is_empty());
    }

    #[test]
    fn a_refused_step_is_saved_with_its_outcome() {
        let state = ServerState::default();
        let actions = "campaign(region:1,store:2);apply_snapshot(region:1,store:3);crash(store:1)";
        let scope = "three_voters_to_one_smoke".into();
        let link = Link { scope, actions: actions.into(), through: "1".into(), ..Link::default() };
        let saved = state.saved(&link).expect("it is saved");
        let again = trace_of("b", &saved).expect("it is opened again");
        assert_eq!(again.actions().map(name_of).collect::<Vec<_>>().join(";"), actions);
    }

    #[test]
    fn a_guard_that_nobody_has_is_named() {
        let text = scenario().replacen("\"without\":[]", "\"without\":[\"nope\",\"one_vote_a_term\"]", 1);
        let taken = ServerState::default().take_in(&trace_of("a file", &text).expect("a trace"));
        assert_eq!(taken.without, "one_vote_a_term");
        assert!(
            matches!(&taken.unknown[..], [one] if one.starts_with("unknown guard `nope`")),
            "{:?}",
            taken.unknown
        );
    }
}
