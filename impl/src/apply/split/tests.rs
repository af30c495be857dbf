use std::sync::Arc;

use super::{Division, divide, validate};
use crate::error::Refusal::{self, *};
use crate::guard::{Dropped, Guard, Sound};
use crate::proto::command::{Child, Command, Derive, Request};
use crate::proto::region::{Epoch, Key, Member, MemberRole, Region};
use MemberRole::{DemotingVoter, IncomingVoter, Learner, Voter};

fn key(text: &str) -> Key {
    Arc::from(text.as_bytes())
}

/// Region 1 with peers 10, 20, 30 on stores 1, 2, 3.
fn region(start: &str, end: &str, roles: [MemberRole; 3]) -> Region {
    let peers = (1..).zip(roles).map(|(store, role)| Member { id: store * 10, store, role });
    let epoch = Epoch { conf_ver: 4, version: 7 };
    Region { id: 1, start: key(start), end: key(end), epoch, peers: peers.collect() }
}

fn child(at: &str, region: u64, peers: [u64; 3]) -> Child {
    Child { key: key(at), region, peers: peers.to_vec() }
}

fn ranges(division: &Division) -> Vec<(u64, String)> {
    let text = |key: &Key| String::from_utf8_lossy(key).into_owned();
    std::iter::once(&division.parent)
        .chain(&division.children)
        .map(|region| (region.id, format!("{}-{}", text(&region.start), text(&region.end))))
        .collect()
}

#[track_caller]
fn assert_refused(region: &Region, children: &[Child], expected: Refusal) {
    assert_eq!(validate(Sound, region, children), Err(expected), "{children:?}");
}

#[test]
fn every_key_and_id_has_its_own_reason() {
    let region = region("f", "t", [Voter; 3]);
    let fits = |at| child(at, 2, [21, 22, 23]);
    assert_eq!(validate(Sound, &region, &[fits("m")]), Ok(()));
    assert_refused(&region, &[], NoSplitKey);
    assert_refused(&region, &[fits("")], SplitKeyEmpty);
    assert_refused(&region, &[fits("f")], SplitKeyAtStart);
    assert_refused(&region, &[fits("a")], SplitKeyOutside);
    assert_refused(&region, &[fits("t")], SplitKeyAtEnd);
    assert_refused(&region, &[fits("z")], SplitKeyAtEnd);
    let next = |at| child(at, 3, [31, 32, 33]);
    assert_eq!(validate(Sound, &region, &[fits("g"), next("m")]), Ok(()));
    assert_refused(&region, &[fits("m"), next("m")], SplitKeysOutOfOrder);
    assert_refused(&region, &[fits("m"), next("g")], SplitKeysOutOfOrder);
    for peers in [vec![], vec![21, 22], vec![21, 22, 23, 24]] {
        assert_refused(&region, &[Child { peers, ..fits("m") }], SplitIdsMismatch);
    }
    assert_refused(&region, &[child("m", 1, [21, 22, 23])], IdInUse);
    assert_refused(&region, &[child("m", 0, [21, 22, 23])], IdInUse);
    assert_refused(&region, &[child("m", 2, [21, 20, 23])], IdInUse);
    assert_refused(&region, &[child("m", 2, [21, 22, 21])], IdInUse);
    assert_refused(&region, &[child("m", 2, [21, 22, 0])], IdInUse);
    assert_refused(&region, &[fits("g"), child("m", 2, [31, 32, 33])], IdInUse);
    assert_refused(&region, &[fits("g"), child("m", 3, [31, 22, 33])], IdInUse);
    // A region without an end has no key beyond it. A wrong key is reported before a wrong id.
    let endless = Region { end: key(""), ..region };
    assert_eq!(validate(Sound, &endless, &[fits("z")]), Ok(()));
    assert_refused(&endless, &[child("g", 1, [21, 22, 23]), next("")], SplitKeyEmpty);
}

#[test]
fn the_parts_cover_the_range_in_either_way() {
    let parent = region("f", "t", [Voter; 3]);
    let children = [child("h", 2, [21, 22, 23]), child("m", 3, [31, 32, 33])];
    let named = |expected: [(u64, &str); 3]| expected.map(|(id, range)| (id, range.to_owned())).to_vec();
    let left = divide(&parent, &children, Derive::Left);
    assert_eq!(ranges(&left), named([(1, "f-h"), (2, "h-m"), (3, "m-t")]));
    let right = divide(&parent, &children, Derive::Right);
    assert_eq!(ranges(&right), named([(1, "m-t"), (2, "f-h"), (3, "h-m")]));
    for division in [left, right] {
        assert_eq!(division.parent.peers, parent.peers);
        for part in std::iter::once(&division.parent).chain(&division.children) {
            assert_eq!(part.epoch, Epoch { conf_ver: 4, version: 9 });
        }
    }
}

#[test]
fn children_inherit_stores_and_roles_in_order() {
    let parent = region("", "", [DemotingVoter, IncomingVoter, Learner]);
    let division = divide(&parent, &[child("m", 2, [23, 22, 21])], Derive::Left);
    let member = |id, store, role| Member { id, store, role };
    let expected = [member(23, 1, DemotingVoter), member(22, 2, IncomingVoter), member(21, 3, Learner)];
    assert_eq!(division.children[0].peers, expected);
}

#[test]
fn a_split_under_another_epoch_makes_nothing() {
    let parent = region("", "", [Voter; 3]);
    let command = Command::Split { children: vec![child("m", 2, [21, 22, 23])], derive: Derive::Left };
    let under = |conf_ver, version| Request { command: command.clone(), epoch: Epoch { conf_ver, version } };
    assert!(Division::of(Sound, &parent, &under(4, 7)).is_some());
    let unsound = Dropped(Guard::EpochCheckedAtApply);
    for (conf_ver, version) in [(3, 7), (5, 7), (4, 6), (4, 8)] {
        assert_eq!(Division::of(Sound, &parent, &under(conf_ver, version)), None);
        assert!(Division::of(unsound, &parent, &under(conf_ver, version)).is_some());
    }
    let other = Request { command: Command::LeaveJoint, epoch: parent.epoch };
    assert_eq!(Division::of(Sound, &parent, &other), None);
}

/// Row 23: TiKV zips members and ids without checking the count.
#[test]
fn without_split_ids_fit_members_a_member_keeps_its_parent_s_id() {
    let parent = region("", "", [Voter; 3]);
    let unsound = Dropped(Guard::SplitIdsFitMembers);
    for peers in [vec![21, 22], vec![21, 22, 23, 24]] {
        let expected = [21, 22, *peers.get(2).unwrap_or(&30)];
        let children = [Child { peers, ..child("m", 2, [0; 3]) }];
        assert_eq!(validate(unsound, &parent, &children), Ok(()));
        let division = divide(&parent, &children, Derive::Left);
        assert!(division.children[0].peers.iter().map(|member| member.id).eq(expected));
    }
}
