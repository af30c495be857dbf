//! The self-test of an adapter: six situations in which nothing can be in doubt.
//!
//! A wrong adapter looks like a wrong raft, so it is asked first what any raft does: an
//! election, an append, a log that conflicts, a change of members, a restart, a snapshot.
//! Nothing else is under way, no answer is lost, and each message is delivered once. What
//! is not as it must be is told in an adapter writer's words, with where to look.

use std::collections::BTreeMap;

use super::link::{Handle, Said};
use super::wire::{
    Bytes, Change, Conf, Done, Entry, Kind, Message, MessageType, Open, Role, Shape, Single, Status, Verb,
};
use super::{Fault, Link, caught};

/// What is wrong, in words, for who writes an adapter.
type Checked = Result<(), String>;

/// A situation of the self-test.
pub struct Situation {
    /// Its name.
    pub name: &'static str,
    /// What it looks at.
    pub about: &'static str,
    /// What it cannot be looked at without, of [`CAPABILITIES`](super::wire::CAPABILITIES).
    needs: &'static [&'static str],
    check: fn(&mut Bench) -> Checked,
}

/// What came of a situation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is as it must be.
    Fine,
    /// It is not, and this is wrong.
    Wrong(String),
    /// It was not looked at, for the adapter has not got this.
    Skipped(&'static str),
}

/// The situations, in the order in which they build on each other.
pub const SITUATIONS: &[Situation] = &[
    Situation { name: "election", about: "open, campaign, step", needs: &[], check: election },
    Situation { name: "append", about: "propose, step, applied", needs: &[], check: append },
    Situation {
        name: "conflict",
        about: "entries that were never committed are written over",
        needs: &[],
        check: conflict,
    },
    Situation { name: "change", about: "propose_change, apply_change", needs: &["learners"], check: change },
    Situation { name: "restart", about: "open on what was appended", needs: &[], check: restart },
    Situation {
        name: "snapshot",
        about: "compact, probe, take_snapshot",
        needs: &["probe", "snapshots", "compact", "apply_when_told"],
        check: snapshot,
    },
];

/// Looks at one situation, on replicas of its own.
pub fn look(link: &Link, situation: &Situation) -> Verdict {
    if let Some(lacks) = situation.needs.iter().find(|needed| !link.has(needed)) {
        return Verdict::Skipped(lacks);
    }
    let mut bench = Bench { link: link.clone(), replicas: BTreeMap::new(), under_way: Vec::new() };
    match caught(|| (situation.check)(&mut bench)) {
        Ok(Ok(())) => Verdict::Fine,
        Ok(Err(words)) => Verdict::Wrong(words),
        Err(Fault { words, wire }) => Verdict::Wrong(Fault { words, wire }.to_string()),
    }
}

/// A replica of the bench: what it was told to keep, and how it stands.
struct Replica {
    handle: Handle,
    truncated: (u64, u64),
    entries: Vec<Entry>,
    conf: Conf,
    status: Status,
}

/// Replicas under test, and what is under way between them.
struct Bench {
    link: Link,
    replicas: BTreeMap<u64, Replica>,
    under_way: Vec<Message>,
}

/// Where every log begins.
const BEGIN: (u64, u64) = (5, 5);

