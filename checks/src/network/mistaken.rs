//! Odd requests, most of which are refused: changes that do not fit, splits under a stale epoch (in
//! one or both parts), too few or used ids, the wrong peer. The model must give the same answer.

use rollcall_impl::{MemberRole, Region};
use rollcall_traces::{Change, ChangeKind, Child, Command, Derive, Epoch, Key, RegionId};

use super::Network;
use crate::world::convert;

impl Network {
    /// Sends an odd request now and then.
    pub(super) fn ask_oddly(&mut self) {
        if !self.random.percent(12) {
            return;
        }
        let leaders = self.leaders();
        let Some(&(leader, region)) = self.random.choose(&leaders) else { return };
        let Some(known) = self.status(leader, region).map(|peer| peer.region().clone()) else { return };
        let splits = self.config.max_size != rollcall_impl::Config::NEVER && self.random.percent(50);
        let command =
            if splits { self.odd_split(leader, region, &known) } else { Some(self.odd_change(&known)) };
        let Some(command) = command else { return };
        let at = if self.random.percent(90) {
            leader
        } else {
            self.random.below(self.nodes.len() as u64) as usize
        };
        if self.status(at, region).is_none() {
            return;
        }
        let epoch = self.odd_epoch(convert::epoch(known.epoch));
        self.propose(at, region, &command, epoch);
    }

    /// An epoch that is stale in one or both parts. In a fifth of all cases, none is given.
    fn odd_epoch(&mut self, now: Epoch) -> Option<Epoch> {
        let older = |number: u64| number.saturating_sub(1);
        let Epoch { conf_ver, version } = now;
        match self.random.below(5) {
            0 => None,
            1 => Some(now),
            2 => Some(Epoch { conf_ver: older(conf_ver), version }),
            3 => Some(Epoch { conf_ver, version: older(version) }),
            _ => Some(Epoch { conf_ver: older(conf_ver), version: older(version) }),
        }
    }

    /// A split at an existing key, into two or three regions.
    fn odd_split(&mut self, at: usize, region: RegionId, known: &Region) -> Option<Command> {
        let keys: Vec<Key> = self.status(at, region)?.data().keys().map(convert::key).collect();
        let middle = self.random.below(keys.len().max(1) as u64) as usize;
        let count = 1 + self.random.below(2) as usize;
        let keys: Vec<Key> = keys.into_iter().skip(middle).step_by(2).take(count).collect();
        let ids = known.peers.len() - usize::from(self.random.percent(10));
        let mut fresh = || self.pd.peer_id();
        let children = keys.into_iter().map(|key| Child {
            key,
            region: fresh(),
            peers: (0..ids).map(|_| fresh()).collect(),
        });
        let children: Vec<Child> = children.collect();
        let derive = if self.random.percent(50) { Derive::Left } else { Derive::Right };
        Some(Command::Split { children, derive })
    }

    /// One or two changes of random members and stores, most of which do not fit.
    fn odd_change(&mut self, known: &Region) -> Command {
        let mut changes = Vec::new();
        for _ in 0..1 + self.random.below(2) {
            let kinds = [ChangeKind::AddVoter, ChangeKind::AddLearner, ChangeKind::Remove];
            let kind = *self.random.choose(&kinds).expect("there are three");
            let store = self.nodes[self.random.below(self.nodes.len() as u64) as usize].id;
            let there = known.member_on(store).map(|member| member.id);
            let peer = there.unwrap_or_else(|| self.pd.peer_id());
            changes.push(Change { kind, peer, store });
        }
        match self.random.below(6) {
            0 => Command::LeaveJoint,
            1 => Command::ChangePeer(changes[0]),
            2 | 3 => self.removal_at_once(known),
            5 => self.learners_alone(known).unwrap_or(Command::EnterJoint { changes }),
            _ => Command::EnterJoint { changes },
        }
    }

    /// Adds or removes learners in one joint change without a voter. Such a region would not even
    /// show that it is joint.
    fn learners_alone(&mut self, known: &Region) -> Option<Command> {
        let mut changes = Vec::new();
        for store in self.nodes.iter().map(|node| node.id) {
            let (kind, peer) = match known.member_on(store) {
                None => (ChangeKind::AddLearner, self.pd.peer_id()),
                Some(member) if member.role == MemberRole::Learner => (ChangeKind::Remove, member.id),
                Some(_) => continue,
            };
            changes.push(Change { kind, peer, store });
        }
        (changes.len() > 1).then_some(Command::EnterJoint { changes })
    }

    /// Removes a voter while another joins, in one joint change. It must be demoted first.
    fn removal_at_once(&mut self, known: &Region) -> Command {
        let free = self.nodes.iter().map(|node| node.id).find(|store| known.member_on(*store).is_none());
        let newcomer =
            free.map(|store| Change { kind: ChangeKind::AddVoter, peer: self.pd.peer_id(), store });
        let gone = self.random.choose(&known.peers).map(|member| Change {
            kind: ChangeKind::Remove,
            peer: member.id,
            store: member.store,
        });
        Command::EnterJoint { changes: newcomer.into_iter().chain(gone).collect() }
    }
}
