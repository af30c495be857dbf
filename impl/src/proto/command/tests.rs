use std::sync::Arc;

use super::{Change, ChangeKind, Child, Command, Derive, Request};
use crate::proto::merge::{CarriedEntry, CommitMerge};
use crate::proto::region::{Epoch, Key, Member, MemberRole, Region};

fn bytes(text: &str) -> Key {
    Arc::from(text.as_bytes())
}

fn region() -> Region {
    let peers = vec![Member { id: 21, store: 1, role: MemberRole::Learner }];
    Region { start: bytes("a"), epoch: Epoch { conf_ver: 3, version: 200 }, peers, ..Region::unknown(2) }
}

fn carried() -> Vec<CarriedEntry> {
    let entry = |index, data| CarriedEntry { index, term: 6, data: bytes(data) };
    vec![entry(299, ""), entry(300, "data")]
}

fn commands() -> Vec<Command> {
    let change = Change { kind: ChangeKind::AddLearner, peer: 300, store: 3 };
    let child = |key, region, peers: &[u64]| Child { key: bytes(key), region, peers: peers.to_vec() };
    vec![
        Command::Put { key: bytes("k"), value: bytes("") },
        Command::Delete { key: bytes("k") },
        Command::ChangePeer(change),
        Command::EnterJoint(vec![change, Change { kind: ChangeKind::Remove, ..change }]),
        Command::LeaveJoint,
        Command::Split { children: Vec::new(), derive: Derive::Left },
        Command::Split {
            children: vec![child("a", 10, &[11, 12, 13]), child("m", 14, &[])],
            derive: Derive::Right,
        },
        Command::TransferLeader { to: 2 },
        Command::CompactLog { index: 1 << 40 },
        Command::prepare_merge(region()),
        Command::CommitMerge(Box::new(CommitMerge { source: region(), commit: 300, entries: carried() })),
        Command::commit_merge(9),
        Command::RollbackMerge { commit: 1 << 20 },
    ]
}

#[test]
fn encoded_values_decode_to_themselves() {
    for command in commands() {
        let request = Request { command, epoch: Epoch { conf_ver: 3, version: 200 } };
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }
}

#[test]
fn truncated_and_overlong_bytes_are_refused() {
    for command in commands() {
        let mut encoded = Request { command, epoch: Epoch::default() }.encode();
        for length in 0..encoded.len() {
            assert!(Request::decode(&encoded[..length]).is_err(), "{encoded:?} cut at {length}");
        }
        encoded.push(0);
        assert!(Request::decode(&encoded).is_err(), "{encoded:?}");
    }
}
