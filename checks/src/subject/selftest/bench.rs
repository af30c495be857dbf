//! The bench of the self-test: three replicas of the adapter, their messages and their disks.

use super::super::Link;
use super::super::link::{Handle, Said};
use super::super::wire::{Conf, Done, Entry, Message, MessageType, Open, Role, Status, Verb};
use super::Checked;
use std::collections::BTreeMap;

/// A replica of the bench: what it has persisted, and its status.
pub(super) struct Replica {
    pub(super) handle: Handle,
    pub(super) truncated: (u64, u64),
    pub(super) entries: Vec<Entry>,
    pub(super) conf: Conf,
    pub(super) status: Status,
}

/// Replicas under test, and the messages in flight.
pub(super) struct Bench {
    pub(super) link: Link,
    pub(super) replicas: BTreeMap<u64, Replica>,
    pub(super) under_way: Vec<Message>,
}

/// The initial position of every log.
pub(super) const BEGIN: (u64, u64) = (5, 5);

impl Bench {
    /// Opens a new group of three voters: term 5, with index 5 truncated, committed and applied.
    pub(super) fn three(&mut self) -> Checked {
        let conf = Conf { voters: vec![1, 2, 3], ..Conf::default() };
        for id in 1..=3 {
            let begun = Open {
                term: 5,
                commit: 5,
                applied: 5,
                truncated: BEGIN,
                conf: conf.clone(),
                ..Open::default()
            };
            let status = self.open(id, begun)?;
            let expected = Status {
                term: 5,
                commit: BEGIN,
                applied: BEGIN,
                last: BEGIN,
                promotable: true,
                ..Status::default()
            };
            is(&format!("after `open` of replica {id}"), &status, &expected)?;
        }
        Ok(())
    }

    pub(super) fn open(&mut self, id: u64, begun: Open) -> Result<Status, String> {
        let handle = self.link.handle();
        let (truncated, entries, conf) = (begun.truncated, begun.entries.clone(), begun.conf.clone());
        let open = Open { node: handle.node, id, ..begun };
        self.replicas.insert(id, Replica { handle, truncated, entries, conf, status: Status::default() });
        self.tell(id, |_| Verb::Open(open))?;
        Ok(self.replicas[&id].status.clone())
    }

    /// Sends a verb to a replica, persists what it appends, and queues what it sends.
    pub(super) fn tell(&mut self, id: u64, verb: impl FnOnce(u64) -> Verb) -> Result<Done, String> {
        let replica = self.replicas.get_mut(&id).ok_or("no such replica")?;
        let verb = verb(replica.handle.node);
        let name = verb.name();
        let done = match self.link.ask(verb, replica.handle.of) {
            Said::Done(done) => *done,
            Said::Refused(words) => return Err(format!("`{name}` of replica {id} is refused: {words}")),
            Said::Failed(words) => return Err(format!("`{name}` of replica {id} failed: {words}")),
        };
        let status = done.status.clone();
        replica.status = status.ok_or(format!("`{name}` of replica {id} was answered without a `status`"))?;
        if replica.status.id != id {
            return Err(format!("`{name}` of replica {id} was answered with `id` {}", replica.status.id));
        }
        for entry in &done.appended {
            let at = entry.index.checked_sub(replica.truncated.0 + 1).map(|at| at as usize);
            let at = at.filter(|at| *at <= replica.entries.len());
            let at = at.ok_or(format!(
                "after `{name}` replica {id} `appended` entry {}, which does not join its log",
                entry.index
            ))?;
            replica.entries.truncate(at);
            replica.entries.push(entry.clone());
        }
        let end = replica.entries.last().map_or(replica.truncated, |entry| (entry.index, entry.term));
        if done.snapshot.is_none() && end != replica.status.last {
            return Err(format!(
                "after `{name}` of replica {id} its `appended` entries end at {end:?}, but its `status` has `last` {:?}: is Ready handled until there is none, and every entry of it reported?",
                replica.status.last
            ));
        }
        if let Some(stranger) = done.sent.iter().find(|message| message.from != id) {
            return Err(format!(
                "after `{name}` replica {id} `sent` a message from {}; it must only send its own",
                stranger.from
            ));
        }
        self.under_way.extend(done.sent.iter().cloned());
        Ok(done)
    }

