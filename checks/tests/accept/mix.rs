//! What happens in the recordings of the default scenario: no verdict can find a mistake in an
//! event that never occurs.

use rollcall_checks::network::{self, Recorded};
use rollcall_traces::{
    Book, Change, ChangeKind, Command, Epoch, Event, Happening, Held, MemberRole, Message, Outcome, Peer,
    PeerState, Reason, Run,
};

use super::recorded;

/// Together these seeds have every kind of event; each has most.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=4;

/// An event, and the peers after it.
struct Seen<'a> {
    event: &'a Event,
    /// The delivered message, if there is one.
    held: Option<&'a Held>,
    changed: Vec<(Option<Peer>, Option<Peer>)>,
    /// The leader that got the request, as it was.
    asked: Option<Peer>,
}

fn walk(run: &Run) -> Vec<Seen<'_>> {
    let mut book = Book::default();
    let mut sent = std::collections::BTreeMap::new();
    let mut seen = Vec::new();
    for event in &run.events {
        let asked = match &event.event {
            Happening::Propose { region, store, .. } => book.peer(*store, *region).cloned(),
            _ => None,
        };
        let held = match &event.event {
            Happening::Deliver { message } => sent.get(message).copied(),
            _ => None,
        };
        let mut changed = Vec::new();
        for facts in &event.facts {
            let before = book.peer(facts.store, facts.region).cloned();
            let after = book.learn(facts).expect("facts").cloned();
            changed.push((before, after));
        }
        sent.extend(event.sent.iter().map(|sent| (sent.id, &sent.message)));
        seen.push(Seen { event, held, changed, asked });
    }
    seen
}

impl Seen<'_> {
    /// The request and its answer.
    fn asked_for(&self) -> Option<(&Command, Option<Epoch>, &Outcome)> {
        match &self.event.event {
            Happening::Propose { command, epoch, outcome, .. } => Some((command, *epoch, outcome)),
            _ => None,
        }
    }

    fn taken(&self, fits: impl Fn(&Command) -> bool) -> bool {
        self.asked_for().is_some_and(|(command, _, outcome)| outcome.is_done() && fits(command))
    }

    fn refused(&self, fits: impl Fn(&Command) -> bool, reason: Reason) -> bool {
        let refused = Outcome::Refused(reason);
        self.asked_for().is_some_and(|(command, _, outcome)| *outcome == refused && fits(command))
    }

    fn enters(&self, changes: impl Fn(usize) -> bool) -> bool {
        self.taken(|command| matches!(command, Command::EnterJoint { changes: many } if changes(many.len())))
    }

    /// A joint change with this kind of change for a member in this role is accepted.
    fn changes_some(&self, kind: ChangeKind, role: Option<MemberRole>) -> bool {
        let Some(leader) = &self.asked else { return false };
        let role_of = |peer| leader.region.member(peer).map(|member| member.role);
        self.enters(|count| count > 1)
            && self.asked_for().is_some_and(|(command, ..)| {
                command.changes().iter().any(|change| change.kind == kind && role_of(change.peer) == role)
            })
    }

    /// A split is refused because these parts of its epoch differ.
    fn split_under(&self, version: bool, conf_ver: bool) -> bool {
        let is_split = |command: &Command| matches!(command, Command::Split { .. });
        let Some(own) = self.asked.as_ref().map(|leader| leader.region.epoch) else { return false };
        let over = |epoch: Epoch| (epoch.version != own.version, epoch.conf_ver != own.conf_ver);
        let given = self.asked_for().and_then(|(_, epoch, _)| epoch);
        self.refused(is_split, Reason::EpochNotMatch)
            && given.is_some_and(|given| over(given) == (version, conf_ver))
    }

    fn became(&self, from: PeerState, to: PeerState) -> bool {
        let state = |peer: &Option<Peer>| peer.as_ref().map(|peer| peer.state);
        self.changed.iter().any(|(before, after)| (state(before), state(after)) == (Some(from), Some(to)))
    }

    fn applies(&self) -> bool {
        matches!(self.event.event, Happening::Apply { .. })
    }

    /// A peer applied an entry that made the region joint, or no longer joint.
    fn turns(&self, joint: bool) -> bool {
        let is = |peer: &Option<Peer>| peer.as_ref().map(|peer| peer.region.is_joint());
        self.applies()
            && self
                .changed
                .iter()
                .any(|(before, after)| (is(before), is(after)) == (Some(!joint), Some(joint)))
    }

    /// A region merged one to its left, or to its right.
    fn grows(&self, to_the_left: bool) -> bool {
        self.applies()
            && self.changed.iter().any(|(before, after)| {
                let (Some(before), Some(after)) = (before, after) else { return false };
                let (was, is) = (&before.region, &after.region);
                was.epoch.version < is.epoch.version
                    && if to_the_left {
                        is.start < was.start
                    } else {
                        !was.end.is_empty() && (is.end.is_empty() || is.end > was.end)
                    }
            })
    }

    /// The ids of a split reach a leader whose region has changed meanwhile.
    fn late_ids(&self) -> bool {
        let Some(Held { message: Message::AskSplitResponse { .. }, epoch, .. }) = self.held else {
            return false;
        };
        self.changed.iter().any(|(before, _)| before.as_ref().is_some_and(|peer| peer.region.epoch != *epoch))
    }
}

type Kind = (&'static str, fn(&Seen<'_>) -> bool);

