//! One exploration out of every worker's share: level by level, worker by worker. Where other
//! processes have shares as well, out of the ways to what was found.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use stateright::{Model, Property};

use super::super::exploration::{Ended, Exploration, Verdict, verdicts};
use super::super::graph::{Graph, NO_PARENT, make_room};
use super::super::rows::{Rows, States};
use super::summary::{Place, Summary};
use super::watched::Watched;
use super::worker::{Share, Whole};

/// Of each level and worker: the index of its first state there, and in the whole.
type Begins = Vec<Vec<(u32, u32)>>;

pub(super) fn exploration<M: Model>(
    mut shares: Vec<Share>,
    properties: &[Property<M>],
    width: usize,
    watched: &Watched,
) -> Exploration<M::State> {
    if let Some(whole) = shares[0].whole.take() {
        let Share { all, ended, expanded, checked, .. } = shares.swap_remove(0);
        let told = Told { all, ended, expanded, checked };
        return of_ways(whole, told, properties, width, watched);
    }
    let (mut states, mut graph, mut begins) = (Rows::new(width), Graph::default(), Begins::new());
    // All have seen as many levels. Behind the last that has states there may be one that has none.
    for depth in 0..shares[0].levels.len() {
        let first = states.len() as u32;
        let mut here = Vec::with_capacity(shares.len());
        for share in &mut shares {
            let end = share.levels.get(depth + 1).map_or(share.parents.len(), |next| *next as usize);
            let begin = share.levels[depth] as usize;
            here.push((begin as u32, states.len() as u32));
            make_room(&mut graph.parents, end - begin);
            for index in begin..end {
                states.push(share.rows.row(index));
                let owner = u32::from(share.parents_owners[index]);
                let parent = Place { owner, index: share.parents[index] };
                graph.parents.push(begins.last().map_or(NO_PARENT, |before| whole(before, parent)));
            }
            share.rows.release(end);
        }
        if states.len() as u32 > first {
            graph.levels.push(first);
        }
        begins.push(here);
    }
    graph.initial = graph.levels.get(1).copied().unwrap_or(graph.states());
    let Share { all, ended, expanded, checked, .. } = shares.swap_remove(0);
    let index = |place: Place| {
        let holds = |level: &&Vec<(u32, u32)>| level[place.owner as usize].0 <= place.index;
        whole(begins.iter().rev().find(holds).expect("the first level begins with 0"), place)
    };
    let found = all.found.iter().map(|found| found.map(|found| index(found.place))).collect();
    let states = States::new(states);
    let told = Told { all, ended, expanded, checked };
    told.exploration((states, graph, None), verdicts(properties, found, &ended), watched)
}

/// What all workers say alike.
struct Told {
    all: Summary,
    ended: Ended,
    expanded: u64,
    checked: u64,
}

impl Told {
    fn exploration<S>(
        self,
        (states, graph, levels): (States<S>, Graph, Option<Vec<u64>>),
        verdicts: Vec<Verdict>,
        watched: &Watched,
    ) -> Exploration<S> {
        let Self { all, ended, expanded, checked } = self;
        let peak_resident = Some(watched.peak_resident.load(Ordering::Relaxed)).filter(|&bytes| bytes > 0);
        Exploration {
            states,
            levels,
            graph,
            transitions: all.transitions,
            expanded,
            checked,
            outside: all.outside,
            kinds: all.kinds,
            verdicts,
            ended,
            peak_bytes: watched.peak_bytes.load(Ordering::Relaxed),
            peak_resident,
        }
    }
}

/// The exploration of all processes, with the states on the ways to what was found. Every process
/// puts them in the same order.
fn of_ways<M: Model>(
    Whole { levels, mut steps }: Whole,
    told: Told,
    properties: &[Property<M>],
    width: usize,
    watched: &Watched,
) -> Exploration<M::State> {
    steps.sort_unstable_by_key(|step| (step.depth, step.fingerprint, step.place));
    let (mut rows, mut graph, mut indices) = (Rows::new(width), Graph::default(), BTreeMap::new());
    for (index, step) in (0..).zip(&steps) {
        if step.depth as usize == graph.levels.len() {
            graph.levels.push(index);
        }
        rows.push(&step.row);
        graph.parents.push(step.parent.map_or(NO_PARENT, |parent| indices[&parent]));
        indices.insert(step.place, index);
    }
    graph.initial = graph.levels.get(1).copied().unwrap_or(graph.states());
    let found = told.all.found.iter().map(|found| found.map(|found| indices[&found.place])).collect();
    let verdicts = verdicts(properties, found, &told.ended);
    told.exploration((States::new(rows), graph, Some(levels)), verdicts, watched)
}

/// The index in the whole of a state of a level that begins so.
fn whole(level: &[(u32, u32)], place: Place) -> u32 {
    let (own, whole) = level[place.owner as usize];
    whole + (place.index - own)
}
