//! Small models for tests of the explorer: their counts are known by other means.

use stateright::{Model, Property};

use super::Explored;
use super::rows::Row;

/// Counters that each action raises by one: (most + 1)^sides states in a flat 64 bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grid {
    pub(crate) sides: usize,
    pub(crate) most: u8,
    /// The forbidden sum; 0 forbids none.
    pub(crate) forbidden: u32,
    /// The greatest value of counter 0 within the boundary; 0 for no boundary.
    pub(crate) boundary: u8,
    pub(crate) with_eventually: bool,
}

pub(crate) fn sum(state: &[u8; 64]) -> u32 {
    state.iter().map(|&counter| u32::from(counter)).sum()
}

impl Model for Grid {
    type State = [u8; 64];
    type Action = usize;

    fn init_states(&self) -> Vec<[u8; 64]> {
        vec![[0; 64]]
    }

    fn actions(&self, _: &[u8; 64], actions: &mut Vec<usize>) {
        actions.extend(0..self.sides);
    }

    fn next_state(&self, state: &[u8; 64], side: usize) -> Option<[u8; 64]> {
        let mut next = *state;
        next[side] += 1;
        (next[side] <= self.most).then_some(next)
    }

    fn within_boundary(&self, state: &[u8; 64]) -> bool {
        self.boundary == 0 || state[0] <= self.boundary
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut properties = vec![
            Property::always("below_forbidden", |grid: &Grid, state| {
                grid.forbidden == 0 || sum(state) < grid.forbidden
            }),
            Property::sometimes("full", |grid: &Grid, state| {
                sum(state) == grid.sides as u32 * u32::from(grid.most)
            }),
            Property::sometimes("beyond_full", |grid: &Grid, state| {
                sum(state) > grid.sides as u32 * u32::from(grid.most)
            }),
        ];
        if self.with_eventually {
            properties.push(Property::eventually("ends_full", |_, _| false));
        }
        properties
    }
}

impl Explored for Grid {}

/// A token that is passed round a ring. An impatient holder may duplicate it.
#[derive(Clone, Debug)]
pub(crate) struct Ring {
    pub(crate) members: u8,
    /// The number of passes after which the holder loses patience.
    pub(crate) patience: u8,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pass {
    On,
    Twice,
}

impl Model for Ring {
    /// A bit for each token, and the passes so far, up to the patience.
    type State = (u16, u8);
    type Action = Pass;

    fn init_states(&self) -> Vec<(u16, u8)> {
        vec![(1, 0)]
    }

    fn actions(&self, &(_, passes): &(u16, u8), actions: &mut Vec<Pass>) {
        actions.push(Pass::On);
        if passes == self.patience {
            actions.push(Pass::Twice);
        }
    }

    fn next_state(&self, &(tokens, passes): &(u16, u8), pass: Pass) -> Option<(u16, u8)> {
        let moved = (tokens << 1 | tokens >> (self.members - 1)) & ((1 << self.members) - 1);
        let tokens = if pass == Pass::Twice { moved | tokens } else { moved };
        Some((tokens, (passes + 1).min(self.patience)))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("one_token", |_, &(tokens, _): &(u16, u8)| tokens.count_ones() == 1),
            Property::always("a_token", |_, &(tokens, _): &(u16, u8)| tokens != 0),
            Property::always("three_tokens", |_, &(tokens, _): &(u16, u8)| tokens.count_ones() < 3),
        ]
    }
}

impl Explored for Ring {}

/// Two-phase commit (Gray and Lamport), the managers' messages as a set.
#[derive(Clone, Debug)]
pub(crate) struct TwoPhase {
    pub(crate) managers: u8,
    /// The coordinator commits on the vote of one manager. This is wrong on purpose.
    pub(crate) hasty: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(crate) struct Vote {
    /// Sets of managers.
    prepared: u8,
    committed: u8,
    aborted: u8,
    /// The votes that the coordinator has received, and its decision.
    heard: u8,
    decided: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Prepare(u8),
    ChooseAbort(u8),
    Hear(u8),
    Decide(bool),
    Learn(u8),
}

impl Phase {
    pub(crate) fn kind(&self) -> usize {
        match self {
            Phase::Prepare(_) => 0,
            Phase::ChooseAbort(_) => 1,
            Phase::Hear(_) => 2,
            Phase::Decide(_) => 3,
            Phase::Learn(_) => 4,
        }
    }
}

impl Model for TwoPhase {
    type State = Vote;
    type Action = Phase;

    fn init_states(&self) -> Vec<Vote> {
        vec![Vote::default()]
    }

