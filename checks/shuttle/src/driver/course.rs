//! What happens to a cluster in one schedule: clients write and read, while the cluster is changed
//! and a store crashes.

use rollcall_checks::recorder::Recorder;
use rollcall_impl::{
    Change, ChangeKind, Command, Derive, End, Input, Key, PeerState, Region, RegionId, StateRole, StoreId,
};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use super::cluster::{Cluster, FailsAt};
use crate::plan::{Plan, Step, bytes};

/// How many keys each client writes.
const WRITES: usize = 3;

/// New peers have ids beyond this. A store does not take a peer with a lower id than the one that
/// it had, and the ids of children are lower.
const NEW_PEERS: u64 = 1000;

/// Runs the plan, and checks that clients read what was acknowledged.
pub(crate) fn run(plan: &Plan, recorder: Arc<Recorder>) {
    let cluster = Arc::new(Cluster::start(recorder, &plan.region));
    let course = Course { cluster: Arc::clone(&cluster), peers: Arc::new(Mutex::new(NEW_PEERS)) };
    course.campaign(&bytes("a"), plan.first);
    let clients: Vec<_> = plan
        .clients
        .iter()
        .map(|client| {
            let (course, client) = (course.clone(), *client);
            thread::spawn(move || course.writes(client))
        })
        .collect();
    for step in &plan.steps {
        course.take(step);
    }
    for client in clients {
        let keys = client.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        keys.iter().for_each(|key| course.reads(key));
    }
    cluster.stop();
}

#[derive(Clone)]
struct Course {
    cluster: Arc<Cluster>,
    /// The id of the last new peer.
    peers: Arc<Mutex<u64>>,
}

impl Course {
    /// Writes and reads keys that begin with `client`. Returns them.
    fn writes(&self, client: &str) -> Vec<Key> {
        let keys: Vec<Key> = (0..WRITES).map(|number| bytes(&format!("{client}{number}"))).collect();
        for key in &keys {
            let command = Command::Put { key: key.clone(), value: key.clone() };
            self.does(key, &command);
            self.reads(key);
        }
        keys
    }

    /// Asks whoever leads the key's region until the command is applied. The log may have it twice.
    fn does(&self, key: &Key, command: &Command) {
        let done = self.cluster.tries(|| {
            let Some((store, region)) = self.cluster.leader(key) else { return false };
            let (region, command) = (region.id, command.clone());
            let end = self.cluster.ask(store, |id| Input::Request { id, region, command, epoch: None });
            matches!(end, Ok(End::Applied { .. }))
        });
        assert!(done, "{command:?} is never applied{}", self.cluster.shown());
    }

    /// Reads the key until there is an answer, which must be what was written.
    fn reads(&self, key: &Key) {
        let mut answer = None;
        let done = self.cluster.tries(|| {
            let Some((store, region)) = self.cluster.leader(key) else { return false };
            let region = region.id;
            let end = self.cluster.ask(store, |id| Input::Get { id, region, key: key.clone() });
            if let Ok(End::Read { value, .. }) = end {
                answer = value;
                return true;
            }
            false
        });
        assert!(done, "a read of {key:?} is never answered{}", self.cluster.shown());
        assert_eq!(answer, Some(key.clone()), "it was acknowledged");
    }

    fn take(&self, step: &Step) {
        match step {
            Step::Campaign(key, store) => self.campaign(key, *store),
            Step::Transfer(key, store) => self.transfer(key, *store),
            Step::Split(key) => self.split(key),
            Step::Replace(key, store) => self.replace(key, *store),
            Step::Merge(source, target) => self.merge(source, target),
            Step::Crash(store, at_sync) => {
                self.cluster.crash(*store, if *at_sync { FailsAt::Sync } else { FailsAt::Write });
            }
        }
    }

    /// That store's peer of the key's region campaigns. Somebody leads in the end.
    fn campaign(&self, key: &Key, store: StoreId) {
        for region in self.here(key, store) {
            self.cluster.send(store, Input::Campaign { region });
        }
        let led = self.cluster.until(|| self.cluster.leader(key).is_some());
        assert!(led, "nobody leads{}", self.cluster.shown());
    }

    /// The region of the key on that store.
    fn here(&self, key: &Key, store: StoreId) -> Vec<RegionId> {
        self.cluster.look(|id, shown| {
            let has = |region: &RegionId| shown.peer(*region).is_some_and(|peer| peer.region().contains(key));
            (id == store).then(|| shown.regions().find(has)).flatten()
        })
    }

