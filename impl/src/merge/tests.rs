use std::sync::Arc;

use super::{check_fit, merged};
use crate::error::Refusal;
use crate::guard::{Dropped, Guard, Sound};
use crate::proto::region::{Epoch, Member, MemberRole, Region};

fn region(id: u64, start: &str, end: &str, stores: &[u64]) -> Region {
    let member = |store: &u64| Member { id: 10 * id + store, store: *store, role: MemberRole::Voter };
    Region {
        start: Arc::from(start.as_bytes()),
        end: Arc::from(end.as_bytes()),
        epoch: Epoch { conf_ver: 1, version: 1 },
        peers: stores.iter().map(member).collect(),
        ..Region::unknown(id)
    }
}

#[test]
fn only_neighbours_fit() {
    let middle = region(1, "h", "p", &[1, 2]);
    for (other, fits) in [
        (region(2, "", "h", &[2, 1]), true),
        (region(2, "p", "", &[1, 2]), true),
        (region(2, "", "g", &[1, 2]), false),
        (region(2, "q", "", &[1, 2]), false),
        (region(1, "p", "", &[1, 2]), false),
    ] {
        let expected = if fits { Ok(()) } else { Err(Refusal::NotSiblings) };
        assert_eq!(check_fit(Sound, &middle, &other), expected, "{other:?}");
        assert_eq!(check_fit(Sound, &other, &middle), expected, "{other:?}");
    }
    // The last region has no end, so it is not adjacent to the first.
    let (first, last) = (region(1, "", "h", &[1]), region(2, "p", "", &[1]));
    assert_eq!(check_fit(Sound, &last, &first), Err(Refusal::NotSiblings));
}

#[test]
fn only_the_same_stores_and_roles_fit() {
    let source = region(1, "", "h", &[1, 2]);
    let mut learner = region(2, "h", "", &[1, 2]);
    learner.peers[1].role = MemberRole::Learner;
    for target in
        [region(2, "h", "", &[1]), region(2, "h", "", &[1, 2, 3]), region(2, "h", "", &[1, 3]), learner]
    {
        assert_eq!(check_fit(Sound, &source, &target), Err(Refusal::StoresNotMatch), "{target:?}");
        assert_eq!(check_fit(Dropped(Guard::MergeNeedsSameStores), &source, &target), Ok(()));
    }
}

#[test]
fn the_result_covers_both_at_a_version_above_both() {
    let epoch = |conf_ver, version| Epoch { conf_ver, version };
    let left = Region { epoch: epoch(7, 9), ..region(1, "", "h", &[1]) };
    let right = Region { epoch: epoch(2, 4), ..region(2, "h", "", &[1]) };
    let into_right = merged(Sound, &left, &right);
    assert_eq!(into_right, Region { start: left.start.clone(), epoch: epoch(2, 10), ..right.clone() });
    let into_left = merged(Sound, &right, &left);
    assert_eq!(into_left, Region { end: right.end.clone(), epoch: epoch(7, 10), ..left.clone() });
    // Seed 000: 174 and 175 become 176, and the target's conf_ver stays.
    let source = Region { epoch: epoch(54, 175), ..left };
    let target = Region { epoch: epoch(44, 174), ..right };
    assert_eq!(merged(Sound, &source, &target).epoch, epoch(44, 176));
    assert_eq!(merged(Dropped(Guard::MergeVersionAboveBoth), &source, &target).epoch, epoch(44, 175));
}
