//! How peers are created and destroyed.
//!
//! A message for a missing peer may create it, uninitialised. The conditions: it is an initial
//! message (a vote request, or a heartbeat with commit 0), no tombstone refuses it, and its range
//! is free. The first message of a child waits here for its split. A removed sender that does not
//! know of its removal receives a removal message and destroys itself. A destroyed peer leaves a
//! tombstone with its last region. Follows `TiKV store.rs check_msg, maybe_create_peer`, `TV
//! fsm/peer.rs check_msg, handle_gc_peer_msg`; the tombstone of an uninitialised peer lists that
//! peer (tikv#10533).

use raft::eraftpb;

use crate::apply::Removed;
use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::peer::stale::Judged;
use crate::proto::merge::MergeState;
use crate::proto::message::{Envelope, Message, MessagePayload, is_first, is_initial};
use crate::proto::region::{Epoch, KeyRange, Member, MemberRole, PeerId, Region, RegionId};
use crate::raft_rs::replica::Replica;
use crate::storage::engine::{ApplyState, Creator, PeerRecord, PeerState, Persisted, Write};
use crate::store::input::Output;
use crate::store::step::{Failure, StepContext};
use crate::store::{PeerEntry, Resident, Store, live};

/// What is left of a destroyed peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone<'a> {
    /// The peer.
    pub id: PeerId,
    /// The region as of its end.
    pub region: &'a Region,
    /// Its applied index: 0, unless something was written after its destruction.
    pub applied: u64,
    /// If a merge destroyed it: the target before the merge.
    pub merged_into: Option<&'a Region>,
    /// Then: the epoch since which it had applied its region's entries; `None` for all.
    pub log_since: Option<Epoch>,
}

/// The result of a message for a missing peer.
enum Creation {
    Created,
    /// The sender gets a removal message.
    SenderRemoved,
    /// It waits for a split.
    Pending,
}

impl<G: Guards, R: Replica> Store<G, R> {
    /// Takes a message from another store.
    pub(crate) fn receive(&mut self, message: Message, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        let Message { region, from, to, epoch, range, payload } = message;
        let envelope = Envelope { region, from, to, epoch, range };
        if to.store != self.id {
            return Err(Refusal::NotInConfig.into());
        }
        match payload {
            MessagePayload::GcPeer(known) => self.receive_tombstone(&envelope, *known, step),
            MessagePayload::Merged(target) => self.receive_merged(region, &target, step),
            MessagePayload::CheckStalePeer => self.receive_question(&envelope, step),
            MessagePayload::CheckStalePeerResponse(peers) => self.receive_members(&envelope, peers),
            MessagePayload::Raft(message) => self.receive_raft(&envelope, *message, step),
        }
    }

