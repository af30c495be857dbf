//! The self-test of an adapter: six situations with one right result each.
//!
//! A wrong adapter looks like a wrong Raft library. So the self-test first checks what every Raft
//! library does: an election, an append, a conflicting log, a membership change, a restart, a
//! snapshot. Nothing else happens, no reply is lost, and each message is delivered once. Errors are
//! in the words of the adapter's protocol and say where to look.

mod bench;
mod cluster;

use std::collections::BTreeMap;

use super::wire::{Bytes, Change, Kind, MessageType, Open, Role, Shape, Single, Status, Verb};
use super::{Fault, Link, caught};
use bench::{BEGIN, Bench, Replica, is};
pub use cluster::{OF_A_CLUSTER, OfACluster, look_at_cluster};

/// What is wrong, in words for the author of an adapter.
type Checked = Result<(), String>;

/// A situation of the self-test.
pub struct Situation {
    /// Its name.
    pub name: &'static str,
    /// What it checks.
    pub about: &'static str,
    /// The capabilities that it needs, of [`CAPABILITIES`](super::wire::CAPABILITIES).
    needs: &'static [&'static str],
    /// Of what design it has another result, of [`DESIGNS`](super::dialect::DESIGNS).
    unlike: &'static [&'static str],
    check: fn(&mut Bench) -> Checked,
}

/// The result of a situation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is right.
    Fine,
    /// What is wrong.
    Wrong(String),
    /// It was not checked, because the adapter lacks this.
    Skipped(&'static str),
    /// It was not looked at, for the library is of this other design.
    ByDesign(&'static str),
}

/// The situations; each builds on those before.
pub const SITUATIONS: &[Situation] = &[
    Situation { name: "election", about: "open, campaign, step", needs: &[], unlike: &[], check: election },
    Situation { name: "append", about: "propose, step, applied", needs: &[], unlike: &[], check: append },
    Situation {
        name: "conflict",
        about: "entries that were never committed are written over",
        needs: &[],
        unlike: &["voters_keep_their_leader"],
        check: conflict,
    },
    Situation {
        name: "change",
        about: "propose_change, apply_change",
        needs: &["learners"],
        unlike: &["changes_when_appended"],
        check: change,
    },
    Situation {
        name: "restart",
        about: "open on what was appended",
        needs: &[],
        unlike: &[],
        check: restart,
    },
    Situation {
        name: "snapshot",
        about: "compact, probe, take_snapshot",
        needs: &["probe", "snapshots", "compact", "apply_when_told"],
        unlike: &[],
        check: snapshot,
    },
];

/// Checks one situation on new replicas.
pub fn look(link: &Link, situation: &Situation) -> Verdict {
    if let Some(lacks) = situation.needs.iter().find(|needed| !link.has(needed)) {
        return Verdict::Skipped(lacks);
    }
    let shaken = link.handshake();
    if let Some(design) = situation.unlike.iter().find(|name| shaken.by_design.iter().any(|is| is == *name)) {
        return Verdict::ByDesign(design);
    }
    let mut bench = Bench { link: link.clone(), replicas: BTreeMap::new(), under_way: Vec::new() };
    match caught(|| (situation.check)(&mut bench)) {
        Ok(Ok(())) => Verdict::Fine,
        Ok(Err(words)) => Verdict::Wrong(words),
        Err(Fault { words, wire }) => Verdict::Wrong(Fault { words, wire }.to_string()),
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
            "every replica has entry 6, but `matched` of replica 1 is {matched:?}; it must have all three, replica 1 included"
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
                "replica {id} `appended` {:?}, but it received entry 6 of term 6",
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
                "after `propose` and every `step` replica {id}'s last entry `appended` is {}/{}, but must be 7/6: is Ready handled until there is none?",
                last.index, last.term
            ));
        }
        if last.data != data {
            return Err(format!(
                "the `data` of entry 7 on replica {id} differs from the proposal: is it base64?"
            ));
        }
        if bench.status(id).commit != (7, 6) {
            return Err(format!(
                "every replica has entry 7, but `commit` of replica {id} is {:?}",
                bench.status(id).commit
            ));
        }
        if bench.status(id).applied != (6, 6) {
            return Err(format!(
                "there was no `applied` for entry 7, but `applied` of replica {id} is {:?}",
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
    // These two entries are never delivered.
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
            "replica 1 had two entries of term 6 that no other replica has, and received entry 7 of term 7: its log must be [(6, 6), (7, 7)], but by its `appended` it is {:?}",
            bench.log(1)
        ));
    }
    if (bench.status(1).role, bench.status(1).leader, bench.status(1).term) != (Role::Follower, 2, 7) {
        return Err(format!(
            "replica 2 deposed replica 1 in term 7, but the `status` of replica 1 is {:?}",
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
                "entry {} that replica {id} `appended` is a membership change, but has no `change`",
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
            "a change at index 7 is not applied, but the leader's `pending_change` is {}",
            bench.status(1).pending_change
        ));
    }
    if bench.status(1).matched.contains_key(&4) {
        return Err(
            "the leader's `matched` has 4 before `apply_change`; a change must take effect with `apply_change`"
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
            "after `apply_change` 4 is a learner, but the leader's `matched` is {:?}",
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
    is("opened again on its entries, replica 2 must be a follower without a leader:", &again, &expected)
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
            "the leader's log begins after 6, so after `probe` from 6 it must send 3 a `snapshot`, but it `sent` {:?}",
            done.sent.iter().map(|message| message.kind).collect::<Vec<_>>()
        ));
    };
    let of = sent.snapshot.clone().unwrap_or_default();
    if (of.index, of.term) != (6, 6) {
        return Err(format!("the snapshot is of {}/{}, but 6/6 is applied", of.index, of.term));
    }
    if of.conf.voters != [1, 2, 3] {
        return Err(format!(
            "the voters in the snapshot's `conf` are {:?}, but must be 1, 2 and 3",
            of.conf.voters
        ));
    }
    bench.under_way.clear();
    let done = bench.tell(3, |node| Verb::Step { node, message: sent })?;
    let waits = done.snapshot.clone().unwrap_or_default();
    if (waits.index, waits.term) != (6, 6) {
        return Err(format!(
            "after `step` of a snapshot the answer's `snapshot` is {:?}, but it must wait for `take_snapshot`",
            done.snapshot
        ));
    }
    if !done.sent.is_empty() {
        return Err("the response to a snapshot must be sent after `take_snapshot`, not before".into());
    }
    let replica = bench.replicas.get_mut(&3).expect("it was opened");
    (replica.truncated, replica.entries) = ((6, 6), Vec::new());
    let done = bench.tell(3, |node| Verb::TakeSnapshot { node })?;
    let status = bench.status(3);
    if (status.applied, status.commit, status.last) != ((6, 6), (6, 6), (6, 6)) {
        return Err(format!(
            "after `take_snapshot` the `status` must have 6/6 everywhere, but is {status:?}"
        ));
    }
    if !done.sent.iter().any(|message| message.kind == MessageType::AppendAnswer && message.to == 1) {
        return Err("after `take_snapshot` a response to the leader must be `sent`, but none was".into());
    }
    Ok(())
}
