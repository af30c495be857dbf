//! What a store does with a message before Raft sees it: tell who was removed,
//! refuse what is stale, create the peer, destroy one that was superseded.
//!
//! Follows TiKV `fsm/store.rs` (`on_raft_message`, `check_msg`,
//! `maybe_create_peer`) and `fsm/peer.rs` (`check_msg`, `handle_gc_peer_msg`).

use std::collections::BTreeMap;

use rollcall_traces::{
    Answer, Epoch, Held, Log, Member, MemberRole, Message, Peer, PeerState, Reason, Region, RegionId, Role,
    StoreId,
};

use crate::draft::{Draft, is_live, member_of_own_region};
use crate::guard::Guard;

/// The outside of a message.
pub(crate) struct Envelope {
    pub(crate) region: RegionId,
    pub(crate) from: Member,
    pub(crate) to: Member,
    pub(crate) term: u64,
    pub(crate) epoch: Epoch,
}

/// What a message may do to a store without the peer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may create the peer (a vote request, a heartbeat with commit 0).
    Initial,
    /// It may not.
    Ordinary,
    /// It may not; and it is a snapshot.
    Snapshot,
}

impl Envelope {
    pub(crate) fn from_peer(peer: &Peer, store: StoreId, to: Member) -> Self {
        Self {
            region: peer.region.id,
            from: member_of_own_region(peer, store),
            to,
            term: peer.term,
            epoch: peer.region.epoch,
        }
    }

    pub(crate) fn of_held(held: &Held) -> Self {
        Self { region: held.region, from: held.from, to: held.to, term: held.term, epoch: held.epoch }
    }

    pub(crate) fn holding(&self, message: Message) -> Held {
        Held {
            region: self.region,
            from: self.from,
            to: self.to,
            term: self.term,
            epoch: self.epoch,
            message,
        }
    }

    /// The receiving store's part; `Ok` hands the message on to Raft there.
    pub(crate) fn receive(&self, draft: &mut Draft, kind: Kind, answer: Answer) -> Result<(), Reason> {
        let Some(peer) = draft.peer(self.to.store, self.region).filter(|peer| is_live(peer)) else {
            return self.create(draft, kind, answer);
        };
        if self.epoch.is_stale_against(&peer.region.epoch) && peer.region.member_on(self.from.store).is_none()
        {
            let region = peer.region.clone();
            return self.tell_removed(draft, region, answer);
        }
        if self.to.id < peer.id {
            return Err(Reason::StalePeerId);
        }
        if self.to.id > peer.id {
            bury(draft, self.to.store, self.region);
            return self.create(draft, kind, answer);
        }
        if peer.snapshot.is_some() && (kind != Kind::Snapshot || draft.holds(Guard::SnapshotOnce)) {
            return Err(Reason::ApplyingSnapshot);
        }
        if peer.state == PeerState::Uninitialised
            && kind != Kind::Initial
            && !draft.holds(Guard::UninitialisedPeerListens)
        {
            return Err(Reason::NotPromotable);
        }
        Ok(())
    }

    /// Creates the peer, uninitialised, unless the store's tombstone or the message forbids it.
    fn create(&self, draft: &mut Draft, kind: Kind, answer: Answer) -> Result<(), Reason> {
        if let Some(tombstone) = draft.peer(self.to.store, self.region)
            && draft.holds(Guard::TombstoneRefusesStale)
        {
            if self.epoch.is_stale_against(&tombstone.region.epoch) {
                if tombstone.region.member_on(self.from.store).is_some() {
                    return Err(Reason::StaleEpoch);
                }
                let region = tombstone.region.clone();
                return self.tell_removed(draft, region, answer);
            }
            if tombstone.region.member_on(self.to.store).is_some_and(|member| member.id >= self.to.id) {
                return Err(Reason::Tombstone);
            }
        }
        if kind != Kind::Initial {
            return Err(Reason::NotInitialMessage);
        }
        let peer = blank(self.to.id, PeerState::Uninitialised, Region::unknown(self.region));
        draft.put_peer(self.to.store, self.region, Some(peer));
        Ok(())
    }

    /// Answers that the sender was removed; it destroys itself if the answer
    /// reaches it and its own epoch is behind. Always refuses the message.
    fn tell_removed(&self, draft: &mut Draft, known: Region, answer: Answer) -> Result<(), Reason> {
        if answer == Answer::Held && draft.holds(Guard::StalePeerTold) {
            let held = self.removal(draft, known);
            draft.hold(held);
            return Err(Reason::SenderRemoved);
        }
        let told = answer == Answer::Given
            && draft.holds(Guard::StalePeerTold)
            && draft.live(self.from.store, self.region).is_ok_and(|sender| {
                sender.id == self.from.id && sender.region.epoch.is_stale_against(&known.epoch)
            });
        if told {
            bury(draft, self.from.store, self.region);
        }
        Err(Reason::SenderRemoved)
    }

    /// The word of its removal, from the receiving store to the sender.
    fn removal(&self, draft: &Draft, known: Region) -> Held {
        let teller = draft.peer(self.to.store, self.region).expect("who tells is there");
        let from = match teller.state {
            PeerState::Tombstone => Member { id: teller.id, store: self.to.store, role: MemberRole::Learner },
            _ => member_of_own_region(teller, self.to.store),
        };
        Held {
            region: self.region,
            from,
            to: self.from,
            term: 0,
            epoch: known.epoch,
            message: Message::Removed { region: known },
        }
    }
}

/// Destroys the peer; its tombstone keeps `region`.
pub(crate) fn entomb(draft: &mut Draft, store: StoreId, region: Region) {
    let id = draft.peer(store, region.id).expect("who is destroyed is there").id;
    let region_id = region.id;
    draft.put_peer(store, region_id, Some(blank(id, PeerState::Tombstone, region)));
}

/// Destroys a peer that did not apply its removal: because it was told of it,
/// or because a newer peer of the region is to live on its store. The tombstone
/// keeps the region as the peer knew it, which lists the peer itself.
pub(crate) fn bury(draft: &mut Draft, store: StoreId, region: RegionId) {
    let peer = draft.peer(store, region).expect("who is destroyed is there");
    let mut last = peer.region.clone();
    if peer.state == PeerState::Uninitialised {
        last.peers.push(Member { id: peer.id, store, role: MemberRole::Learner });
    }
    entomb(draft, store, last);
}

/// A peer of which nothing is known but where it stands.
fn blank(id: u64, state: PeerState, region: Region) -> Peer {
    Peer {
        id,
        state,
        role: Role::Follower,
        term: 0,
        vote: 0,
        leader: 0,
        log: Log::default(),
        commit: 0,
        applied: 0,
        region,
        snapshot: None,
        campaign: None,
        leading: None,
        read: None,
        data: BTreeMap::new(),
    }
}