    fn receive_raft(
        &mut self,
        envelope: &Envelope,
        message: eraftpb::Message,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let replaced = match self.judge(envelope, step)? {
            Judged::SenderRemoved => return Ok(()),
            Judged::ForPeer => return self.deliver_to_peer(envelope, message, step),
            Judged::Superseded => true,
            Judged::Absent => false,
        };
        match self.create(envelope, &message, step) {
            Ok(Creation::SenderRemoved | Creation::Pending) => Ok(()),
            Ok(Creation::Created) => self.deliver_to_peer(envelope, message, step),
            // The old peer is destroyed all the same.
            Err(Failure::Refused(_)) if replaced => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// Judges a message by the live peer here, if there is one. A peer that a newer one replaces is
    /// destroyed.
    pub(crate) fn judge(
        &mut self,
        envelope: &Envelope,
        step: &mut StepContext<'_, G>,
    ) -> Result<Judged, Failure> {
        let Ok(peer) = self.live(envelope.region) else { return Ok(Judged::Absent) };
        let region = peer.storage().region();
        if sender_is_gone(envelope, region) {
            let (myself, region) = (peer.myself(), region.clone());
            return reply_gc_peer(envelope, myself, region, step).map(|()| Judged::SenderRemoved);
        }
        if envelope.to.id < peer.id {
            return Err(Refusal::StalePeerId.into());
        }
        if envelope.to.id == peer.id {
            return Ok(Judged::ForPeer);
        }
        let rest = region.clone();
        self.destroy_peer(envelope.region, rest, step);
        Ok(Judged::Superseded)
    }

    /// Delivers the message to its peer.
    fn deliver_to_peer(
        &mut self,
        envelope: &Envelope,
        message: eraftpb::Message,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let peer = live(&mut self.entries, envelope.region)?;
        let received = peer.receive(envelope.from, message, &self.ranges, step);
        let pending = peer.pending_range();
        self.ranges.set_pending(envelope.region, pending);
        received
    }

    /// Creates an uninitialised peer if the message may, no tombstone refuses it and its range is
    /// free.
    fn create(
        &mut self,
        envelope: &Envelope,
        message: &eraftpb::Message,
        step: &mut StepContext<'_, G>,
    ) -> Result<Creation, Failure> {
        if self.refuses_by_tombstone(envelope, false, step)? {
            return Ok(Creation::SenderRemoved);
        }
        if !is_initial(message) {
            return self.keep_pending_message(envelope, message, Refusal::NotInitialMessage, step.guards);
        }
        if self.ranges.overlap_unmerged(envelope.region, envelope.epoch.version, &envelope.range) {
            return self.keep_pending_message(envelope, message, Refusal::RangeOverlap, step.guards);
        }
        let unknown = Region::unknown(envelope.region);
        let creator = Creator { member: envelope.from, epoch: envelope.epoch };
        let record = PeerRecord {
            replaces_tombstone: self.entries.contains_key(&envelope.region),
            created_by: step.guards.holds(Guard::CreatorRemembered).then_some(creator),
            ..PeerRecord::new(envelope.to.id, PeerState::Uninitialised, unknown)
        };
        step.batch.push(Write::Record(record.clone()));
        let peer = Peer::load(self.id, &self.config, self.guards, &self.maker, Persisted::new(record))?;
        self.settle(envelope.region, Resident::Live(Box::new(peer)));
        self.pending_messages.forget(envelope.region);
        Ok(Creation::Created)
    }

    /// Whether a tombstone here refuses the message and replies to it. A stale sender that `asks`
    /// gets the tombstone's members if the tombstone's region still lists its store.
    pub(crate) fn refuses_by_tombstone(
        &self,
        envelope: &Envelope,
        asks: bool,
        step: &mut StepContext<'_, G>,
    ) -> Result<bool, Failure> {
        let Some(PeerEntry { resident: Resident::Tombstone { id, region, merged, .. }, .. }) =
            self.entries.get(&envelope.region)
        else {
            return Ok(false);
        };
        if !step.guards.holds(Guard::TombstoneRefusesStale) {
            return Ok(false);
        }
        let myself = Member { id: *id, store: self.id, role: MemberRole::Learner };
        // A merged region is created again on no store.
        if let Some(target) = merged
            && region.member_on(envelope.from.store).is_some()
        {
            let payload = MessagePayload::Merged(target.clone());
            step.out.push(answer(envelope, myself, region.epoch, payload));
            return Ok(true);
        }
        if merged.is_some() || sender_is_gone(envelope, region) {
            return reply_gc_peer(envelope, myself, region.clone(), step).map(|()| true);
        }
        if envelope.epoch.is_stale_against(&region.epoch) {
            if !asks {
                return Err(Refusal::StaleEpoch.into());
            }
            let payload = MessagePayload::CheckStalePeerResponse(region.peers.clone());
            step.out.push(answer(envelope, myself, region.epoch, payload));
            return Ok(true);
        }
        if region.member_on(self.id).is_some_and(|member| member.id >= envelope.to.id)
            && step.guards.holds(Guard::TombstoneRefusesItself)
        {
            return Err(Refusal::Tombstone.into());
        }
        Ok(false)
    }

    /// Keeps a first message until a split creates its receiver; refuses any other.
    fn keep_pending_message(
        &mut self,
        envelope: &Envelope,
        message: &eraftpb::Message,
        refusal: Refusal,
        guards: G,
    ) -> Result<Creation, Failure> {
        if !is_first(message) || !guards.holds(Guard::FirstMessagePending) {
            return Err(refusal.into());
        }
        let Envelope { region, from, to, epoch, range } = envelope.clone();
        if self.pending_messages.waits_for(region, to.id) {
            return Err(Refusal::MessageAlreadyPending.into());
        }
        let payload = MessagePayload::Raft(Box::new(message.clone()));
        self.pending_messages.keep(Message { region, from, to, epoch, range, payload });
        Ok(Creation::Pending)
    }

    /// Handles a removal message for the peer here.
    fn receive_tombstone(
        &mut self,
        envelope: &Envelope,
        known: Region,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let peer = self.live(envelope.region)?;
        if peer.id != envelope.to.id || !peer.storage().region().epoch.is_stale_against(&known.epoch) {
            return Err(Refusal::NoEffect.into());
        }
        // The region as this peer knew it lists the peer itself, so no message to this or an older
        // id creates it again.
        let rest = peer.storage().region().clone();
        self.destroy_peer(envelope.region, rest, step);
        Ok(())
    }

    /// Destroys the live peer of `region`; its tombstone keeps `rest`.
    pub(crate) fn destroy_peer(&mut self, region: RegionId, rest: Region, step: &mut StepContext<'_, G>) {
        self.destroy_merged(region, rest, None, step);
    }

    /// The same for a peer whose region `target` may have merged.
    pub(crate) fn destroy_merged(
        &mut self,
        region: RegionId,
        mut rest: Region,
        target: Option<Region>,
        step: &mut StepContext<'_, G>,
    ) {
        let peer = self.live(region).expect("only a live peer is destroyed");
        if peer.storage().is_initialized() {
            self.ranges.remove(region);
        } else if step.guards.holds(Guard::TombstoneListsItself) {
            rest.peers.push(peer.myself());
        }
        self.ranges.set_pending(region, None);
        self.ranges.set_merged(region, None);
        self.bury_as(region, rest, target, step);
    }

    fn bury_as(
        &mut self,
        region: RegionId,
        rest: Region,
        target: Option<Region>,
        step: &mut StepContext<'_, G>,
    ) {
        let peer = self.live(region).expect("only a live peer is destroyed");
        peer.end_requests(step);
        let (id, log_since) =
            (peer.id, target.as_ref().and_then(|_| peer.storage().record.witnessed_since()));
        let merged = target.map(Box::new);
        let merge = merged.clone().map(|target| Box::new(MergeState::of_tombstone(*target)));
        let record =
            PeerRecord { merge, log_since, ..PeerRecord::new(id, PeerState::Tombstone, rest.clone()) };
        // This step's writes for the peer are dropped with it.
        step.batch.retain(|write| write.region() != region);
        step.batch.push(Write::Clear(region));
        step.batch.push(Write::Record(record));
        step.out.push(Output::Destroyed { region, peer: id });
        self.settle(region, Resident::Tombstone { id, region: rest, applied: 0, merged, log_since });
    }

    /// Destroys a peer that applied its own removal. `next` is the entry behind
    /// it, if one is committed.
    pub(crate) fn destroy_removed_peer(
        &mut self,
        region: RegionId,
        removed: Removed,
        step: &mut StepContext<'_, G>,
    ) {
        let Removed { mut rest, old_epoch, next, behind } = removed;
        if !step.guards.holds(Guard::TombstoneAtNewEpoch) {
            rest.epoch = old_epoch;
        }
        self.destroy_peer(region, rest, step);
        if let Some(next) = next
            && !step.guards.holds(Guard::StopAfterDestroy)
            && let Some(PeerEntry { resident: Resident::Tombstone { applied, .. }, .. }) =
                self.entries.get_mut(&region)
        {
            // The loop over committed entries continues and writes its progress.
            *applied = next;
            step.batch.push(Write::ApplyState(region, ApplyState { applied: next, ..ApplyState::default() }));
        }
        if let Some(division) = behind
            && !step.guards.holds(Guard::RemovedPeerSplitsNothing)
        {
            division.children.iter().for_each(|child| self.ranges.set(child.id, child.range()));
        }
    }

    pub(crate) fn settle(&mut self, region: RegionId, resident: Resident<R>) {
        let generation = self.entries.get(&region).map_or(0, |slot| slot.generation + 1);
        self.entries.insert(region, PeerEntry { generation, resident });
    }

    /// The tombstone of `region`.
    pub fn tombstone(&self, region: RegionId) -> Option<Tombstone<'_>> {
        match self.entries.get(&region)?.resident {
            Resident::Tombstone { id, ref region, applied, ref merged, log_since } => {
                Some(Tombstone { id, region, applied, merged_into: merged.as_deref(), log_since })
            }
            Resident::Live(_) => None,
        }
    }
}

/// Whether the sender was removed: its epoch is stale, and its store is not in `region`.
fn sender_is_gone(envelope: &Envelope, region: &Region) -> bool {
    envelope.epoch.is_stale_against(&region.epoch) && region.member_on(envelope.from.store).is_none()
}

fn reply_gc_peer<G: Guards>(
    envelope: &Envelope,
    myself: Member,
    region: Region,
    step: &mut StepContext<'_, G>,
) -> Result<(), Failure> {
    if !step.guards.holds(Guard::StalePeerTold) {
        return Err(Refusal::SenderRemoved.into());
    }
    let payload = MessagePayload::GcPeer(Box::new(region.clone()));
    step.out.push(answer(envelope, myself, region.epoch, payload));
    Ok(())
}

/// A store's reply to a message for a destroyed peer.
fn answer(envelope: &Envelope, myself: Member, epoch: Epoch, payload: MessagePayload) -> Output {
    let (region, to, range) = (envelope.region, envelope.from, KeyRange::whole());
    Output::Message(Message { region, from: myself, to, epoch, range, payload })
}
