//! A replica in another program.
//!
//! It keeps the storage, because Rollcall owns the disk, and the replica's last status from the
//! adapter. A new status is checked against the last one for what only a wrong adapter could say:
//! entries that do not join the log, a commit index beyond the log, messages in another replica's
//! name. What the library itself may get wrong (terms, votes, commits) is not checked here: the
//! comparison with the model shows that.

use std::borrow::Cow;
use std::collections::VecDeque;

use rollcall_impl::eraftpb::{self, MessageType as RaftType};
use rollcall_impl::{
    AppendLimit, Config, Innards, PeerId, PeerStorage, Position, RaftChange, Ready, Replica, ReplicaError,
    StateRole, Storage,
};

use super::convert;
use super::link::{Handle, Link, Said};
use super::wire::{Bytes, Done, Open, Role, Status, Verb};

/// One replica of an adapter.
pub struct Foreign {
    link: Link,
    handle: Handle,
    id: PeerId,
    storage: PeerStorage,
    status: Status,
    ready: VecDeque<Ready>,
    /// Whether the adapter has lost the replica.
    gone: bool,
}

impl Foreign {
    fn ask(&mut self, verb: Verb) -> Result<(), String> {
        let name = verb.name();
        match self.link.ask(verb, self.handle.of) {
            Said::Done(done) => {
                self.take(name, *done);
                Ok(())
            }
            Said::Refused(words) => Err(words),
            Said::Failed(words) => {
                self.gone = true;
                self.link.broken(format!("says that the replica failed in `{name}`: {words}"))
            }
        }
    }

    /// Asks what no library may refuse, because Rollcall has checked it before.
    fn must(&mut self, verb: Verb) {
        let name = verb.name();
        if let Err(words) = self.ask(verb) {
            self.link.broken(format!("refuses `{name}`: {words}"));
        }
    }

    fn take(&mut self, verb: &str, done: Done) {
        let Some(status) = done.status else {
            self.link.broken(format!("answers `{verb}` without a `status`"));
        };
        if status.id != self.id {
            self.link.broken(format!(
                "answers `{verb}` of replica {} with the `status` of replica {}",
                self.id, status.id
            ));
        }
        let snapshot = done.snapshot.map(|at| Position { index: at.index, term: at.term });
        if snapshot.is_some() && !done.appended.is_empty() {
            self.link
                .broken(format!("answers `{verb}` with both a pending `snapshot` and `appended` entries"));
        }
        let entries: Vec<_> = done.appended.into_iter().map(convert::to_entry).collect();
        self.append(verb, &entries);
        let end = self.storage.log_end();
        let says = Position { index: status.last.0, term: status.last.1 };
        if snapshot.is_none() && says != end {
            self.link.broken(format!(
                "answers `{verb}` and says that its log ends at {}/{}, but its `appended` entries end at {}/{}: is every Ready handled and reported?",
                says.index, says.term, end.index, end.term
            ));
        }
        if snapshot.is_none() && status.commit.0 > end.index {
            self.link.broken(format!(
                "answers `{verb}` with commit index {}, beyond the end of its log at {}",
                status.commit.0, end.index
            ));
        }
        // A replica that was just opened has persisted this status. Later, a term, a vote or a
        // commit index may be all that is new, for example when a candidate learns of a commit from
        // a rejected vote.
        let known = std::mem::replace(&mut self.status, status);
        let is_new = known.id != 0 && hard_state(&known) != hard_state(&self.status);
        let messages = done.sent.into_iter().map(|message| {
            if message.from != self.id {
                self.link.broken(format!(
                    "answers `{verb}` of replica {} with a message from {}: is it another replica's answer?",
                    self.id, message.from
                ));
            }
            self.with_data(verb, convert::to_message(message))
        });
        let messages = messages.collect();
        let reads = done.reads.into_iter().map(|context| context.0).collect();
        let ready = Ready { snapshot, entries, reads, early: Vec::new(), messages };
        if ready.snapshot.is_some()
            || is_new
            || !(ready.entries.is_empty() && ready.reads.is_empty() && ready.messages.is_empty())
        {
            self.ready.push_back(ready);
        }
    }

