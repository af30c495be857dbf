//! The code that decides a step: a file of the model and a function of the implementation, by
//! action, by reason and by guard.
//!
//! Guards and reasons are looked up in what `build.rs` reads from the sources. The functions that
//! take an action are named here; a test checks that each exists.

use rollcall_model::Guard;
use rollcall_traces::{Action, Command, Divergence, Outcome, Outgoing, PlaceNote, Reason};

/// A token of the sources, the file, and the function around it.
const PLACES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/places.rs"));

/// The doc comment of each `Reason` and `StuckReason`: type, name, words.
const MEANINGS: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/meanings.rs"));

fn meaning(of: &str, name: &str) -> &'static str {
    let is = |(kind, named, _): &&(&str, &str, &str)| *kind == of && *named == name;
    MEANINGS.iter().find(is).map_or("", |(_, _, words)| words)
}

/// What a reason means, from its doc comment.
pub(crate) fn meaning_of_reason(reason: Reason) -> &'static str {
    meaning("Reason", &reason.to_string())
}

/// What the stuck reason of that name means, from its doc comment.
pub(crate) fn meaning_of_stuck_reason(name: &str) -> &'static str {
    meaning("StuckReason", name)
}

/// The file that states the property of that name.
pub(crate) fn of_property(name: &str) -> Vec<CodePlace> {
    of_token(&format!("fn::{name}"))
}

/// A file and a function in it; no function means the whole file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CodePlace {
    /// The file, relative to the repository's root.
    pub(crate) file: &'static str,
    /// The function.
    pub(crate) function: &'static str,
}

impl std::fmt::Display for CodePlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.function {
            "" => f.write_str(self.file),
            function => write!(f, "{}: {function}", self.file),
        }
    }
}

impl CodePlace {
    /// Whether it is in the model.
    pub(crate) fn is_of_model(&self) -> bool {
        self.file.starts_with("model/")
    }
}

fn of_token(token: &str) -> Vec<CodePlace> {
    let is = |(of, _, _): &&(&str, &str, &str)| *of == token;
    PLACES.iter().filter(is).map(|(_, file, function)| CodePlace { file, function }).collect()
}

/// Where a guard is consulted, the model's place first.
pub(crate) fn of_guard(name: &str) -> Vec<CodePlace> {
    let mut places = of_token(&format!("Guard::{}", variant(name)));
    places.sort_by_key(|place| !place.is_of_model());
    places
}

/// Where an action is refused for this reason, the model's place first.
pub(crate) fn of_reason(reason: Reason) -> Vec<CodePlace> {
    let mut places = of_token(&format!("Reason::{reason:?}"));
    places.sort_by_key(|place| !place.is_of_model());
    places
}

/// The variant's name for a guard's name: `snapshot_once` is `SnapshotOnce`.
fn variant(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    name.split('_').map(capital).collect()
}

