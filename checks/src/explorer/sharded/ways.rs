//! The ways to the states of all verdicts, where no process has all states.
//!
//! They are walked back level by level, from the last. The owner of a state sends it to everybody,
//! with its parent's place. So the parent's owner knows that it comes next, and in the end every
//! process has the same ways.

use std::collections::BTreeSet;

use super::super::Explored;
use super::super::graph::NO_PARENT;
use super::super::rows::Row;
use super::port::Content;
use super::summary::{Place, Step, Summary};
use super::worker::Worker;

impl<M> Worker<'_, M>
where
    M: Explored,
    M::State: Row,
{
    /// How many states were found in the level that was broken off, by all.
    pub(super) fn count_rest(&mut self) -> Option<u64> {
        let known = *self.owner.levels.last().expect("a level was being found");
        let rest = Summary { states: u64::from(self.owner.states() - known), ..Summary::default() };
        self.port.send_all(&Content::Done(Box::new(rest)));
        self.wait_for_level()?;
        Some(std::mem::take(&mut self.done).states)
    }

    /// Everybody gets to know every state on the ways to what was found.
    pub(super) fn walk_back(&mut self) -> Option<Vec<Step>> {
        for depth in (0..self.owner.levels.len()).rev() {
            let begin = self.owner.levels[depth];
            let end = self.owner.levels.get(depth + 1).copied().unwrap_or(self.owner.states());
            let found = self.all.found.iter().flatten().map(|found| found.place);
            let parents = self.steps.iter().filter(|step| step.depth as usize == depth + 1);
            let wanted: BTreeSet<u32> = found
                .chain(parents.filter_map(|step| step.parent))
                .filter(|place| place.owner as usize == self.me && (begin..end).contains(&place.index))
                .map(|place| place.index)
                .collect();
            for index in wanted {
                self.show(index, depth as u32);
            }
            self.wait_for_step()?;
        }
        Some(std::mem::take(&mut self.steps))
    }

    fn show(&mut self, index: u32, depth: u32) {
        let row = self.owner.rows.row(index as usize).to_vec();
        let parent = Place {
            owner: u32::from(self.owner.parents_owners[index as usize]),
            index: self.owner.parents[index as usize],
        };
        let step = Step {
            depth,
            fingerprint: self.search.model.fingerprint(&row),
            place: Place { owner: self.me as u32, index },
            parent: (parent.index != NO_PARENT).then_some(parent),
            needs: 0,
            row,
        };
        for to in 0..self.workers {
            let needs = self.define(to, &step.row, step.row.len());
            self.port.send(to, Content::Step(Box::new(Step { needs, ..step.clone() })));
        }
    }
}
