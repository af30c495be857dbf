//! An adapter around raft-rs for the tests: right, or wrong in one way.
//!
//! It is a plain adapter around a `RawNode`: a disk in memory, every Ready handled until there is
//! none, and nothing applied without a request. It cannot copy a replica. [`Wrong`] says what is
//! wrong with it, from the first campaign on.

mod convert;

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

use convert::{conf_of, entry_of, joint, message_of, simple, to_conf, to_entry, to_message};
use raft::eraftpb;
use raft::eraftpb::ConfState;
use raft::{GetEntriesContext, ProgressState, RaftState, RawNode, StateRole, Storage, StorageError};
use rollcall_checks::subject::wire::{
    Answer, Bytes, Done, Handshake, PROTOCOL, Reading, Request, Role, Shape, Snapshot, Status, Verb,
};

/// What is wrong with an adapter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    /// Answers after the time-out.
    Late,
    /// Stops in the middle of a line.
    HalfALine,
    /// Answers twice.
    Twice,
    /// Does not answer, and goes on reading.
    Never,
    /// Does not answer, and stops reading.
    Deaf,
    /// Answers with something that is not JSON.
    Nonsense,
    /// Answers with another request's number.
    OtherNumber,
    /// Sends messages in another replica's name.
    OtherId,
    /// Answers with another replica's status.
    AnotherNode,
    /// Exits.
    Dies,
    /// Its library panics, and it reports that.
    Panics,
    /// Answers with neither `ok` nor an error.
    Empty,
    /// Sends only those messages of a Ready that need not wait for the disk.
    HalfAReady,
    /// Applies committed entries without a request.
    AppliesAtOnce,
    /// Forgets its vote at a restart.
    ForgetsVote,
    /// Uses another version of the protocol.
    OtherProtocol,
    /// Claims an unknown capability.
    UnknownCapability,
    /// Does not support learners.
    NoLearners,
    /// Is of another design.
    OtherDesign,
    /// Declines every change of its members.
    DeclinesChanges,
    /// Its library commits what one replica has.
    CommitsAlone,
}

impl Wrong {
    pub(crate) const ALL: &[(&str, Wrong)] = &[
        ("nothing", Wrong::Nothing),
        ("late", Wrong::Late),
        ("half_a_line", Wrong::HalfALine),
        ("twice", Wrong::Twice),
        ("never", Wrong::Never),
        ("deaf", Wrong::Deaf),
        ("nonsense", Wrong::Nonsense),
        ("other_number", Wrong::OtherNumber),
        ("other_id", Wrong::OtherId),
        ("another_node", Wrong::AnotherNode),
        ("dies", Wrong::Dies),
        ("panics", Wrong::Panics),
        ("empty", Wrong::Empty),
        ("half_a_ready", Wrong::HalfAReady),
        ("applies_at_once", Wrong::AppliesAtOnce),
        ("forgets_vote", Wrong::ForgetsVote),
        ("other_protocol", Wrong::OtherProtocol),
        ("unknown_capability", Wrong::UnknownCapability),
        ("no_learners", Wrong::NoLearners),
        ("other_design", Wrong::OtherDesign),
        ("declines_changes", Wrong::DeclinesChanges),
        ("commits_alone", Wrong::CommitsAlone),
    ];
}

/// The persisted state.
#[derive(Default)]
struct Disk {
    hard: eraftpb::HardState,
    conf: ConfState,
    applied: (u64, u64),
    truncated: (u64, u64),
    entries: Vec<eraftpb::Entry>,
}

impl Disk {
    fn last(&self) -> u64 {
        self.truncated.0 + self.entries.len() as u64
    }

    fn append(&mut self, entries: Vec<eraftpb::Entry>) {
        if let Some(first) = entries.first() {
            self.entries.truncate((first.index - self.truncated.0 - 1) as usize);
            self.entries.extend(entries);
        }
    }
}

impl Storage for Disk {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState { hard_state: self.hard.clone(), conf_state: self.conf.clone() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        most: impl Into<Option<u64>>,
        _: GetEntriesContext,
    ) -> raft::Result<Vec<eraftpb::Entry>> {
        if low <= self.truncated.0 {
            return Err(StorageError::Compacted.into());
        }
        let (low, high) = (low - self.truncated.0 - 1, high - self.truncated.0 - 1);
        let mut entries = self.entries[low as usize..high as usize].to_vec();
        raft::util::limit_size(&mut entries, most.into());
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        match index.checked_sub(self.truncated.0) {
            None => Err(StorageError::Compacted.into()),
            Some(0) => Ok(self.truncated.1),
            Some(at) => {
                let entry = self.entries.get(at as usize - 1);
                entry.map(|entry| entry.term).ok_or_else(|| StorageError::Unavailable.into())
            }
        }
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.truncated.0 + 1)
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, _: u64, _: u64) -> raft::Result<eraftpb::Snapshot> {
        let mut snapshot = eraftpb::Snapshot::default();
        let metadata = snapshot.mut_metadata();
        (metadata.index, metadata.term) = self.applied;
        metadata.set_conf_state(self.conf.clone());
        Ok(snapshot)
    }
}

