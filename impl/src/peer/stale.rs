//! A peer that has had no leader for long asks whether it is a member still.
//!
//! How long that is, whoever owns the clock knows; asking does no member any harm. The
//! question goes to every member that the peer knows and says nothing: a store that knows
//! better answers as it does to whatever a removed peer sends (`lifecycle.rs`). The tombstone
//! of one who went first names its members, and they are asked from then on. The placement
//! driver is asked beside, and what it knows is judged here. Follows `TV peer.rs
//! check_stale_state, bcast_check_stale_peer_message, on_check_stale_peer_response`, `TV
//! fsm/store.rs check_msg`, `TV worker/pd.rs handle_validate_peer`.
//!
//! A peer that was never initialised knows no epoch. It asks its creator alone, and what the
//! driver knew before the creator did does not end it: TiKV's would believe that.

use crate::error::Refusal;
use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::peer::waiting::StaleCheck;
use crate::proto::message::{Envelope, Message, MessagePayload};
use crate::proto::region::{KeyRange, Member, Region, RegionId};
use crate::raft_rs::replica::Replica;
use crate::store::Store;
use crate::store::input::Output;
use crate::store::step::{Failure, StepContext};

impl<R: Replica> Peer<R> {
    /// Asks everybody whom it knows, and the placement driver.
    pub(crate) fn check_stale<G: Guards>(&mut self, step: &mut StepContext<'_, G>) -> Result<(), Failure> {
        if self.is_leader() {
            return Err(Refusal::AlreadyLeader.into());
        }
        if self.staged.is_some() {
            return Err(Refusal::ApplyingSnapshot.into());
        }
        if !step.guards.holds(Guard::StalePeerAsks) {
            return Err(Refusal::NoEffect.into());
        }
        for to in self.known_to() {
            let question = self.addressed_as(to, MessagePayload::CheckStalePeer);
            step.out.push(Output::Message(question));
        }
        step.out.push(Output::ValidatePeer { region: self.region });
        Ok(())
    }

    /// Whom it asks.
    fn known_to(&self) -> Vec<Member> {
        let record = &self.storage().record;
        let newer = |check: &&StaleCheck| check.conf_ver > record.region.epoch.conf_ver;
        let known = match self.stale_check.as_ref().filter(newer) {
            Some(check) => check.peers.clone(),
            None => {
                let creator = record.created_by.map(|creator| creator.member);
                record.region.peers.iter().copied().chain(creator).collect()
            }
        };
        known.into_iter().filter(|member| member.id != self.id).collect()
    }

    /// A tombstone has named the members of its region.
    fn learn_members(&mut self, conf_ver: u64, peers: Vec<Member>) -> Result<(), Refusal> {
        let known = self.stale_check.as_ref().map_or(0, |check| check.conf_ver);
        let own = self.storage().region().epoch.conf_ver;
        if !self.storage().is_initialized() || conf_ver <= known.max(own) {
            return Err(Refusal::NoEffect);
        }
        self.stale_check = Some(StaleCheck { conf_ver, peers });
        Ok(())
    }
}

impl<G: Guards, R: Replica> Store<G, R> {
    /// Somebody asks whether it is a member still.
    pub(crate) fn receive_question(
        &mut self,
        envelope: &Envelope,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let superseded = match self.judge(envelope, step)? {
            Judged::SenderRemoved => return Ok(()),
            Judged::ForPeer => return Err(Refusal::StillMember.into()),
            Judged::Superseded => true,
            Judged::Absent => false,
        };
        if self.refuses_by_tombstone(envelope, true, step)? {
            return Ok(());
        }
        if superseded { Ok(()) } else { Err(Refusal::NotInitialMessage.into()) }
    }

    /// A tombstone elsewhere names members for the peer here to ask.
    pub(crate) fn receive_members(&mut self, envelope: &Envelope, peers: Vec<Member>) -> Result<(), Failure> {
        let peer = self.live(envelope.region)?;
        if peer.id != envelope.to.id {
            return Err(Refusal::NoEffect.into());
        }
        Ok(peer.learn_members(envelope.epoch.conf_ver, peers)?)
    }

    /// The placement driver has said what it knows of the region. If the peer is no member of
    /// that any more, its store sends it the word of its removal.
    pub(crate) fn validate_peer(
        &mut self,
        region: RegionId,
        known: Region,
        step: &mut StepContext<'_, G>,
    ) -> Result<(), Failure> {
        let peer = self.live(region)?;
        let record = &peer.storage().record;
        let creator = record.created_by.filter(|_| step.guards.holds(Guard::OldViewEndsNoNewPeer));
        let own = creator.map_or(record.region.epoch, |creator| creator.epoch);
        if known.epoch.is_stale_against(&own) {
            return Err(Refusal::RegionStale.into());
        }
        if known.member(peer.id).is_some() {
            return Err(Refusal::StillMember.into());
        }
        let (myself, epoch, range) = (peer.myself(), known.epoch, KeyRange::whole());
        let payload = MessagePayload::GcPeer(Box::new(known));
        step.out.push(Output::Message(Message { region, from: myself, to: myself, epoch, range, payload }));
        Ok(())
    }
}

/// Where a message stands that is for a region's peer here.
pub(crate) enum Judged {
    /// Its sender got a removal message.
    SenderRemoved,
    /// It is for the peer that is here.
    ForPeer,
    /// It is for a newer peer than the one that was here, which is gone by that.
    Superseded,
    /// Nobody is here.
    Absent,
}
