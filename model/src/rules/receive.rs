//! What a store does with a message before Raft sees it. It refuses a stale message, tells a
//! removed sender so, creates the peer, keeps a first message until the split that creates its
//! peer, and destroys a peer that a newer one replaces.
//!
//! Follows TiKV `fsm/store.rs` (`on_raft_message`, `check_msg`,
//! `maybe_create_peer`) and `fsm/peer.rs` (`check_msg`, `handle_gc_peer_msg`).

use rollcall_traces::{
    Creator, Epoch, Held, KeyRange, Member, MemberRole, Message, Peer, PeerState, Reason, Region, Reply,
};

use super::destroy::destroy_peer;
use super::envelope::{Envelope, Kind};
use super::{merge_elsewhere, persist, stale};

use crate::cluster::ClusterMut;
use crate::guard::Guard;
use crate::rules::peer::{is_live, member_of_own_region};
use crate::unsound;

/// Where the message is after the receiving store has handled it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Received {
    /// The peer.
    ByPeer,
    /// The store, until a split creates the peer.
    Pending,
}

impl Envelope {
    /// Handles the message on the receiving store. `first` is the message if it may be the first of
    /// a region that a split is to create here.
    ///
    /// An uninitialised peer (TiKV "uninitialized", not `is_initialized`) receives votes, appends,
    /// heartbeats, and a snapshot, which initialises it.
    pub(crate) fn receive(
        &self,
        cluster: &mut impl ClusterMut,
        kind: Kind,
        first: Option<Message>,
        reply: Reply,
    ) -> Result<Received, Reason> {
        let Some(peer) = cluster.peer(self.to.store, self.region).filter(|peer| is_live(peer)) else {
            return self.create(cluster, kind, first, reply);
        };
        if self.epoch.is_stale_against(&peer.region.epoch) && peer.region.member_on(self.from.store).is_none()
        {
            let region = peer.region.clone();
            return Err(self.reply_gc_peer(cluster, region, reply));
        }
        if self.to.id < peer.id {
            return Err(Reason::StalePeerId);
        }
        if self.to.id == peer.id && kind == Kind::Question {
            return Err(Reason::StillMember);
        }
        if self.to.id > peer.id {
            destroy_peer(cluster, self.to.store, self.region);
            return self.create(cluster, kind, first, reply);
        }
        if peer.snapshot.is_some() && (kind != Kind::Snapshot || cluster.holds(Guard::SnapshotOnce)) {
            return Err(Reason::ApplyingSnapshot);
        }
        if !cluster.holds(Guard::UninitialisedPeerListens) {
            unsound::receive_first_messages_alone(peer, kind == Kind::Initial)?;
        }
        Ok(Received::ByPeer)
    }

    /// Handles a stale-peer check on the receiving store. A store with newer knowledge replies. The
    /// message is always refused.
    pub(crate) fn receive_question(&self, cluster: &mut impl ClusterMut, reply: Reply) -> Result<(), Reason> {
        self.receive(cluster, Kind::Question, None, reply).map(drop)
    }

    /// Creates the peer, uninitialised, unless the store's tombstone, the
    /// message, or another region in its range forbids it.
    fn create(
        &self,
        cluster: &mut impl ClusterMut,
        kind: Kind,
        first: Option<Message>,
        reply: Reply,
    ) -> Result<Received, Reason> {
        if cluster.holds(Guard::TombstoneRefusesStale)
            && let Some(tombstone) = cluster.peer(self.to.store, self.region)
        {
            // A merged region is created again on no store.
            if let Some(target) = &tombstone.merged_into {
                let (region, target) = (tombstone.region.clone(), target.clone());
                if region.member_on(self.from.store).is_none() {
                    return Err(self.reply_gc_peer(cluster, region, reply));
                }
                return Err(self.reply_merged(cluster, target, region.epoch, reply));
            }
            // No separate check of the version: a sender whose version alone is stale has the same
            // members and is refused by its peer id.
            if self.epoch.is_stale_against(&tombstone.region.epoch) {
                let region = tombstone.region.clone();
                if region.member_on(self.from.store).is_some() {
                    if kind == Kind::Question {
                        self.name_members(cluster, region, reply);
                    }
                    return Err(Reason::StaleEpoch);
                }
                return Err(self.reply_gc_peer(cluster, region, reply));
            }
            if cluster.holds(Guard::TombstoneRefusesItself)
                && tombstone.region.member_on(self.to.store).is_some_and(|member| member.id >= self.to.id)
            {
                return Err(Reason::Tombstone);
            }
        }
        let refused = if kind != Kind::Initial {
            Some(Reason::NotInitialMessage)
        } else {
            let (store, version) = (self.to.store, self.epoch.version);
            let taken =
                merge_elsewhere::taken_but_for_merged(cluster, store, self.region, version, &self.range);
            taken.then_some(Reason::RangeOverlap)
        };
        match (refused, first) {
            (Some(_), Some(message)) => return self.keep_pending_message(cluster, message),
            (Some(reason), None) => return Err(reason),
            (None, _) => {}
        }
        let replaces_tombstone = cluster.peer(self.to.store, self.region).is_some();
        let unknown = Region::unknown(self.region);
        let created_by = if cluster.holds(Guard::CreatorRemembered) {
            Some(Creator { member: self.from, epoch: self.epoch })
        } else {
            unsound::forgotten_creator()
        };
        let blank = Peer::blank(self.to.id, PeerState::Uninitialised, unknown);
        let peer = Peer { replaces_tombstone, created_by, ..blank };
        cluster.put_peer(self.to.store, self.region, Some(peer));
        cluster.drop_pending_messages(self.to.store, |held| held.region == self.region);
        Ok(Received::ByPeer)
    }