    fn append(&mut self, verb: &str, entries: &[eraftpb::Entry]) {
        let mut rest = entries;
        while let Some(first) = rest.first() {
            let joined = (first.index..).zip(rest).take_while(|(index, entry)| entry.index == *index).count();
            let (truncated, end) = (self.storage.truncated().index, self.storage.log_end().index);
            if first.index <= truncated || first.index > end + 1 {
                self.link.broken(format!(
                    "answers `{verb}` with entry {} `appended`, which does not join a log from {} to {end}",
                    first.index,
                    truncated + 1
                ));
            }
            self.storage.append(&rest[..joined]);
            rest = &rest[joined..];
        }
    }

    /// A snapshot with its data, which only Rollcall has.
    fn with_data(&self, verb: &str, mut message: eraftpb::Message) -> eraftpb::Message {
        if message.get_msg_type() != RaftType::MsgSnapshot {
            return message;
        }
        let index = message.get_snapshot().get_metadata().index;
        if index != self.storage.applied() {
            self.link.broken(format!(
                "answers `{verb}` with a snapshot of index {index}, but {} is applied: a snapshot must be of the applied state",
                self.storage.applied()
            ));
        }
        // A merging region sends no snapshot, and the replica cannot know that.
        if let Ok(snapshot) = self.storage.snapshot(0, message.to) {
            message.set_snapshot(snapshot);
        }
        message
    }

    fn node(&self) -> u64 {
        self.handle.node
    }
}

/// What a replica persists in addition to its log.
fn hard_state(status: &Status) -> (u64, PeerId, u64) {
    (status.term, status.vote, status.commit.0)
}

impl Replica for Foreign {
    type Maker = Link;

    const HAS_INNARDS: bool = false;

