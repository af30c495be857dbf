//! Dialects: known and harmless differences between raft libraries.
//!
//! The rules are those of raft-rs. A related library may differ in a way that harms nobody. Each
//! such difference is named here with the reason why it is harmless, and the rules have a switch
//! for it ([`GuardSet::speaks`](crate::GuardSet::speaks)). None is on by default: every scope is
//! explored with raft-rs's rules.

use std::fmt;

/// One difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Dialect {
    /// Vote requests and responses carry no commit index.
    VotesTellNoCommit,
    /// A leader that hands over sends `TimeoutNow` again after a response that tells nothing new.
    TimeoutNowAgain,
}

impl Dialect {
    /// All of them.
    pub const ALL: &'static [Dialect] = &[Dialect::VotesTellNoCommit, Dialect::TimeoutNowAgain];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Dialect::VotesTellNoCommit => "votes_tell_no_commit",
            Dialect::TimeoutNowAgain => "timeout_now_again",
        }
    }

    /// What differs.
    pub fn differs(self) -> &'static str {
        match self {
            Dialect::VotesTellNoCommit => {
                "raft-rs alone puts the commit index into vote requests and rejections \
                 (`maybe_commit_by_vote`, raft-rs#392); etcd's raft and its other descendants do not"
            }
            Dialect::TimeoutNowAgain => {
                "in etcd's raft 3.6 a response that tells a leader nothing new counts while it probes the \
                 follower, so a transferee that has every entry is sent another `TimeoutNow` \
                 (`stepLeader`, etcd-io/raft#52); raft-rs and 3.4 send it after a response that tells more"
            }
        }
    }

    /// Why it is harmless.
    pub fn reason(self) -> &'static str {
        match self {
            Dialect::VotesTellNoCommit => {
                "the sender of a commit index knew it already: a peer that does not get it \
                 learns it from the next leader, later"
            }
            Dialect::TimeoutNowAgain => {
                "the receiver is the transferee and has every entry of its leader; it campaigns once, for \
                 from then on the message is of an older term"
            }
        }
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use rollcall_traces::{Action, Command, Entries, Outcome, Outgoing, Reason, Reply, Subject};

    use crate::{Dialect, GuardSet, ModelSubject, scopes};

    /// What comes of a round behind a `TimeoutNow` that has left.
    fn round_behind_timeout_now(guards: GuardSet, reply: Reply) -> (Outcome, bool) {
        let scope = scopes::named("transfer_against_a_change_smoke").expect("there is such a scope").scope;
        let mut model = ModelSubject::new(guards, &[]);
        model.reset(&scope).expect("it can be begun");
        let leaves = Action::Hold { region: 1, from: 1, to: 2, message: Outgoing::TimeoutNow };
        let command = Command::TransferLeader { to: 2 };
        for action in [Action::Propose { region: 1, store: 1, command, epoch: None }, leaves] {
            assert!(model.apply(&action).is_done(), "{action}");
        }
        let entries = Entries::One;
        let round = Action::Replicate { region: 1, leader: 1, follower: 2, entries, reply };
        let outcome = model.apply(&round);
        let leader = model.view().stores[&1].peers[&1].leading.clone().expect("it leads");
        (outcome, leader.transfer.expect("it hands over").timeout_now)
    }

    #[test]
    fn timeout_now_is_sent_again_in_its_dialect_alone() {
        let refused = (Outcome::Refused(Reason::NoEffect), false);
        assert_eq!(round_behind_timeout_now(GuardSet::ALL, Reply::Delivered), refused);
        let other = GuardSet::ALL.in_dialect(Dialect::VotesTellNoCommit);
        assert_eq!(round_behind_timeout_now(other, Reply::Delivered), refused);
        let again = GuardSet::ALL.in_dialect(Dialect::TimeoutNowAgain);
        let (outcome, under_way) = round_behind_timeout_now(again, Reply::Delivered);
        assert!(outcome.is_done() && under_way, "{outcome}");
        assert_eq!(round_behind_timeout_now(again, Reply::Dropped), refused, "nobody has answered");
    }

    #[test]
    fn names_and_bits_are_each_dialect_s_own() {
        for (place, dialect) in Dialect::ALL.iter().enumerate() {
            let set = GuardSet::ALL.in_dialect(*dialect);
            let spoken: Vec<_> = Dialect::ALL.iter().filter(|other| set.speaks(**other)).collect();
            assert_eq!(spoken, [dialect]);
            assert!(Dialect::ALL[..place].iter().all(|other| other.name() != dialect.name()));
        }
    }
}
