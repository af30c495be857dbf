//! Reads by ReadIndex: one at a time a peer.
//!
//! A read takes the commit index, a quorum acknowledges the leadership, and the data is read once
//! that index is applied. A read without a key returns all data. An acknowledged read survives the
//! loss of leadership; others do not.

use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::peer::waiting::ReadRequest;
use crate::proto::position::Position;
use crate::proto::region::{Key, Region};
use crate::raft_rs::replica::Replica;
use crate::store::input::{End, Output};
use crate::store::step::{Failure, StepContext};

impl<R: Replica> Peer<R> {
    /// A client reads a value, or without a key all values. With a number it gets one result.
    pub(crate) fn read<G: Guards>(
        &mut self,
        client: Option<u64>,
        key: Option<Key>,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        if !self.is_leader() {
            return Err(Refusal::NotLeader.into());
        }
        if self.is_by_force() {
            return Err(Refusal::RecoveryInProgress.into());
        }
        let asked = match &key {
            Some(key) => Some(&**key),
            None if step.guards.holds(Guard::KeylessReadUnchecked) => None,
            // The check of other reads, on the empty key.
            None => Some(&[][..]),
        };
        if asked.is_some_and(|key| !self.storage().region().contains(key)) {
            return Err(Refusal::KeyNotInRegion.into());
        }
        if self.merge_is_near() {
            return Err(Refusal::Merging.into());
        }
        if self.read.is_some() {
            return Err(Refusal::ReadPending.into());
        }
        // raft-rs would drop the request silently.
        if !self.node.has_committed_in_term() {
            return Err(Refusal::NotCommittedTerm.into());
        }
        self.reads_begun += 1;
        let Position { index, term } = Position { index: self.node.commit().index, term: self.node.term() };
        // Responses to heartbeats before a restart must not count: they have another term.
        let context = [term.to_be_bytes(), self.reads_begun.to_be_bytes()].concat();
        let ready = !step.guards.holds(Guard::ReadNeedsQuorum);
        self.read = Some(ReadRequest { key, index, context: context.clone(), ready, client });
        if ready {
            return Ok(());
        }
        self.with_raft(step, None, |node| {
            node.read_index(context);
            Ok(())
        })
    }

    /// raft reports that a quorum acknowledged a read.
    pub(crate) fn read_acknowledged(&mut self, context: &[u8]) {
        if let Some(read) = &mut self.read
            && read.context == context
        {
            read.ready = true;
        }
    }

    /// Drops a read that raft dropped with its leadership.
    pub(crate) fn forget_lost_read<G: Guards>(&mut self, step: &mut StepContext<'_, G>) {
        if let Some(read) = &self.read
            && !read.ready
            && self.node.read_acks(&read.context).is_none()
        {
            self.end_read(End::LeaderChanged, step);
        }
    }

    /// Answers the read if it may be answered.
    pub(crate) fn answer_read<G: Guards>(&mut self, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        let storage = self.node.storage();
        let waits = step.guards.holds(Guard::ReadWaitsForApply);
        let may_be_answered = |read: &ReadRequest| read.ready && (!waits || read.index <= storage.applied);
        let Some(read) = self.read.take_if(|read| may_be_answered(read)) else {
            return Err(Refusal::NoReadReady.into());
        };
        let region = self.region_to_report(step.guards);
        let data = &self.storage().data;
        step.out.push(match (read.key, read.client) {
            (Some(key), None) => Output::Value { value: data.get(&key).cloned(), key, region },
            (None, None) => Output::Snap { region, data: data.clone() },
            (key, Some(id)) => {
                let value = key.and_then(|key| data.get(&key).cloned());
                let end = End::Read { value, region: Box::new(region) };
                Output::Completed { region: self.region, id, end }
            }
        });
        Ok(())
    }

    /// Whether a client waits for a read that can be answered.
    pub(crate) fn owes_an_answer(&self) -> bool {
        let applied = self.storage().applied;
        self.read.as_ref().is_some_and(|read| read.client.is_some() && read.ready && read.index <= applied)
    }

    /// The region for a response: a copy as of now, not as of when the response is read.
    fn region_to_report(&self, guards: impl Guards) -> Region {
        let region = self.storage().region();
        if !guards.holds(Guard::AnswerCopiesRegion)
            && let Some(division) = self.division_at(self.storage().applied + 1, region, guards)
        {
            return division.parent;
        }
        region.clone()
    }

    /// Drops the pending read: its range is no longer valid.
    pub(crate) fn drop_read<G: Guards>(&mut self, step: &mut StepContext<'_, G>) {
        if let Some(read) = &self.read {
            self.node.forget_read(&read.context);
            self.end_read(End::Refused(Refusal::EpochNotMatch), step);
        }
    }

    /// The pending read ends without an answer.
    pub(crate) fn end_read<G: Guards>(&mut self, end: End, step: &mut StepContext<'_, G>) {
        let client = self.read.take().and_then(|read| read.client);
        step.out.extend(client.map(|id| Output::Completed { region: self.region, id, end }));
    }
}