/// The rule's file in the model, and the function that takes the action in the implementation.
pub(crate) fn of_action(action: &Action) -> [CodePlace; 2] {
    let place = |file, function| CodePlace { file, function };
    let both = |model, file, function| [place(model, ""), place(file, function)];
    let life = "model/src/rules/store_life.rs";
    match action {
        Action::Campaign { .. } => both("model/src/rules/election.rs", "impl/src/peer/mod.rs", "campaign"),
        Action::Vote { .. } => both("model/src/rules/election.rs", "impl/src/peer/mod.rs", "receive"),
        Action::Replicate { .. } => {
            both("model/src/rules/replicate.rs", "impl/src/peer/mod.rs", "handle_ready")
        }
        Action::Heartbeat { .. } => both("model/src/rules/replicate.rs", "impl/src/peer/mod.rs", "receive"),
        Action::CheckStalePeer { .. } => both("model/src/rules/stale.rs", "impl/src/peer/stale.rs", ""),
        Action::ApplySnapshot { .. } => {
            both("model/src/rules/apply_snapshot.rs", "impl/src/peer/snapshot.rs", "")
        }
        Action::Apply { .. } => both("model/src/rules/apply.rs", "impl/src/apply/mod.rs", ""),
        Action::Propose { command, .. } => of_proposal(command),
        Action::AskSplit { .. } => both("model/src/rules/ask_split.rs", "impl/src/apply/split.rs", ""),
        Action::Read { .. } | Action::AnswerRead { .. } => {
            both("model/src/rules/read.rs", "impl/src/peer/read.rs", "")
        }
        Action::TimeoutNow { .. } | Action::TransferTimeout { .. } => {
            both("model/src/rules/transfer.rs", "impl/src/peer/transfer.rs", "")
        }
        Action::Crash { .. } | Action::Restart { .. } => both(life, "impl/src/store/mod.rs", "open"),
        Action::Persist { .. } => {
            both("model/src/rules/persist.rs", "impl/src/store/synced_store.rs", "sync")
        }
        Action::LoseDisk { .. } => both(life, "impl/src/store/synced_store.rs", "into_engine"),
        Action::Hold { message: Outgoing::StoreReport, .. } => {
            both("model/src/rules/recovery/store.rs", "impl/src/store/unsafe_recovery.rs", "report_plan")
        }
        Action::Hold { .. } | Action::Late { .. } => {
            both("model/src/rules/receive.rs", "impl/src/store/lifecycle.rs", "receive")
        }
        Action::RegionHeartbeat { .. } => {
            both("model/src/rules/pd/heartbeat.rs", "impl/src/pd/handlers.rs", "")
        }
        Action::Schedule { .. } => both("model/src/rules/pd/patrol.rs", "impl/src/pd/checker.rs", "check"),
        Action::PushOperator { .. } | Action::OperatorTimeout { .. } => {
            both("model/src/rules/pd/waiting.rs", "impl/src/pd/operators.rs", "")
        }
        Action::AddOperator { .. } | Action::RemoveOperator { .. } => {
            both("model/src/rules/pd/builder.rs", "impl/src/pd/builder.rs", "")
        }
        Action::TombstonePeer { .. } => both("model/src/rules/tikv_ctl.rs", "impl/src/store/ctl.rs", ""),
        Action::RemoveFailedStores { .. } | Action::RecoveryTimeout | Action::StoreHeartbeat { .. } => {
            both("model/src/rules/recovery/controller.rs", "impl/src/pd/recovery/mod.rs", "")
        }
        Action::ForceLeaderTimeout { .. } => {
            both("model/src/rules/recovery/store.rs", "impl/src/store/unsafe_recovery.rs", "")
        }
        Action::MissedHeartbeat { .. }
        | Action::CheckStores
        | Action::PdRestart
        | Action::AddStore { .. }
        | Action::Decommission { .. }
        | Action::CancelDecommission { .. }
        | Action::SetTombstone { .. }
        | Action::RemoveTombstone { .. } => both("model/src/rules/pd/records.rs", "impl/src/pd/store.rs", ""),
    }
}

fn of_proposal(command: &Command) -> [CodePlace; 2] {
    let (model, file) = match command {
        Command::ChangePeer(_) | Command::EnterJoint { .. } | Command::LeaveJoint => {
            ("model/src/rules/conf_change.rs", "impl/src/apply/conf_change.rs")
        }
        Command::Split { .. } => ("model/src/rules/split.rs", "impl/src/apply/split.rs"),
        Command::TransferLeader { .. } => ("model/src/rules/transfer.rs", "impl/src/peer/transfer.rs"),
        Command::PrepareMerge { .. } | Command::CommitMerge { .. } | Command::RollbackMerge { .. } => {
            ("model/src/rules/merge.rs", "impl/src/merge")
        }
        Command::Put { .. } | Command::Delete { .. } | Command::CompactLog { .. } => {
            ("model/src/rules/propose.rs", "impl/src/peer/propose.rs")
        }
    };
    [CodePlace { file: model, function: "" }, CodePlace { file, function: "" }]
}

/// The code that writes a field of a view, by a part of the field's path: in the model and in the
/// implementation. The first match counts.
const FIELDS: &[(&str, &str, &str)] = &[
    ("pd/operators", "model/src/rules/pd/operator.rs", "impl/src/pd/operators.rs"),
    ("pd/regions", "model/src/rules/pd/heartbeat.rs", "impl/src/pd/regions.rs"),
    ("pd/stores", "model/src/rules/pd/records.rs", "impl/src/pd/store.rs"),
    ("pd/recovery", "model/src/rules/recovery/controller.rs", "impl/src/pd/recovery/mod.rs"),
    ("/ranges", "model/src/rules/ranges.rs", "impl/src/store/ranges.rs"),
    ("/conf_ver", "model/src/rules/conf_change.rs", "impl/src/apply/conf_change.rs"),
    ("/version", "model/src/rules/split.rs", "impl/src/apply/split.rs"),
    ("/pending_messages", "model/src/rules/receive.rs", "impl/src/store/pending_messages.rs"),
    ("/merge", "model/src/rules/merge.rs", "impl/src/merge"),
    ("/read", "model/src/rules/read.rs", "impl/src/peer/read.rs"),
    ("/snapshot", "model/src/rules/apply_snapshot.rs", "impl/src/peer/snapshot.rs"),
    ("/vote", "model/src/rules/election.rs", "impl/src/peer/mod.rs"),
];

