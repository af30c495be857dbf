use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

use rollcall_model::{GuardSet, ModelSubject, scopes};
use rollcall_traces::{Sides, replay};
use serde::{Deserialize, Serialize};

use super::*;
use crate::verify::{Watch, explore};

fn explored(name: &str) -> (Rollcall, Exploration<State>) {
    let plan = scopes::named(name).expect("a scope of that name");
    let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
    let explored = explore(&model, 1, &Watch::default()).expect("the scope can be explored");
    (model, explored)
}

fn all(model: &Rollcall, explored: &Exploration<State>, cover: Cover) -> Vec<Trace> {
    let mut traces = Vec::new();
    let count = super::traces(model, explored, cover, |trace| {
        traces.push(trace);
        Ok::<(), Infallible>(())
    });
    assert_eq!(count, Ok(traces.len() as u64));
    traces
}

/// The neighbouring views of the traces, each pair with the action between.
fn transitions(traces: &[Trace]) -> BTreeSet<String> {
    let mut met = BTreeSet::new();
    for trace in traces {
        let mut before = trace.header.view.clone();
        for step in &trace.steps {
            met.insert(format!("{before:?} {:?} {:?}", step.action, step.view));
            before = step.view.clone();
        }
    }
    met
}

const SCOPE: &str = "two_voters_to_one_smoke";

#[test]
fn the_traces_cover_what_they_say() {
    let (model, explored) = explored(SCOPE);
    let by_transitions = all(&model, &explored, Cover::Transitions);
    let by_states = all(&model, &explored, Cover::States);
    let by_actions = all(&model, &explored, Cover::Actions);
    let views = |traces: &[Trace]| -> BTreeSet<String> {
        let steps = traces.iter().flat_map(|trace| trace.steps.iter().map(|step| &step.view));
        let first = traces.iter().map(|trace| &trace.header.view);
        steps.chain(first).map(|view| format!("{view:?}")).collect()
    };
    assert_eq!(views(&by_states), views(&by_transitions), "every state that a view can distinguish");
    assert!(transitions(&by_states).len() < transitions(&by_transitions).len(), "fewer steps");
    assert!(transitions(&by_states).is_subset(&transitions(&by_transitions)));
    let kinds = |traces: &[Trace]| -> BTreeSet<usize> {
        let mut met = BTreeSet::new();
        for trace in traces {
            let mut at = model.first();
            for step in &trace.steps {
                met.insert(model.kind_of(&at, &step.action));
                at = model.take(&at, &step.action).0;
            }
        }
        met
    };
    assert_eq!(kinds(&by_actions), kinds(&by_transitions));
    assert_eq!(by_actions.len(), kinds(&by_actions).len(), "one trace a kind");
}

#[test]
fn a_trace_replays() {
    let (model, explored) = explored(SCOPE);
    for trace in all(&model, &explored, Cover::Actions) {
        let mut subject = ModelSubject::new(GuardSet::ALL, &[]);
        replay(&mut subject, &trace, Sides::TRACE_AND_MODEL).expect("the model does what the model did");
    }
}

/// A state as a user of Informal Systems' reader gets it.
#[derive(Deserialize)]
struct Read {
    action: Tag,
    outcome: Tag,
    view: Shown,
}

#[derive(Deserialize)]
struct Tag {
    tag: String,
}

#[derive(Deserialize)]
struct Shown {
    stores: BTreeMap<u64, ReadStore>,
}

#[derive(Deserialize)]
struct ReadStore {
    status: String,
    #[serde(default)]
    peers: BTreeMap<u64, ReadPeer>,
}

#[derive(Deserialize)]
struct ReadPeer {
    term: u64,
    commit: u64,
}

/// The variant's name in JSON.
fn name(value: &impl Serialize) -> String {
    match serde_json::to_value(value).expect("it is JSON") {
        serde_json::Value::String(name) => name,
        other => other.as_object().and_then(|fields| fields.keys().next()).expect("a name").clone(),
    }
}

#[test]
fn informal_systems_reader_reads_the_trace() {
    let (model, explored) = explored("merges_in_a_row_smoke");
    for trace in all(&model, &explored, Cover::Actions) {
        let read: ::itf::Trace<Read> =
            ::itf::trace_from_str(&itf::of(&trace).to_string()).expect("their reader takes it");
        assert_eq!(read.vars, ["action", "outcome", "view"]);
        assert_eq!(read.states.len(), trace.steps.len() + 1);
        assert_eq!(read.states[0].value.action.tag, "Init");
        for (state, step) in read.states[1..].iter().zip(&trace.steps) {
            assert_eq!(state.meta.index, Some(step.index));
            assert_eq!(state.value.action.tag, name(&step.action));
            assert_eq!(state.value.outcome.tag, "done");
            let view = step.view.as_ref().expect("a view stands after each step");
            let shown = |peer: &rollcall_traces::Peer| (peer.term, peer.commit);
            for (id, store) in &view.stores {
                let read = &state.value.view.stores[id];
                assert_eq!(read.status, name(&store.status));
                let read: Vec<_> =
                    read.peers.iter().map(|(id, peer)| (*id, (peer.term, peer.commit))).collect();
                let shown: Vec<_> = store.peers.iter().map(|(id, peer)| (*id, shown(peer))).collect();
                assert_eq!(read, shown);
            }
        }
    }
}