impl Bench {
    /// Replicas of a new group of three voters: term 5, and index 5 discarded, committed and applied.
    fn three(&mut self) -> Checked {
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

    fn open(&mut self, id: u64, begun: Open) -> Result<Status, String> {
        let handle = self.link.handle();
        let (truncated, entries, conf) = (begun.truncated, begun.entries.clone(), begun.conf.clone());
        let open = Open { node: handle.node, id, ..begun };
        self.replicas.insert(id, Replica { handle, truncated, entries, conf, status: Status::default() });
        self.tell(id, |_| Verb::Open(open))?;
        Ok(self.replicas[&id].status.clone())
    }

    /// Tells a replica, keeps what it appends, and puts under way what it sends.
    fn tell(&mut self, id: u64, verb: impl FnOnce(u64) -> Verb) -> Result<Done, String> {
        let replica = self.replicas.get_mut(&id).ok_or("no such replica")?;
        let verb = verb(replica.handle.node);
        let name = verb.name();
        let done = match self.link.ask(verb, replica.handle.of) {
            Said::Done(done) => *done,
            Said::Refused(words) => return Err(format!("`{name}` of replica {id} is refused: {words}")),
            Said::Failed(words) => return Err(format!("`{name}` of replica {id} failed: {words}")),
        };
        let status = done.status.clone();
        replica.status = status.ok_or(format!("`{name}` of replica {id} is answered without a `status`"))?;
        if replica.status.id != id {
            return Err(format!("`{name}` of replica {id} is answered with `id` {}", replica.status.id));
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
                "after `{name}` of replica {id} what was `appended` ends at {end:?}, and its `status` says `last` is \
                 {:?}: is Ready handled until there is none, and every entry of it said?",
                replica.status.last
            ));
        }
        if let Some(stranger) = done.sent.iter().find(|message| message.from != id) {
            return Err(format!(
                "after `{name}` replica {id} `sent` a message from {}: it sends in its own name",
                stranger.from
            ));
        }
        self.under_way.extend(done.sent.iter().cloned());
        Ok(done)
    }

    /// Delivers until nothing is under way. Who is `away` gets nothing.
    fn deliver(&mut self, away: &[u64]) -> Checked {
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
        Err("1,000 messages were delivered, and more are under way: does it answer its own answers?".into())
    }

    /// Everybody applies what is committed.
    fn apply_all(&mut self, away: &[u64]) -> Checked {
        let ids: Vec<u64> = self.replicas.keys().copied().filter(|id| !away.contains(id)).collect();
        for id in ids {
            let (commit, applied) = (self.status(id).commit.0, self.status(id).applied.0);
            if commit > applied {
                self.tell(id, |node| Verb::Applied { node, index: commit })?;
                let now = self.status(id).applied.0;
                if now != commit {
                    return Err(format!(
                        "after `applied` up to {commit} the `status` of replica {id} says {now} is applied"
                    ));
                }
            }
        }
        Ok(())
    }

    fn status(&self, id: u64) -> &Status {
        &self.replicas[&id].status
    }

    fn log(&self, id: u64) -> Vec<(u64, u64)> {
        self.replicas[&id].entries.iter().map(|entry| (entry.index, entry.term)).collect()
    }

    /// Replica `id` is elected by all who are not away, and its first entry is everywhere.
    fn elect(&mut self, id: u64, away: &[u64]) -> Checked {
        let term = self.status(id).term;
        let done = self.tell(id, |node| Verb::Campaign { node })?;
        if self.status(id).term != term + 1 || self.status(id).role != Role::Candidate {
            return Err(format!(
                "after `campaign` replica {id} is a {:?} of term {}; it asks for votes in term {}",
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
                "after `campaign` of replica {id} `vote` messages to {sorted:?} were `sent`, where {others:?} vote: \
                 is Ready handled until there is none, and are its messages said?"
            ));
        }
        self.deliver(away)?;
        if self.status(id).role != Role::Leader {
            return Err(format!(
                "everybody was asked, and replica {id} is a {:?} with the votes {:?}: does `step` take the \
                 message's `body`, and is every message of a Ready `sent`, those that wait for the disk, too?",
                self.status(id).role,
                self.status(id).votes
            ));
        }
        Ok(())
    }
}