    /// Asks the leader to hand its leadership to that store. It may refuse.
    fn transfer(&self, key: &Key, store: StoreId) {
        if let Some((leader, region)) = self.cluster.leader(key)
            && region.member_on(store).is_some()
        {
            let command = Command::TransferLeader { to: store };
            self.cluster.send(leader, Input::Propose { region: region.id, command, epoch: None });
        }
    }

    /// Splits the region at the key. The leader asks the placement driver for ids.
    fn split(&self, key: &Key) {
        let done = self.cluster.tries(|| {
            let Some((store, region)) = self.cluster.leader(key) else { return false };
            if region.start == *key {
                return true;
            }
            let input = Input::AskSplit {
                region: region.id,
                keys: vec![key.clone()],
                derive: Derive::Right,
                ordered_at: None,
            };
            self.cluster.send(store, input);
            false
        });
        assert!(done, "there is never a region from {key:?} on{}", self.cluster.shown());
    }

    /// Removes the peer on that store, and adds another one there.
    fn replace(&self, key: &Key, store: StoreId) {
        let Some(old) =
            self.cluster.leader(key).and_then(|(_, region)| region.member_on(store).map(|it| it.id))
        else {
            return;
        };
        let mut peers = self.peers.lock().unwrap();
        *peers += 1;
        let new = *peers;
        drop(peers);
        let changes = [(ChangeKind::Remove, old, false), (ChangeKind::AddVoter, new, true)];
        for (kind, peer, wanted) in changes {
            let done = self.cluster.tries(|| {
                let Some((leader, region)) = self.cluster.leader(key) else { return false };
                if region.member(peer).is_some() == wanted {
                    return true;
                }
                if leader == store && kind == ChangeKind::Remove {
                    // A leader does not remove itself.
                    let other = region.peers.iter().find(|member| member.store != store);
                    self.transfer(key, other.expect("not the last one").store);
                    return false;
                }
                let command = Command::ChangePeer(Change { kind, peer, store });
                let region = region.id;
                let _ = self.cluster.ask(leader, |id| Input::Request { id, region, command, epoch: None });
                false
            });
            assert!(done, "{kind:?} of peer {peer} never takes effect{}", self.cluster.shown());
        }
    }

    /// Merges the region of `source` into that of `target`. A store asks for the commit, as TiKV's
    /// do.
    fn merge(&self, source: &Key, target: &Key) {
        let known = |key| self.cluster.leader(key).map(|(_, region)| region);
        let (Some(from), Some(into)) = (known(source), known(target)) else { return };
        if from.id == into.id {
            return;
        }
        self.cluster.tries(|| {
            if self.cluster.leader(source).is_some_and(|(_, region)| region.contains(target)) {
                return true;
            }
            self.check_merge(from.id);
            if let Some((store, _)) = self.cluster.leader(source)
                && let Some(named) = self.shown(store, into.id)
            {
                let command = Command::prepare_merge(named);
                self.cluster.send(store, Input::Propose { region: from.id, command, epoch: None });
            }
            false
        });
    }

    fn shown(&self, store: StoreId, region: RegionId) -> Option<Region> {
        let of = |id: StoreId, shown: &crate::recorded::Store<rollcall_impl::Sound>| {
            (id == store).then(|| shown.peer(region).map(|peer| peer.region().clone())).flatten()
        };
        self.cluster.look(of).pop()
    }

    /// The target's leader proposes the commit, and the source's leader the end of a merge that can
    /// no longer be committed.
    fn check_merge(&self, source: RegionId) {
        let inputs = self.cluster.look(|id, store| {
            let peer = store.peer(source).filter(|peer| peer.state() == PeerState::Merging)?;
            let target = peer.merge()?.target.id;
            let leads = |region| store.peer(region).is_some_and(|peer| peer.role() == StateRole::Leader);
            let commit = leads(target).then(|| (id, target, Command::commit_merge(source)));
            let back = leads(source).then(|| (id, source, Command::rollback_merge()));
            Some([commit, back])
        });
        for (store, region, command) in inputs.into_iter().flatten().flatten() {
            self.cluster.send(store, Input::Propose { region, command, epoch: None });
        }
    }
}