    fn actions(&self, state: &Vote, actions: &mut Vec<Phase>) {
        let all = (1u8 << self.managers) - 1;
        if state.decided.is_none() {
            actions.push(Phase::Decide(false));
            let enough = if self.hasty { state.heard != 0 } else { state.heard == all };
            if enough {
                actions.push(Phase::Decide(true));
            }
        }
        for manager in 0..self.managers {
            let bit = 1 << manager;
            if (state.prepared | state.aborted) & bit == 0 {
                actions.extend([Phase::Prepare(manager), Phase::ChooseAbort(manager)]);
            }
            if state.decided.is_none() && state.prepared & !state.heard & bit != 0 {
                actions.push(Phase::Hear(manager));
            }
            if state.decided.is_some() && (state.committed | state.aborted) & bit == 0 {
                actions.push(Phase::Learn(manager));
            }
        }
    }

    fn next_state(&self, state: &Vote, phase: Phase) -> Option<Vote> {
        let mut next = *state;
        match phase {
            Phase::Prepare(manager) => next.prepared |= 1 << manager,
            Phase::ChooseAbort(manager) => next.aborted |= 1 << manager,
            Phase::Hear(manager) => next.heard |= 1 << manager,
            Phase::Decide(commit) => next.decided = Some(commit),
            Phase::Learn(manager) if state.decided == Some(true) => next.committed |= 1 << manager,
            Phase::Learn(manager) => next.aborted |= 1 << manager,
        }
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("consistent", |_, state: &Vote| state.committed == 0 || state.aborted == 0),
            Property::sometimes("commits", |_, state: &Vote| state.committed != 0),
            Property::sometimes("aborts", |_, state: &Vote| state.aborted != 0),
        ]
    }
}

impl Explored for TwoPhase {}

/// Any graph: state s leads to each of `successors[s]`, and the last action leads nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Drawn {
    pub(crate) initial: Vec<u32>,
    pub(crate) successors: Vec<Vec<u32>>,
    pub(crate) bad: Vec<u32>,
}

impl Model for Drawn {
    type State = u32;
    type Action = usize;

    fn init_states(&self) -> Vec<u32> {
        self.initial.clone()
    }

    fn actions(&self, &state: &u32, actions: &mut Vec<usize>) {
        actions.extend(0..=self.successors[state as usize].len());
    }

    fn next_state(&self, &state: &u32, action: usize) -> Option<u32> {
        self.successors[state as usize].get(action).copied()
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no_bad", |drawn: &Drawn, state| !drawn.bad.contains(state)),
            Property::sometimes("bad", |drawn: &Drawn, state| drawn.bad.contains(state)),
            Property::sometimes("never", |_, _| false),
        ]
    }
}

impl Explored for Drawn {}

/// A layered graph without cycles, drawn by a hash: each state leads to some of the next layer.
#[derive(Clone, Debug)]
pub(crate) struct Layers {
    pub(crate) depth: u32,
    pub(crate) width: u32,
    pub(crate) successors: u32,
}

impl Model for Layers {
    /// Layer and index in it.
    type State = (u32, u32);
    type Action = u32;

    fn init_states(&self) -> Vec<(u32, u32)> {
        vec![(0, 0)]
    }

    fn actions(&self, _: &(u32, u32), actions: &mut Vec<u32>) {
        actions.extend(0..self.successors);
    }

    fn next_state(&self, &(layer, place): &(u32, u32), action: u32) -> Option<(u32, u32)> {
        // The finaliser of MurmurHash3 draws the same numbers in every run.
        let mut draw = u64::from(layer) << 40 | u64::from(place) << 8 | u64::from(action);
        draw = (draw ^ draw >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        draw = (draw ^ draw >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        (layer < self.depth).then_some((layer + 1, (draw >> 32) as u32 % self.width))
    }
}

impl Explored for Layers {}

impl Row for u32 {
    fn width(&self) -> usize {
        1
    }

    fn write(&self, row: &mut [u32]) {
        row[0] = *self;
    }

    fn read(row: &[u32]) -> Self {
        row[0]
    }
}

impl Row for (u32, u32) {
    fn width(&self) -> usize {
        2
    }

    fn write(&self, row: &mut [u32]) {
        row.copy_from_slice(&[self.0, self.1]);
    }

    fn read(row: &[u32]) -> Self {
        (row[0], row[1])
    }
}

impl Row for (u16, u8) {
    fn width(&self) -> usize {
        1
    }

    fn write(&self, row: &mut [u32]) {
        row[0] = u32::from(self.0) << 8 | u32::from(self.1);
    }

    fn read(row: &[u32]) -> Self {
        ((row[0] >> 8) as u16, row[0] as u8)
    }
}

impl Row for Vote {
    fn width(&self) -> usize {
        2
    }

    fn write(&self, row: &mut [u32]) {
        row[0] = u32::from_le_bytes([self.prepared, self.committed, self.aborted, self.heard]);
        row[1] = self.decided.map_or(0, |commit| 1 + u32::from(commit));
    }

    fn read(row: &[u32]) -> Self {
        let [prepared, committed, aborted, heard] = row[0].to_le_bytes();
        let decided = (row[1] > 0).then_some(row[1] == 2);
        Vote { prepared, committed, aborted, heard, decided }
    }
}
