//! A subject as small as can be: stores count what happens to them.

use rollcall_traces::*;

/// Each store has one peer of region 1; a campaign raises its term, a put
/// writes at once, a crash takes it down. Everything else is refused.
#[derive(Debug, Default)]
pub(crate) struct Toy {
    pub(crate) view: View,
    /// The mutant: a put on this store is said to be done and is not.
    pub(crate) forgets_puts_on: Option<StoreId>,
}

pub(crate) fn region(stores: &[StoreId]) -> Region {
    let peers = stores.iter().map(|&store| Member { id: store, store, role: MemberRole::Voter }).collect();
    Region { id: 1, start: Key::empty(), end: Key::empty(), epoch: Epoch { conf_ver: 1, version: 1 }, peers }
}

pub(crate) fn scope(name: &str, stores: &[StoreId]) -> Scope {
    Scope { stores: stores.to_vec(), regions: vec![region(stores)], ..Scope::empty(name) }
}

/// A placement driver that gives ids from `next_id` on, and does nothing else.
pub(crate) fn allotter(next_id: u64) -> PlacementDriver {
    PlacementDriver { next_id, ..PlacementDriver::default() }
}

pub(crate) fn peer(id: PeerId, region: Region) -> Peer {
    Peer {
        term: 5,
        log: Log { truncated: LogPosition { index: 5, term: 5 }, entries: Vec::new() },
        commit: 5,
        applied: 5,
        ..Peer::blank(id, PeerState::Normal, region)
    }
}

pub(crate) fn put(store: StoreId, key: &str, value: &str) -> Action {
    let command = Command::Put { key: key.into(), value: value.into() };
    Action::Propose { region: 1, store, command, epoch: None }
}

impl Subject for Toy {
    fn reset(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        scope.validate()?;
        self.view = View::default();
        for &store in &scope.stores {
            let mut fresh = Store::default();
            fresh.peers.insert(1, peer(store, scope.regions[0].clone()));
            self.view.stores.insert(store, fresh);
        }
        Ok(())
    }

    fn apply(&mut self, action: &Action) -> Outcome {
        let Some(&id) = action.stores().first() else { return Outcome::Refused(Reason::NothingHeld) };
        let store = self.view.stores.get_mut(&id).expect("a store of the scope");
        if store.status != StoreStatus::Up {
            return Outcome::Refused(Reason::StoreDown);
        }
        let peer = store.peers.get_mut(&1).expect("every store has its peer");
        match action {
            Action::Campaign { .. } => {
                peer.term += 1;
                peer.vote = peer.id;
                peer.role = Role::Candidate;
            }
            Action::Propose { command: Command::Put { key, value }, .. } => {
                if self.forgets_puts_on != Some(id) {
                    peer.data.insert(key.clone(), value.clone());
                }
            }
            Action::Crash { .. } => store.status = StoreStatus::Down,
            _ => return Outcome::Refused(Reason::NotLeader),
        }
        Outcome::DONE
    }

    fn view(&self) -> View {
        self.view.clone()
    }
}
