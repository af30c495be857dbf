//! What must be one batch: without each guard there is a sync after which a crash parts it. (The
//! exhibits at crash points show what follows: `rollcall crash`.)

use std::cell::RefCell;

use rollcall_impl::{ChangeKind, Dropped, Engine, Guard, Guards, Input, MemoryEngine, PeerState, Sound};

use crate::cluster::{CHILD, Cluster, REGION, bytes, change, put, split};
use crate::recorder::{Recorder, Synced};

/// Four stores, three with a voter, whose disks are recorded.
fn recorded<G: Guards>(guards: G) -> (Cluster<G, Recorder>, Vec<Synced>) {
    let all = RefCell::new(Vec::new());
    let cluster = Cluster::on(guards, 4, &[1, 2, 3], |_| {
        let (recorder, synced) = Recorder::new(MemoryEngine::new());
        all.borrow_mut().push(synced);
        recorder
    });
    (cluster, all.into_inner())
}

#[test]
fn tombstone_in_one_batch() {
    /// How often store 3 holds a live peer without log and vote.
    fn emptied_by_its_removal(guards: impl Guards) -> usize {
        let (mut cluster, disks) = recorded(guards);
        cluster.elect(1);
        cluster.propose(1, change(ChangeKind::Remove, 3)).unwrap();
        cluster.deliver();
        cluster.step(1, Input::Tick { region: REGION }).unwrap();
        cluster.deliver();
        cluster.apply(3);
        let disks = disks[2].borrow();
        let kept = disks.iter().map(|disk| disk.load(REGION).unwrap().unwrap());
        assert_eq!(kept.clone().next_back().unwrap().record.state, PeerState::Tombstone);
        kept.filter(|kept| kept.record.state == PeerState::Normal && kept.apply_state.applied == 0).count()
    }
    assert_eq!(emptied_by_its_removal(Sound), 0);
    assert_eq!(emptied_by_its_removal(Dropped(Guard::TombstoneInOneBatch)), 1);
}

#[test]
fn snapshot_in_one_batch() {
    /// How often store 4 forgets a term.
    fn forgotten_by_a_snapshot(guards: impl Guards) -> usize {
        let (mut cluster, disks) = recorded(guards);
        cluster.elect(1);
        cluster.propose(1, put("a")).unwrap();
        cluster.propose(1, change(ChangeKind::AddVoter, 4)).unwrap();
        cluster.settle(1);
        assert!(cluster.peer(4).data().contains_key(&bytes("a")));
        let disks = disks[3].borrow();
        let term = |disk: &MemoryEngine| disk.load(REGION).unwrap().unwrap().hard_state.term;
        disks.windows(2).filter(|pair| term(&pair[1]) < term(&pair[0])).count()
    }
    assert_eq!(forgotten_by_a_snapshot(Sound), 0);
    assert_eq!(forgotten_by_a_snapshot(Dropped(Guard::SnapshotInOneBatch)), 1);
}

#[test]
fn split_in_one_batch() {
    /// How often the right half belongs to no region of store 1.
    fn without_a_part(guards: impl Guards) -> usize {
        let (mut cluster, disks) = recorded(guards);
        cluster.elect(1);
        cluster.propose(1, split("m", 3)).unwrap();
        cluster.deliver();
        cluster.apply(1);
        assert_eq!(cluster.ranges(1), "[,m)=1 [m,)=2");
        let disks = disks[0].borrow();
        let is_parted = |disk: &&MemoryEngine| {
            let parent = disk.load(REGION).unwrap().unwrap().record.region;
            !parent.end.is_empty() && disk.load(CHILD).unwrap().is_none()
        };
        disks.iter().filter(is_parted).count()
    }
    assert_eq!(without_a_part(Sound), 0);
    assert_eq!(without_a_part(Dropped(Guard::SplitInOneBatch)), 1);
}