/// The code that writes the first differing field.
fn of_field(path: &str) -> Option<[CodePlace; 2]> {
    let (_, model, implementation) = FIELDS.iter().find(|(part, _, _)| path.contains(part))?;
    Some([CodePlace { file: model, function: "" }, CodePlace { file: implementation, function: "" }])
}

/// Where to look for the cause of a divergence: by the two sides' reasons if they refuse, by the
/// first differing field, and by the action.
pub(crate) fn of_divergence(divergence: &Divergence) -> Vec<PlaceNote> {
    let mut notes: Vec<PlaceNote> = Vec::new();
    let mut add = |place: CodePlace, with_guards: bool| {
        let guards = if with_guards { guards_at(place) } else { Vec::new() };
        let side = if place.is_of_model() { "model" } else { "impl" };
        let note = PlaceNote { side: side.into(), place: place.to_string(), guards };
        if !notes.iter().any(|other| other.place == note.place) {
            notes.push(note);
        }
    };
    if divergence.outcomes_differ() {
        for (of_model, outcome) in [(true, &divergence.expected), (false, &divergence.actual)] {
            if let Some(Outcome::Refused(reason)) = outcome {
                let here = of_reason(*reason).into_iter().filter(|place| place.is_of_model() == of_model);
                here.take(2).for_each(|place| add(place, true));
            }
        }
    }
    let field = divergence.differences.first().filter(|_| !divergence.outcomes_differ());
    for place in field.and_then(|difference| of_field(&difference.path)).into_iter().flatten() {
        add(place, false);
    }
    if let Some(action) = &divergence.action {
        let [model, implementation] = of_action(action);
        add(model, false);
        add(implementation, false);
    }
    notes
}

/// The guards that a function consults.
fn guards_at(place: CodePlace) -> Vec<String> {
    let here = PLACES.iter().filter(|(_, file, function)| *file == place.file && *function == place.function);
    let names = here.filter_map(|(token, _, _)| token.strip_prefix("Guard::"));
    let snake = |name: &str| {
        let is = |guard: &&Guard| variant(guard.name()) == name;
        Guard::ALL.iter().find(is).map(|guard| guard.name().to_string())
    };
    names.filter_map(snake).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Every guard of the model is found in its rules, and every reason is found somewhere.
    #[test]
    fn guards_and_reasons_have_places() {
        for guard in Guard::ALL {
            let places = of_guard(guard.name());
            assert!(places.iter().any(CodePlace::is_of_model), "{guard}: {places:?}");
        }
        for property in rollcall_model::properties::Property::ALL {
            assert_eq!(of_property(property.name()).len(), 1, "{property:?}");
        }
        assert!(Reason::ALL.iter().all(|reason| !meaning_of_reason(*reason).is_empty()));
        let stuck_reasons = rollcall_model::liveness::StuckReason::NAMES;
        assert!(stuck_reasons.iter().all(|name| !meaning_of_stuck_reason(name).is_empty()));
        let nowhere: Vec<_> = Reason::ALL.iter().filter(|reason| of_reason(**reason).is_empty()).collect();
        assert!(nowhere.is_empty(), "{nowhere:?}");
        let places = of_reason(Reason::DemoteFirst);
        assert!(places.iter().any(|place| place.file == "impl/src/apply/conf_change.rs"), "{places:?}");
        let places = of_reason(Reason::NoNewLeader);
        let (first, last) = (places[0].file, places.iter().rfind(|place| place.is_of_model()));
        assert!(first.starts_with("model/src/rules/"), "the rule comes first: {places:?}");
        assert_eq!(
            last.map(|place| place.file),
            Some("model/src/unsound/pd.rs"),
            "what is done without a guard"
        );
    }

    #[test]
    fn the_function_of_every_action_exists() {
        let text = include_str!("places.rs");
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let named: Vec<&str> = text
            .split('"')
            .filter(|word| {
                (word.starts_with("model/src/") || word.starts_with("impl/src/")) && !word.contains(' ')
            })
            .collect();
        assert!(named.len() > 30);
        for file in named {
            assert!(root.join(file).exists(), "{file}");
        }
        let store = std::fs::read_to_string(root.join("impl/src/peer/mod.rs")).expect("it is there");
        for function in ["campaign", "receive", "handle_ready"] {
            assert!(store.contains(&format!("fn {function}<")), "{function}");
        }
    }
}