    /// Delivers until no message is in flight. Replicas in `away` receive nothing.
    pub(super) fn deliver(&mut self, away: &[u64]) -> Checked {
        for _ in 0..1_000 {
            if self.under_way.is_empty() {
                return Ok(());
            }
            let message = self.under_way.remove(0);
            let to = message.to;
            if !away.contains(&to) && self.replicas.contains_key(&to) {
                self.tell(to, |node| Verb::Step { node, message })?;
            }
        }
        Err("1,000 messages were delivered and more are in flight: does it respond to responses?".into())
    }

    /// Every replica applies what is committed.
    pub(super) fn apply_all(&mut self, away: &[u64]) -> Checked {
        let ids: Vec<u64> = self.replicas.keys().copied().filter(|id| !away.contains(id)).collect();
        for id in ids {
            let (commit, applied) = (self.status(id).commit.0, self.status(id).applied.0);
            if commit > applied {
                self.tell(id, |node| Verb::Applied { node, index: commit })?;
                let now = self.status(id).applied.0;
                if now != commit {
                    return Err(format!(
                        "after `applied` up to {commit} `applied` in the `status` of replica {id} is {now}"
                    ));
                }
            }
        }
        Ok(())
    }

    pub(super) fn status(&self, id: u64) -> &Status {
        &self.replicas[&id].status
    }

    pub(super) fn log(&self, id: u64) -> Vec<(u64, u64)> {
        self.replicas[&id].entries.iter().map(|entry| (entry.index, entry.term)).collect()
    }

    /// Elects replica `id` by all that are not away, and replicates its first entry.
    pub(super) fn elect(&mut self, id: u64, away: &[u64]) -> Checked {
        let term = self.status(id).term;
        let done = self.tell(id, |node| Verb::Campaign { node })?;
        if self.status(id).term != term + 1 || self.status(id).role != Role::Candidate {
            return Err(format!(
                "after `campaign` replica {id} is a {:?} of term {}; it must be a candidate of term {}",
                self.status(id).role,
                self.status(id).term,
                term + 1
            ));
        }
        let asked: Vec<u64> = done
            .sent
            .iter()
            .filter(|message| message.kind == MessageType::Vote)
            .map(|message| message.to)
            .collect();
        let others = [1, 2, 3].into_iter().filter(|other| *other != id).collect::<Vec<u64>>();
        let mut sorted = asked;
        sorted.sort_unstable();
        if sorted != others {
            return Err(format!(
                "after `campaign` of replica {id} `vote` messages were `sent` to {sorted:?}, but {others:?} are the voters: is Ready handled until there is none, and are its messages reported?"
            ));
        }
        self.deliver(away)?;
        if self.status(id).role != Role::Leader {
            return Err(format!(
                "every voter was asked, but replica {id} is a {:?} with the votes {:?}: does `step` take the message's `body`, and is every message of a Ready `sent`, including those that wait for the disk?",
                self.status(id).role,
                self.status(id).votes
            ));
        }
        Ok(())
    }
}

/// Compares a status with the expected one, field by field.
pub(super) fn is(when: &str, status: &Status, expected: &Status) -> Checked {
    let fields = [
        ("term", format!("{:?}", status.term), format!("{:?}", expected.term)),
        ("vote", format!("{:?}", status.vote), format!("{:?}", expected.vote)),
        ("role", format!("{:?}", status.role), format!("{:?}", expected.role)),
        ("leader", format!("{:?}", status.leader), format!("{:?}", expected.leader)),
        ("commit", format!("{:?}", status.commit), format!("{:?}", expected.commit)),
        ("applied", format!("{:?}", status.applied), format!("{:?}", expected.applied)),
        ("last", format!("{:?}", status.last), format!("{:?}", expected.last)),
        ("promotable", format!("{:?}", status.promotable), format!("{:?}", expected.promotable)),
    ];
    match fields.into_iter().find(|(_, is, must)| is != must) {
        Some((field, is, must)) => Err(format!("{when} its `{field}` is {is}, and must be {must}")),
        None => Ok(()),
    }
}