    fn name(link: &Link) -> Cow<'static, str> {
        Cow::Owned(link.handshake().name.clone())
    }

    fn can_be_copied(link: &Link) -> bool {
        link.has("fork")
    }

    fn open(link: &Link, _: &Config, id: PeerId, storage: PeerStorage) -> Result<Self, ReplicaError> {
        let handle = link.handle();
        let hard = storage.hard_state();
        let truncated = storage.truncated();
        let entries = storage.entries_and_payloads();
        let open = Open {
            node: handle.node,
            id,
            term: hard.term,
            vote: hard.vote,
            commit: hard.commit,
            applied: storage.applied(),
            truncated: (truncated.index, truncated.term),
            entries: entries.map(|(raft, payload)| convert::entry(raft, payload)).collect(),
            conf: convert::conf(&storage.conf_state()),
        };
        let (status, ready) = (Status::default(), VecDeque::new());
        let mut foreign = Self { link: link.clone(), handle, id, storage, status, ready, gone: false };
        foreign.must(Verb::Open(open));
        Ok(foreign)
    }

    fn storage(&self) -> &PeerStorage {
        &self.storage
    }

    fn storage_mut(&mut self) -> &mut PeerStorage {
        &mut self.storage
    }

    fn term(&self) -> u64 {
        self.status.term
    }

    fn vote(&self) -> PeerId {
        self.status.vote
    }

    fn role(&self) -> StateRole {
        match self.status.role {
            Role::Follower => StateRole::Follower,
            Role::Candidate => StateRole::Candidate,
            Role::Leader => StateRole::Leader,
        }
    }

    fn leader(&self) -> PeerId {
        self.status.leader
    }

    fn commit(&self) -> Position {
        Position { index: self.status.commit.0, term: self.status.commit.1 }
    }

    fn log_end(&self) -> Position {
        Position { index: self.status.last.0, term: self.status.last.1 }
    }

    fn is_promotable(&self) -> bool {
        self.status.promotable
    }

    fn lead_transferee(&self) -> Option<PeerId> {
        Some(self.status.transferee).filter(|to| *to != 0)
    }

    fn pending_conf_index(&self) -> u64 {
        self.status.pending_change
    }

    fn votes(&self) -> impl ExactSizeIterator<Item = (PeerId, bool)> {
        self.status.votes.iter().map(|(id, granted)| (*id, *granted))
    }

    fn matched(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)> {
        self.status.matched.iter().map(|(id, index)| (*id, *index))
    }

    /// A replica that does not lead has the matched index of no member.
    fn matched_by(&self, id: PeerId) -> Option<u64> {
        if self.status.role == Role::Leader {
            return self.status.matched.get(&id).copied();
        }
        let conf = self.storage.conf_state();
        let mut members =
            conf.get_voters().iter().chain(conf.get_learners()).chain(conf.get_voters_outgoing());
        members.any(|member| *member == id).then_some(0)
    }

    fn known_commits(&self) -> impl ExactSizeIterator<Item = (PeerId, u64)> {
        // Only merges use this, and no merge begins on a replica whose internals cannot be read.
        std::iter::empty()
    }

    fn forget_known_commits(&mut self) {}

    fn read_acks(&self, context: &[u8]) -> Option<impl ExactSizeIterator<Item = PeerId>> {
        let reading = self.status.reading.iter().find(|reading| reading.context.0 == context)?;
        Some(reading.acks.iter().copied())
    }

    fn tick(&mut self) {
        self.must(Verb::Tick { node: self.node() });
    }

    fn campaign(&mut self) -> Result<(), ReplicaError> {
        // A replica that may not campaign refuses or does nothing; its term shows which.
        let _ = self.ask(Verb::Campaign { node: self.node() });
        Ok(())
    }

    fn step(&mut self, message: eraftpb::Message) -> Result<(), ReplicaError> {
        let message = convert::message(&message);
        // Some libraries report a stale message as such.
        let stale = message.term < self.status.term;
        match self.ask(Verb::Step { node: self.node(), message }) {
            Err(words) if !stale => self.link.broken(format!("refuses `step`: {words}")),
            _ => Ok(()),
        }
    }

    fn propose(&mut self, data: Vec<u8>) -> Result<(), ReplicaError> {
        self.must(Verb::Propose { node: self.node(), data: Bytes(data) });
        Ok(())
    }

    fn propose_change(&mut self, data: Vec<u8>, change: RaftChange) -> Result<(), ReplicaError> {
        let change = convert::change(&change);
        // A library may have a rule of its own for who may join and when.
        let proposed = self.ask(Verb::ProposeChange { node: self.node(), change, data: Bytes(data) });
        proposed.map_err(ReplicaError::Declined)
    }

    fn apply_change(&mut self, change: &RaftChange) -> Result<(), ReplicaError> {
        self.must(Verb::ApplyChange { node: self.node(), change: convert::change(change) });
        Ok(())
    }

    fn applied_to(&mut self, index: u64) {
        self.must(Verb::Applied { node: self.node(), index });
    }

    fn compacted_to(&mut self, index: u64) {
        self.must(Verb::Compact { node: self.node(), index });
    }

    fn take_snapshot(&mut self) -> Vec<eraftpb::Message> {
        self.must(Verb::TakeSnapshot { node: self.node() });
        self.ready.drain(..).flat_map(|ready| ready.messages).collect()
    }

    fn transfer_leader(&mut self, to: PeerId) {
        self.must(Verb::Transfer { node: self.node(), to });
    }

    fn read_index(&mut self, context: Vec<u8>) {
        self.must(Verb::Read { node: self.node(), context: Bytes(context) });
    }

    /// The library keeps the read pending, and its result is ignored.
    fn forget_read(&mut self, _: &[u8]) {}

    fn follow(&mut self, term: u64) {
        self.must(Verb::Follow { node: self.node(), term });
    }

    /// A simulated leader needs no status: a round begins with a probe.
    fn snapshot_sent(&mut self, _: PeerId, _: bool) {}

    fn probe(&mut self, to: PeerId, next: u64, limit: AppendLimit) {
        self.must(Verb::Probe { node: self.node(), to, next, one: limit == AppendLimit::One });
    }

    fn beat(&mut self, to: PeerId) {
        self.must(Verb::Beat { node: self.node(), to });
    }

    fn next_ready(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    fn innards(&mut self) -> Option<&mut dyn Innards> {
        None
    }
}

/// A copy made by the adapter ([`Verb::Fork`]). Adapters without it are never cloned
/// ([`Replica::can_be_copied`]).
impl Clone for Foreign {
    fn clone(&self) -> Self {
        let copy = self.link.handle();
        match self.link.ask(Verb::Fork { node: self.handle.node, copy: copy.node }, self.handle.of) {
            Said::Done(_) => {}
            Said::Refused(words) | Said::Failed(words) => {
                self.link.broken(format!("does not copy a replica (`fork`): {words}"))
            }
        }
        let ready = self.ready.iter().map(|ready| Ready {
            snapshot: ready.snapshot,
            entries: ready.entries.clone(),
            reads: ready.reads.clone(),
            early: Vec::new(),
            messages: ready.messages.clone(),
        });
        Self {
            link: self.link.clone(),
            handle: copy,
            id: self.id,
            storage: self.storage.clone(),
            status: self.status.clone(),
            ready: ready.collect(),
            gone: self.gone,
        }
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        if !self.gone {
            self.link.close(self.handle);
        }
    }
}