/// What a status must say, field by field.
fn is(when: &str, status: &Status, expected: &Status) -> Checked {
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

fn election(bench: &mut Bench) -> Checked {
    bench.three()?;
    bench.elect(1, &[])?;
    let leads = Status {
        term: 6,
        vote: 1,
        role: Role::Leader,
        leader: 1,
        commit: (6, 6),
        applied: BEGIN,
        last: (6, 6),
        promotable: true,
        ..Status::default()
    };
    is("elected, and its first entry answered for, replica 1 leads:", bench.status(1), &leads).map_err(
        |words| {
            if bench.status(1).applied == (6, 6) {
                format!("{words}: a committed entry is applied by `applied` alone, never by the adapter")
            } else {
                words
            }
        },
    )?;
    let matched: Vec<(u64, u64)> = bench.status(1).matched.iter().map(|(id, index)| (*id, *index)).collect();
    if matched != [(1, 6), (2, 6), (3, 6)] {
        return Err(format!(
            "everybody has entry 6, and replica 1 says `matched` is {matched:?}, itself included"
        ));
    }
    for id in [2, 3] {
        let follows = Status {
            term: 6,
            vote: 1,
            leader: 1,
            commit: (6, 6),
            applied: BEGIN,
            last: (6, 6),
            promotable: true,
            ..Status::default()
        };
        is(&format!("replica {id} follows:"), bench.status(id), &follows)?;
        if bench.log(id) != [(6, 6)] {
            return Err(format!(
                "replica {id} `appended` {:?}, and got the entry 6 of term 6",
                bench.log(id)
            ));
        }
    }
    Ok(())
}

fn append(bench: &mut Bench) -> Checked {
    bench.three()?;
    bench.elect(1, &[])?;
    bench.apply_all(&[])?;
    let data = Bytes(b"\x00an entry\xff".to_vec());
    bench.tell(1, |node| Verb::Propose { node, data: data.clone() })?;
    bench.deliver(&[])?;
    for id in 1..=3 {
        let last = bench.replicas[&id].entries.last().cloned().unwrap_or_default();
        if (last.index, last.term) != (7, 6) {
            return Err(format!(
                "after `propose` and every `step` replica {id}'s last entry `appended` is {}/{}; it is 7/6: is Ready \
                 handled until there is none?",
                last.index, last.term
            ));
        }
        if last.data != data {
            return Err(format!("replica {id} got other `data` in entry 7 than was proposed: is it base64?"));
        }
        if bench.status(id).commit != (7, 6) {
            return Err(format!(
                "everybody has entry 7, and replica {id} says `commit` is {:?}",
                bench.status(id).commit
            ));
        }
        if bench.status(id).applied != (6, 6) {
            return Err(format!(
                "entry 7 was not applied by `applied`, and replica {id} says `applied` is {:?}",
                bench.status(id).applied
            ));
        }
    }
    bench.apply_all(&[])
}

fn conflict(bench: &mut Bench) -> Checked {
    bench.three()?;
    bench.elect(1, &[])?;
    bench.apply_all(&[])?;
    // Nobody gets these two.
    for _ in 0..2 {
        bench.tell(1, |node| Verb::Propose { node, data: Bytes(b"lost".to_vec()) })?;
    }
    bench.under_way.clear();
    bench.elect(2, &[1])?;
    bench.under_way.clear();
    if bench.link.has("probe") {
        bench.tell(2, |node| Verb::Probe { node, to: 1, next: 7, one: false })?;
    } else {
        bench.tell(2, |node| Verb::Tick { node })?;
    }
    bench.deliver(&[])?;
    if bench.log(1) != [(6, 6), (7, 7)] {
        return Err(format!(
            "replica 1 had two entries of term 6 that nobody else has, and got entry 7 of term 7: its log is then \
             [(6, 6), (7, 7)], and what it `appended` makes {:?}",
            bench.log(1)
        ));
    }
    if (bench.status(1).role, bench.status(1).leader, bench.status(1).term) != (Role::Follower, 2, 7) {
        return Err(format!(
            "replica 1 was deposed by 2 in term 7, and its `status` is {:?}",
            bench.status(1)
        ));
    }
    Ok(())
}

fn change(bench: &mut Bench) -> Checked {
    bench.three()?;
    bench.elect(1, &[])?;
    bench.apply_all(&[])?;
    let change = Change { shape: Shape::Simple, changes: vec![Single { kind: Kind::AddLearner, peer: 4 }] };
    let context = Bytes(b"whose store".to_vec());
    let proposed = change.clone();
    bench.tell(1, |node| Verb::ProposeChange { node, change: proposed, data: context.clone() })?;
    bench.deliver(&[])?;
    for id in 1..=3 {
        let last = bench.replicas[&id].entries.last().cloned().unwrap_or_default();
        if last.change.is_none() {
            return Err(format!(
                "entry {} that replica {id} `appended` has no `change`, and is one",
                last.index
            ));
        }
        if last.data != context {
            return Err(format!(
                "the change's `data` (its context) is not what was proposed, on replica {id}"
            ));
        }
    }
    if bench.status(1).pending_change != 7 {
        return Err(format!(
            "a change was proposed at 7 and not applied, and the leader's `pending_change` is {}",
            bench.status(1).pending_change
        ));
    }
    if bench.status(1).matched.contains_key(&4) {
        return Err(
            "4 is in the leader's `matched` before `apply_change`: a change takes effect when it is told"
                .into(),
        );
    }
    for id in 1..=3 {
        let change = change.clone();
        bench.tell(id, |node| Verb::ApplyChange { node, change })?;
        bench.tell(id, |node| Verb::Applied { node, index: 7 })?;
    }
    if bench.status(1).matched.get(&4) != Some(&0) {
        return Err(format!(
            "after `apply_change` 4 is a learner, and the leader's `matched` is {:?}",
            bench.status(1).matched
        ));
    }
    Ok(())
}

fn restart(bench: &mut Bench) -> Checked {
    bench.three()?;
    bench.elect(1, &[])?;
    bench.apply_all(&[])?;
    let Replica { handle, truncated, entries, conf, status } =
        bench.replicas.remove(&2).expect("it was opened");
    bench.link.close(handle);
    let begun = Open {
        term: status.term,
        vote: status.vote,
        commit: status.commit.0,
        applied: status.applied.0,
        truncated,
        entries,
        conf,
        ..Open::default()
    };
    let again = bench.open(2, begun)?;
    let expected = Status {
        term: 6,
        vote: 1,
        commit: (6, 6),
        applied: (6, 6),
        last: (6, 6),
        promotable: true,
        ..Status::default()
    };
    is("opened again on what it had appended, replica 2 is a follower of nobody yet:", &again, &expected)
}

fn snapshot(bench: &mut Bench) -> Checked {
    bench.three()?;
    bench.elect(1, &[3])?;
    bench.under_way.clear();
    bench.apply_all(&[3])?;
    bench.tell(1, |node| Verb::Compact { node, index: 6 })?;
    let done = bench.tell(1, |node| Verb::Probe { node, to: 3, next: 6, one: false })?;
    let sent = done.sent.iter().find(|message| message.kind == MessageType::Snapshot && message.to == 3);
    let Some(sent) = sent.cloned() else {
        return Err(format!(
            "the leader's log begins behind 6, and after `probe` from 6 it `sent` {:?} to 3, and no `snapshot`",
            done.sent.iter().map(|message| message.kind).collect::<Vec<_>>()
        ));
    };
    let of = sent.snapshot.clone().unwrap_or_default();
    if (of.index, of.term) != (6, 6) {
        return Err(format!("the snapshot says it is of {}/{}, and 6/6 is applied", of.index, of.term));
    }
    if of.conf.voters != [1, 2, 3] {
        return Err(format!(
            "the snapshot's `conf` has the voters {:?}, and there are 1, 2 and 3",
            of.conf.voters
        ));
    }
    bench.under_way.clear();
    let done = bench.tell(3, |node| Verb::Step { node, message: sent })?;
    let waits = done.snapshot.clone().unwrap_or_default();
    if (waits.index, waits.term) != (6, 6) {
        return Err(format!(
            "after `step` of a snapshot its answer's `snapshot` is {:?}: it waits until `take_snapshot`",
            done.snapshot
        ));
    }
    if !done.sent.is_empty() {
        return Err("a snapshot that waits is answered for when it is stored, not before".into());
    }
    let replica = bench.replicas.get_mut(&3).expect("it was opened");
    (replica.truncated, replica.entries) = ((6, 6), Vec::new());
    let done = bench.tell(3, |node| Verb::TakeSnapshot { node })?;
    let status = bench.status(3);
    if (status.applied, status.commit, status.last) != ((6, 6), (6, 6), (6, 6)) {
        return Err(format!("after `take_snapshot` everything is at 6/6, and the `status` is {status:?}"));
    }
    if !done.sent.iter().any(|message| message.kind == MessageType::AppendAnswer && message.to == 1) {
        return Err("after `take_snapshot` the leader is answered, and nothing was `sent`".into());
    }
    Ok(())
}