struct Node {
    raw: RawNode<Disk>,
    /// A Ready whose snapshot is pending.
    staged: Option<raft::Ready>,
    /// The messages of that Ready, to send once the snapshot is stored.
    stored: Vec<eraftpb::Message>,
}

impl Node {
    fn drain(&mut self, wrong: Wrong, done: &mut Done) {
        done.sent.extend(std::mem::take(&mut self.stored).iter().map(message_of));
        while self.staged.is_none() && self.raw.has_ready() {
            let mut ready = self.raw.ready();
            if let Some(hard) = ready.hs() {
                self.raw.mut_store().hard = hard.clone();
            }
            if !ready.snapshot().is_empty() {
                let metadata = ready.snapshot().get_metadata();
                let conf = conf_of(metadata.get_conf_state());
                done.snapshot = Some(Snapshot { index: metadata.index, term: metadata.term, conf });
                self.staged = Some(ready);
                return;
            }
            let entries = ready.take_entries();
            done.appended.extend(entries.iter().map(entry_of));
            self.raw.mut_store().append(entries);
            done.reads.extend(ready.take_read_states().into_iter().map(|state| Bytes(state.request_ctx)));
            let mut messages = ready.take_messages();
            if wrong != Wrong::HalfAReady {
                messages.extend(ready.take_persisted_messages());
            }
            let mut light = self.raw.advance_append(ready);
            messages.extend(light.take_messages());
            if let Some(commit) = light.commit_index() {
                self.raw.mut_store().hard.commit = commit;
            }
            done.sent.extend(messages.iter().map(message_of));
        }
        if wrong == Wrong::AppliesAtOnce && self.staged.is_none() {
            let commit = self.raw.raft.raft_log.committed;
            self.applied(commit);
        }
    }

    fn applied(&mut self, index: u64) {
        let term = self.raw.store().term(index).expect("it is in the log");
        self.raw.mut_store().applied = (index, term);
        self.raw.advance_apply_to(index);
    }

    fn status(&self) -> Status {
        let (raft, log) = (&self.raw.raft, &self.raw.raft.raft_log);
        let (leads, asks) = (raft.state == StateRole::Leader, raft.state == StateRole::Candidate);
        let place = |index: u64| (index, log.term(index).unwrap_or_default());
        let reads = raft.read_only.pending_read_index.iter().map(|(context, status)| Reading {
            context: Bytes(context.clone()),
            acks: status.acks.iter().copied().collect(),
        });
        let matched = raft.prs().iter().map(|(id, progress)| (*id, progress.matched));
        let votes = raft.prs().votes().iter().map(|(id, granted)| (*id, *granted));
        Status {
            id: raft.id,
            term: raft.term,
            vote: raft.vote,
            role: match raft.state {
                StateRole::Leader => Role::Leader,
                StateRole::Candidate | StateRole::PreCandidate => Role::Candidate,
                StateRole::Follower => Role::Follower,
            },
            leader: raft.leader_id,
            commit: place(log.committed),
            applied: place(log.applied),
            last: place(log.last_index()),
            promotable: raft.promotable(),
            transferee: raft.lead_transferee.unwrap_or_default(),
            pending_change: if leads { raft.pending_conf_index } else { 0 },
            votes: votes.filter(|_| asks).collect(),
            matched: matched.filter(|_| leads).collect(),
            reading: reads.filter(|_| leads).collect(),
        }
    }
}

/// All replicas of one run.
pub(crate) struct Adapter {
    wrong: Wrong,
    armed: bool,
    nodes: BTreeMap<u64, Node>,
}

impl Adapter {
    pub(crate) fn new(wrong: Wrong) -> Self {
        Self { wrong, armed: false, nodes: BTreeMap::new() }
    }

    /// Answers requests until its input ends.
    pub(crate) fn serve(mut self) {
        for line in std::io::stdin().lock().lines() {
            let line = line.expect("standard input is text");
            let request: Request = serde_json::from_str(&line).expect("Rollcall speaks its own protocol");
            let (seq, is_campaign) = (request.seq, matches!(request.verb, Verb::Campaign { .. }));
            self.armed |= is_campaign;
            let answer = if let Verb::Hello { .. } = request.verb {
                let ok = Some(self.handshake());
                serde_json::to_string(&Answer { seq, ok, refused: None, failed: None })
            } else {
                serde_json::to_string(&self.answer(seq, request.verb))
            };
            self.say(answer.expect("an answer is JSON"), seq);
        }
    }