    /// Keeps a first message until a split creates its peer (TiKV `pending_msgs`). A split delivers
    /// only the oldest one.
    fn keep_pending_message(
        &self,
        cluster: &mut impl ClusterMut,
        message: Message,
    ) -> Result<Received, Reason> {
        let waits = |held: &Held| held.region == self.region && held.to.id == self.to.id;
        if cluster.pending_messages(self.to.store).iter().any(waits) {
            return Err(Reason::MessageAlreadyPending);
        }
        let held = self.holding(message);
        cluster.pending_messages_mut(self.to.store).push(held);
        Ok(Received::Pending)
    }

    /// Replies that the sender was removed. The sender destroys itself if the reply reaches it and
    /// its own epoch is stale. Always refuses the message.
    fn reply_gc_peer(&self, cluster: &mut impl ClusterMut, known: Region, reply: Reply) -> Reason {
        if !cluster.holds(Guard::StalePeerTold) {
            return unsound::ignore_stale_peer();
        }
        self.sync_before_reply(cluster, reply);
        if reply == Reply::Delayed {
            let held = self.removal(cluster, known);
            cluster.hold(held);
            return Reason::SenderRemoved;
        }
        let is_delivered = reply == Reply::Delivered
            && cluster.live(self.from.store, self.region).is_ok_and(|sender| {
                sender.id == self.from.id && sender.region.epoch.is_stale_against(&known.epoch)
            });
        if is_delivered {
            destroy_peer(cluster, self.from.store, self.region);
        }
        Reason::SenderRemoved
    }

    /// Replies that the sender's region was merged into another.
    fn reply_merged(
        &self,
        cluster: &mut impl ClusterMut,
        target: Region,
        epoch: Epoch,
        reply: Reply,
    ) -> Reason {
        self.sync_before_reply(cluster, reply);
        match reply {
            Reply::Delayed => {
                let held = self.reply_message(cluster, epoch, Message::Merged { target });
                cluster.hold(held);
            }
            Reply::Delivered if cluster.up(self.from.store).is_ok() => {
                // The result does not matter: the message is refused anyway.
                let _ = merge_elsewhere::handle_merged(cluster, self.region, self.from.store, &target);
            }
            Reply::Delivered | Reply::Dropped => {}
        }
        Reason::SenderRemoved
    }

    /// Replies with the members of this tombstone's region, which the sender asks next.
    fn name_members(&self, cluster: &mut impl ClusterMut, known: Region, reply: Reply) {
        let Region { epoch, peers, id, .. } = known;
        self.sync_before_reply(cluster, reply);
        match reply {
            Reply::Delayed => {
                let held = self.reply_message(cluster, epoch, Message::CheckStalePeerResponse { peers });
                cluster.hold(held);
            }
            Reply::Delivered if cluster.up(self.from.store).is_ok() => {
                stale::handle_check_stale_peer_response(cluster, self.from, id, epoch.conf_ver, peers);
            }
            Reply::Delivered | Reply::Dropped => {}
        }
    }

    /// Syncs the store before it replies.
    fn sync_before_reply(&self, cluster: &mut impl ClusterMut, reply: Reply) {
        if reply != Reply::Dropped {
            persist::sync(cluster, self.to.store);
        }
    }

    /// The removal message (TiKV `handle_gc_peer_msg`), from the receiving store to the sender.
    fn removal(&self, cluster: &impl ClusterMut, known: Region) -> Held {
        self.reply_message(cluster, known.epoch, Message::GcPeer { region: known })
    }

    fn reply_message(&self, cluster: &impl ClusterMut, epoch: Epoch, message: Message) -> Held {
        let sender = cluster.peer(self.to.store, self.region).expect("the sender is on its store");
        let from = match sender.state {
            PeerState::Tombstone => Member { id: sender.id, store: self.to.store, role: MemberRole::Learner },
            _ => member_of_own_region(sender, self.to.store),
        };
        Held { region: self.region, from, to: self.from, term: 0, epoch, range: KeyRange::default(), message }
    }
}
