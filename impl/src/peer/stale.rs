//! A peer that has had no leader for long asks whether it is still a member.
//!
//! The owner of the clock decides how long that is; asking harms no member. The message goes to
//! every member that the peer knows and carries nothing. A store with newer knowledge replies as it
//! does to every message from a removed peer (`lifecycle.rs`). The tombstone of a peer that was
//! destroyed first replies with its members, which are asked from then on. The placement driver is
//! asked too, and its reply is judged here.
//!
//! Follows `TiKV peer.rs check_stale_state, bcast_check_stale_peer_message,
//! on_check_stale_peer_response`, `TiKV fsm/store.rs check_msg`, `TiKV worker/pd.rs
//! handle_validate_peer`.
//!
//! An uninitialised peer has no epoch. It asks only its creator, and PD's region does not count if
//! it is older than the creator's; TiKV's peer would believe it.

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
    /// Asks every member that it knows, and the placement driver.
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

    /// The members that it asks.
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

    /// A tombstone has replied with the members of its region.
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
    /// Handles another peer's check whether it is still a member.
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

    /// Handles a tombstone's list of members for the peer here to ask.
    pub(crate) fn receive_members(&mut self, envelope: &Envelope, peers: Vec<Member>) -> Result<(), Failure> {
        let peer = self.live(envelope.region)?;
        if peer.id != envelope.to.id {
            return Err(Refusal::NoEffect.into());
        }
        Ok(peer.learn_members(envelope.epoch.conf_ver, peers)?)
    }

    /// Handles the placement driver's region. If it no longer lists the peer, the store sends it a
    /// removal message.
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

/// The receiver of a message for a region's peer here.
pub(crate) enum Judged {
    /// Its sender got a removal message.
    SenderRemoved,
    /// It is for the present peer.
    ForPeer,
    /// It is for a newer peer; the older one was destroyed.
    Superseded,
    /// No peer is here.
    Absent,
}