/// Every kind of event that a recording must have.
const KINDS: &[Kind] = &[
    ("two members change at once", |seen| seen.enters(|count| count == 2)),
    ("three members change at once", |seen| seen.enters(|count| count > 2)),
    ("a joint change brings a voter", |seen| seen.changes_some(ChangeKind::AddVoter, None)),
    ("a joint change promotes a learner", |seen| {
        seen.changes_some(ChangeKind::AddVoter, Some(MemberRole::Learner))
    }),
    ("a joint change demotes a voter", |seen| {
        seen.changes_some(ChangeKind::AddLearner, Some(MemberRole::Voter))
    }),
    ("a joint change removes a learner", |seen| {
        seen.changes_some(ChangeKind::Remove, Some(MemberRole::Learner))
    }),
    ("a voter is demoted alone", |seen| {
        seen.enters(|count| count == 1) && {
            let demotes = |leader: &Peer, command: &Command| {
                command.changes().iter().any(|change| {
                    change.kind == ChangeKind::AddLearner
                        && leader.region.member(change.peer).map(|member| member.role)
                            == Some(MemberRole::Voter)
                })
            };
            let command = seen.asked_for().map(|(command, ..)| command);
            seen.asked.as_ref().zip(command).is_some_and(|(leader, command)| demotes(leader, command))
        }
    }),
    ("a region becomes joint", |seen| seen.turns(true)),
    ("a region is joint no more", |seen| seen.turns(false)),
    ("a leader that is demoted does not leave", |seen| {
        seen.refused(|command| *command == Command::LeaveJoint, Reason::LeaderRemoval)
    }),
    ("what is not joint is not left", |seen| {
        seen.refused(|command| *command == Command::LeaveJoint, Reason::NotJoint)
    }),
    ("a joint region takes no other change", |seen| {
        seen.refused(Command::is_conf_change, Reason::AlreadyJoint)
    }),
    ("a joint change removes no voter", |seen| seen.refused(Command::is_conf_change, Reason::VoterRemoval)),
    ("a joint change touches no voter", |seen| {
        let touches_none = |leader: &Peer, changes: &[Change]| {
            changes.iter().all(|change| {
                let role = leader.region.member(change.peer).map(|member| member.role);
                change.kind != ChangeKind::AddVoter && role.is_none_or(|role| role == MemberRole::Learner)
            })
        };
        let of_learners = |command: &Command| {
            command.changes().len() > 1
                && seen.asked.as_ref().is_some_and(|leader| touches_none(leader, command.changes()))
        };
        seen.refused(of_learners, Reason::InvalidChange)
    }),
    ("a change that does not fit", |seen| seen.refused(Command::is_conf_change, Reason::InvalidChange)),
    ("a change under an epoch that is over", |seen| {
        seen.refused(Command::is_conf_change, Reason::EpochNotMatch)
    }),
    ("a change while another is under way", |seen| {
        seen.refused(Command::is_conf_change, Reason::PendingConfChange)
    }),
    ("a new quorum would need a snapshot", |seen| {
        seen.refused(Command::is_conf_change, Reason::QuorumBehind)
    }),
    ("a split into two", |seen| {
        seen.taken(|command| matches!(command, Command::Split { children, .. } if children.len() == 1))
    }),
    ("a split into three", |seen| {
        seen.taken(|command| matches!(command, Command::Split { children, .. } if children.len() == 2))
    }),
    ("a split under a version that is over", |seen| seen.split_under(true, false)),
    ("a split under a conf_ver that is over", |seen| seen.split_under(false, true)),
    ("a split under an epoch that is over in both parts", |seen| seen.split_under(true, true)),
    ("ids of a split that come too late", |seen| seen.late_ids()),
    ("a region gives itself up", |seen| seen.applies() && seen.became(PeerState::Normal, PeerState::Merging)),
    ("a region is taken in", |seen| seen.applies() && seen.became(PeerState::Merging, PeerState::Tombstone)),
    ("a merge is taken back", |seen| seen.applies() && seen.became(PeerState::Merging, PeerState::Normal)),
    ("a region takes in what lay before it", |seen| seen.grows(true)),
    ("a region takes in what lay behind it", |seen| seen.grows(false)),
    ("a merge whose target went on", |seen| seen.refused(Command::is_merge, Reason::MergeTargetChanged)),
    ("a merge that nothing speaks against is not taken back", |seen| {
        seen.refused(Command::is_merge, Reason::MergeTargetUnchanged)
    }),
    ("a merge of regions on different stores", |seen| {
        seen.refused(Command::is_merge, Reason::StoresNotMatch)
    }),
    ("a merge behind an admin entry that somebody may miss", |seen| {
        seen.refused(Command::is_merge, Reason::AdminInLogGap)
    }),
    ("a region that is merging takes no change", |seen| {
        seen.refused(Command::is_conf_change, Reason::Merging)
    }),
];

#[test]
fn the_default_mix_has_everything() {
    let runs: Vec<Recorded> = SEEDS.map(|seed| recorded(network::DEFAULT, seed)).collect();
    let walks: Vec<Vec<Seen<'_>>> = runs.iter().map(|recorded| walk(&recorded.run)).collect();
    let mut missing = Vec::new();
    for (kind, is) in KINDS {
        let counts: Vec<usize> =
            walks.iter().map(|seen| seen.iter().filter(|seen| is(seen)).count()).collect();
        println!("{kind}: {counts:?}");
        if counts.iter().all(|count| *count == 0) {
            missing.push(*kind);
        }
    }
    assert!(missing.is_empty(), "no recording of the seeds {SEEDS:?} has: {missing:#?}");
    for (seed, recorded) in SEEDS.zip(&runs) {
        let network::Left { by_hand, by_pd } = recorded.left;
        assert!(by_hand > 0 && by_pd > 0, "seed {seed}: {:?}", recorded.left);
    }
}