    fn say(&self, answer: String, seq: u64) {
        let mut out = std::io::stdout().lock();
        let mut say = |text: &str| {
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).expect("somebody listens");
        };
        match self.wrong {
            _ if !self.armed => say(&format!("{answer}\n")),
            Wrong::Late => {
                std::thread::sleep(std::time::Duration::from_secs(3));
                say(&format!("{answer}\n"));
            }
            Wrong::HalfALine => say(&answer[..answer.len() / 2]),
            Wrong::Twice => say(&format!("{answer}\n{answer}\n")),
            Wrong::Never => {}
            Wrong::Deaf => loop {
                std::thread::park();
            },
            Wrong::Nonsense => say("ok\n"),
            Wrong::OtherNumber => {
                say(&format!(
                    "{}\n",
                    answer.replace(&format!("\"seq\":{seq}"), &format!("\"seq\":{}", seq + 7))
                ));
            }
            Wrong::Dies => std::process::exit(7),
            _ => say(&format!("{answer}\n")),
        }
    }

    fn handshake(&self) -> Handshake {
        let mut has = vec!["learners", "joint", "transfer", "reads", "snapshots", "compact"];
        has.extend(["probe", "apply_when_told"]);
        match self.wrong {
            Wrong::UnknownCapability => has.push("telepathy"),
            Wrong::NoLearners => has.retain(|has| *has != "learners"),
            _ => {}
        }
        Handshake {
            protocol: if self.wrong == Wrong::OtherProtocol { 2 } else { PROTOCOL },
            level: "node".into(),
            name: "raft-rs by wire".into(),
            version: "0.7.0".into(),
            has: has.into_iter().map(Into::into).collect(),
            dialect: Vec::new(),
            by_design: if self.wrong == Wrong::OtherDesign {
                vec!["changes_when_appended".into()]
            } else {
                Vec::new()
            },
        }
    }

    fn answer(&mut self, seq: u64, verb: Verb) -> Answer {
        let node = node_of(&verb);
        let taken = catch_unwind(AssertUnwindSafe(|| {
            assert!(!(self.wrong == Wrong::Panics && self.armed), "raft finds itself broken");
            self.take(verb)
        }));
        let answer = Answer { seq, ok: None, refused: None, failed: None };
        match taken {
            Ok(Ok(_)) if self.wrong == Wrong::Empty && self.armed => answer,
            Ok(Ok(mut done)) => {
                self.spoil(node, &mut done);
                Answer { ok: Some(done), ..answer }
            }
            Ok(Err(words)) => Answer { refused: Some(words), ..answer },
            Err(panic) => {
                self.nodes.remove(&node);
                let words = panic.downcast_ref::<&str>().copied().map(String::from);
                let words = words.or_else(|| panic.downcast_ref::<String>().cloned());
                Answer { failed: Some(words.unwrap_or_default()), ..answer }
            }
        }
    }

    fn spoil(&self, node: u64, done: &mut Done) {
        match self.wrong {
            Wrong::OtherId if self.armed => done.sent.iter_mut().for_each(|message| message.from += 1),
            Wrong::AnotherNode if self.armed => {
                let other = self.nodes.iter().find(|(handle, _)| **handle != node);
                done.status = other.map(|(_, other)| other.status());
            }
            _ => {}
        }
    }

    fn take(&mut self, verb: Verb) -> Result<Done, String> {
        let wrong = self.wrong;
        let handle = node_of(&verb);
        if let Verb::Close { .. } = verb {
            self.nodes.remove(&handle);
            return Ok(Done::default());
        }
        if wrong == Wrong::DeclinesChanges && matches!(verb, Verb::ProposeChange { .. }) {
            return Err("a rule of its own".into());
        }
        if let Verb::Open(open) = verb {
            let mut hard = eraftpb::HardState { term: open.term, commit: open.commit, ..Default::default() };
            hard.vote = if wrong == Wrong::ForgetsVote && self.armed { 0 } else { open.vote };
            let disk = Disk {
                hard,
                conf: to_conf(open.conf),
                applied: (open.applied, 0),
                truncated: open.truncated,
                entries: open.entries.into_iter().map(to_entry).collect(),
            };
            let config = raft::Config {
                id: open.id,
                applied: open.applied,
                election_tick: 2,
                heartbeat_tick: 1,
                max_size_per_msg: raft::NO_LIMIT,
                ..Default::default()
            };
            let nowhere = slog::Logger::root(slog::Discard, slog::o!());
            let mut raw = RawNode::new(&config, disk, &nowhere).map_err(|error| error.to_string())?;
            let term = raw.store().term(open.applied).unwrap_or_default();
            raw.mut_store().applied = (open.applied, term);
            self.nodes.insert(handle, Node { raw, staged: None, stored: Vec::new() });
        } else {
            let node = self.nodes.get_mut(&handle).ok_or("there is no such replica")?;
            drive(node, verb).map_err(|error| error.to_string())?;
        }
        let node = self.nodes.get_mut(&handle).expect("it was looked up");
        if wrong == Wrong::CommitsAlone && node.raw.raft.state == StateRole::Leader {
            let last = node.raw.raft.raft_log.last_index();
            node.raw.raft.raft_log.commit_to(last);
        }
        let mut done = Done::default();
        node.drain(wrong, &mut done);
        done.status = Some(node.status());
        Ok(done)
    }
}

