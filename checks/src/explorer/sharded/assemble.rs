//! One exploration out of every worker's share: level by level, worker by worker.

use std::sync::atomic::Ordering;

use stateright::{Model, Property};

use super::super::exploration::{Exploration, verdicts};
use super::super::graph::{Graph, NO_PARENT, make_room};
use super::super::rows::{Rows, States};
use super::summary::Place;
use super::watched::Watched;
use super::worker::Share;

/// Of each level and worker: the index of its first state there, and in the whole.
type Begins = Vec<Vec<(u32, u32)>>;

pub(super) fn exploration<M: Model>(
    mut shares: Vec<Share>,
    properties: &[Property<M>],
    width: usize,
    watched: &Watched,
) -> Exploration<M::State> {
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
    let peak_resident = Some(watched.peak_resident.load(Ordering::Relaxed)).filter(|&bytes| bytes > 0);
    Exploration {
        states: States::new(states),
        graph,
        transitions: all.transitions,
        expanded,
        checked,
        outside: all.outside,
        kinds: all.kinds,
        verdicts: verdicts(properties, found, &ended),
        ended,
        peak_bytes: watched.peak_bytes.load(Ordering::Relaxed),
        peak_resident,
    }
}

/// The index in the whole of a state of a level that begins so.
fn whole(level: &[(u32, u32)], place: Place) -> u32 {
    let (own, whole) = level[place.owner as usize];
    whole + (place.index - own)
}