fn drive(node: &mut Node, verb: Verb) -> raft::Result<()> {
    let raw = &mut node.raw;
    match verb {
        Verb::Campaign { .. } => raw.campaign()?,
        Verb::Tick { .. } => drop(raw.tick()),
        Verb::Step { message, .. } => raw.step(to_message(message))?,
        Verb::Propose { data, .. } => raw.propose(Vec::new(), data.0)?,
        Verb::ProposeChange { change, data, .. } if change.shape == Shape::Simple => {
            raw.propose_conf_change(data.0, simple(&change))?;
        }
        Verb::ProposeChange { change, data, .. } => raw.propose_conf_change(data.0, joint(&change))?,
        Verb::ApplyChange { change, .. } => {
            let conf = match change.shape {
                Shape::Simple => raw.apply_conf_change(&simple(&change))?,
                Shape::Enter | Shape::Leave => raw.apply_conf_change(&joint(&change))?,
            };
            raw.mut_store().conf = conf;
        }
        Verb::Applied { index, .. } => node.applied(index),
        Verb::TakeSnapshot { .. } => {
            let ready = node.staged.take().expect("one waits");
            let metadata = ready.snapshot().get_metadata().clone();
            let disk = raw.mut_store();
            (disk.applied, disk.truncated) =
                ((metadata.index, metadata.term), (metadata.index, metadata.term));
            disk.conf = metadata.get_conf_state().clone();
            disk.hard.commit = metadata.index;
            disk.entries.clear();
            node.stored = ready.persisted_messages().to_vec();
            raw.advance_append(ready);
            raw.advance_apply_to(metadata.index);
        }
        Verb::Compact { index, .. } => {
            let term = raw.store().term(index)?;
            let disk = raw.mut_store();
            disk.entries.drain(..(index - disk.truncated.0) as usize);
            disk.truncated = (index, term);
        }
        Verb::Probe { to, next, one, .. } => {
            probe(raw, to, next);
            raw.raft.max_msg_size = if one { 0 } else { raft::NO_LIMIT };
            raw.raft.send_append(to);
            raw.raft.max_msg_size = raft::NO_LIMIT;
        }
        Verb::Beat { to, .. } => {
            probe(raw, to, raw.raft.raft_log.last_index() + 1);
            raw.ping();
        }
        Verb::Transfer { to, .. } => raw.transfer_leader(to),
        Verb::Read { context, .. } => raw.read_index(context.0),
        Verb::Follow { term, .. } => raw.raft.become_follower(term, 0),
        Verb::Fork { .. } => return Err(raft::Error::ProposalDropped),
        Verb::Hello { .. } | Verb::Open(_) | Verb::Close { .. } | Verb::Reset { .. } | Verb::Apply { .. } => {
            unreachable!("was taken before")
        }
    }
    Ok(())
}

fn probe(raw: &mut RawNode<Disk>, to: u64, next: u64) {
    if let Some(progress) = raw.raft.mut_prs().get_mut(to) {
        progress.state = ProgressState::Probe;
        progress.paused = false;
        progress.pending_snapshot = 0;
        progress.recent_active = true;
        progress.next_idx = next;
        progress.ins.reset();
    }
}

fn node_of(verb: &Verb) -> u64 {
    match verb {
        Verb::Hello { .. } | Verb::Reset { .. } | Verb::Apply { .. } => 0,
        Verb::Open(open) => open.node,
        Verb::Close { node }
        | Verb::Campaign { node }
        | Verb::Tick { node }
        | Verb::Step { node, .. }
        | Verb::Propose { node, .. }
        | Verb::ProposeChange { node, .. }
        | Verb::ApplyChange { node, .. }
        | Verb::Applied { node, .. }
        | Verb::TakeSnapshot { node }
        | Verb::Compact { node, .. }
        | Verb::Probe { node, .. }
        | Verb::Beat { node, .. }
        | Verb::Transfer { node, .. }
        | Verb::Read { node, .. }
        | Verb::Follow { node, .. }
        | Verb::Fork { node, .. } => *node,
    }
}
