//! A Raft implementation in one file, checked against the model. It shows how to check yours.
//!
//! `cargo run --example own_raft` takes it along every transition of a small scope, then adds a bug
//! and prints the divergence. `cargo test --example own_raft` does the same as a test.

use std::collections::BTreeSet;

use rollcall_checks::conform::{Conform, ConformError, Part, Projection, Report};
use rollcall_model::{Dialect, GuardSet};
use rollcall_traces::{
    Action, Command, Entry, Epoch, LogPosition, Outcome, Peer, PeerState, Reason, Region, Reply, Role, Scope,
    ScopeError, Store, StoreId, StoreStatus, Subject, View,
};

/// No member joins and nothing splits in this scope.
const EPOCH: Epoch = Epoch { conf_ver: 1, version: 1 };

/// One replica. Its log begins after index 5 of term 5, as TiKV's does.
#[derive(Clone, PartialEq)]
struct Node {
    up: bool,
    role: Role,
    term: u64,
    vote: u64,
    leader: u64,
    log: Vec<Entry>,
    commit: u64,
    granted: BTreeSet<u64>,
    rejected: BTreeSet<u64>,
    matched: [u64; 3],
}

/// Three replicas and the network between them.
#[derive(Clone)]
struct OwnRaft {
    nodes: Vec<Node>,
    region: Region,
    /// The bug: a node forgets its vote when it restarts.
    forgets_vote: bool,
}

impl Node {
    fn last(&self) -> (u64, u64) {
        (self.log.last().map_or(5, |entry| entry.term), 5 + self.log.len() as u64)
    }

    fn term_at(&self, index: u64) -> Option<u64> {
        if index == 5 { Some(5) } else { self.log.get(index as usize - 6).map(|entry| entry.term) }
    }

    fn follow(&mut self, term: u64, leader: u64) {
        self.vote = if term > self.term { 0 } else { self.vote };
        (self.role, self.term, self.leader) = (Role::Follower, term, leader);
        (self.granted, self.rejected, self.matched) = Default::default();
    }

    fn append(&mut self, id: u64, command: Option<Command>) {
        let epoch = if command.is_some() { EPOCH } else { Epoch::default() };
        self.log.push(Entry { term: self.term, command, epoch });
        self.acknowledge(id, self.last().1);
    }

    /// Counts a replica's acknowledgement, and commits what two of three have in the leader's term.
    fn acknowledge(&mut self, id: u64, index: u64) {
        let known = &mut self.matched[id as usize - 1];
        *known = index.max(*known);
        let mut sorted = self.matched;
        sorted.sort_unstable();
        if sorted[1] > self.commit && self.term_at(sorted[1]) == Some(self.term) {
            self.commit = sorted[1];
        }
    }

    fn count(&mut self, id: u64) {
        if self.granted.len() > 1 {
            (self.role, self.leader) = (Role::Leader, id);
            (self.granted, self.rejected) = Default::default();
            self.append(id, None);
        } else if self.rejected.len() > 1 {
            self.follow(self.term, 0);
        }
    }
}

impl OwnRaft {
    fn new(forgets_vote: bool) -> Self {
        Self { nodes: Vec::new(), region: Region::unknown(1), forgets_vote }
    }

    /// The sender and the receiver; `None` if either is down.
    fn pair(&mut self, from: StoreId, to: StoreId) -> Option<[&mut Node; 2]> {
        let pair = self.nodes.get_disjoint_mut([from as usize - 1, to as usize - 1]).ok()?;
        pair.iter().all(|node| node.up).then_some(pair)
    }

    /// Takes an action as far as it goes; `None` if it cannot be taken.
    fn take(&mut self, action: &Action) -> Option<()> {
        match *action {
            Action::Campaign { store, .. } => {
                let node = &mut self.nodes[store as usize - 1];
                if !node.up || node.role == Role::Leader {
                    return None;
                }
                node.follow(node.term + 1, 0);
                (node.role, node.vote) = (Role::Candidate, store);
                node.granted.insert(store);
            }
            Action::Vote { candidate, voter, reply, .. } => {
                let [asks, votes] = self.pair(candidate, voter)?;
                if asks.role != Role::Candidate || asks.term < votes.term {
                    return None;
                }
                if asks.term > votes.term {
                    votes.follow(asks.term, 0);
                }
                let free = votes.vote == candidate || (votes.vote == 0 && votes.leader == 0);
                let grants = free && asks.last() >= votes.last();
                if grants {
                    votes.vote = candidate;
                }
                if reply == Reply::Delivered {
                    let counted = asks.granted.contains(&voter) || asks.rejected.contains(&voter);
                    let answers = if grants { &mut asks.granted } else { &mut asks.rejected };
                    if !counted {
                        answers.insert(voter);
                    }
                    asks.count(candidate);
                }
            }
            Action::Replicate { leader, follower, reply, .. } => {
                let [leads, follows] = self.pair(leader, follower)?;
                if leads.role != Role::Leader || leads.term < follows.term {
                    return None;
                }
                follows.follow(leads.term, leader);
                let shorter = leads.last().1.min(follows.last().1);
                let mut same = (5..=shorter).rev();
                let prefix = same.find(|index| leads.term_at(*index) == follows.term_at(*index))?;
                if let Some(entry) = leads.log.get(prefix as usize - 5) {
                    follows.log.truncate(prefix as usize - 5);
                    follows.log.push(entry.clone());
                }
                let reached = leads.last().1.min(prefix + 1);
                follows.commit = follows.commit.max(leads.commit.min(reached));
                if reply == Reply::Delivered {
                    leads.acknowledge(follower, reached);
                }
            }
            Action::Propose { store, command: ref command @ Command::Put { .. }, epoch, .. } => {
                let node = &mut self.nodes[store as usize - 1];
                if !node.up || node.role != Role::Leader || epoch.is_some_and(|epoch| epoch != EPOCH) {
                    return None;
                }
                node.append(store, Some(command.clone()));
            }
            Action::Crash { store } => {
                let forgets = self.forgets_vote;
                let node = &mut self.nodes[store as usize - 1];
                node.follow(node.term, 0);
                node.vote = if forgets { 0 } else { node.vote };
                node.up = false;
            }
            Action::Restart { store } => self.nodes[store as usize - 1].up = true,
            _ => return None,
        }
        Some(())
    }
}

impl Subject for OwnRaft {
    fn reset(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        self.region = scope.regions[0].clone();
        let node = Node {
            up: true,
            role: Role::Follower,
            term: 5,
            vote: 0,
            leader: 0,
            log: Vec::new(),
            commit: 5,
            granted: BTreeSet::new(),
            rejected: BTreeSet::new(),
            matched: [0; 3],
        };
        self.nodes = vec![node; scope.stores.len()];
        Ok(())
    }

    /// An action without an effect is refused. Comparing two copies shows that.
    fn apply(&mut self, action: &Action) -> Outcome {
        let before = self.nodes.clone();
        if self.take(action).is_some() && self.nodes != before {
            return Outcome::DONE;
        }
        self.nodes = before;
        Outcome::Refused(Reason::NoEffect)
    }

    fn view(&self) -> View {
        let mut view = View::default();
        for (id, node) in (1..).zip(&self.nodes) {
            let mut peer = Peer::blank(id, PeerState::Normal, self.region.clone());
            (peer.role, peer.term, peer.vote, peer.leader) = (node.role, node.term, node.vote, node.leader);
            peer.commit = node.commit;
            peer.log.truncated = LogPosition { index: 5, term: 5 };
            peer.log.entries = node.log.clone();
            let status = if node.up { StoreStatus::Up } else { StoreStatus::Down };
            view.stores.insert(id, Store { status, peers: [(1, peer)].into(), ..Store::default() });
        }
        view
    }
}

/// Peer ids equal store ids here, which keeps the implementation short.
fn scope() -> Result<Scope, ScopeError> {
    Scope::builder("three_voters")
        .question("Do three voters elect, replicate and restart as raft does?")
        .stores([1, 2, 3])
        .region(1, [(1, 1), (2, 2), (3, 3)])
        .command(Command::Put { key: "k".into(), value: "v".into() })
        .campaigners([1, 2])
        .crashers([2])
        .elections(2)
        .writes(1)
        .crashes(1)
        .build()
}

fn check(forgets_vote: bool) -> Result<Report, ConformError> {
    use Part::{Commit, Leader, Log, Peers, Role, StoreStatus, Term, Vote};
    Conform::new(scope()?)
        .named("own raft")
        // Its votes carry no commit index; raft-rs's do.
        .guards(GuardSet::ALL.in_dialect(Dialect::VotesTellNoCommit))
        .compare(Projection::only([StoreStatus, Peers, Role, Term, Vote, Leader, Log, Commit]))
        .run(|| OwnRaft::new(forgets_vote))
}

fn main() {
    for (title, forgets_vote) in [("As it should be", false), ("With the bug", true)] {
        match check(forgets_vote) {
            Ok(report) => println!("{title}:\n{report}\n"),
            Err(error) => println!("{title}:\n{error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rollcall_traces::Entries;

    use super::*;

    #[test]
    fn it_does_what_raft_does() {
        let report = check(false).unwrap_or_else(|error| panic!("{error}"));
        assert!(report.transitions > 1_000, "{report}");
    }

    #[test]
    fn a_forgotten_vote_is_found() {
        let error = check(true).expect_err("the bug");
        insta::assert_snapshot!(error.to_string());
    }

    /// An action of the scope, chosen by a number.
    fn action(choice: u8) -> Action {
        let (one, other) = (u64::from(choice % 3) + 1, u64::from(choice / 3 % 3) + 1);
        let (region, reply) = (1, if choice & 128 == 0 { Reply::Delivered } else { Reply::Dropped });
        match choice / 9 % 5 {
            0 => Action::Campaign { region, store: one },
            1 => Action::Vote { region, candidate: one, voter: other, reply },
            2 => Action::Replicate { region, leader: one, follower: other, entries: Entries::One, reply },
            3 => Action::Crash { store: one },
            _ => Action::Restart { store: one },
        }
    }

    proptest::proptest! {
        /// An invariant over longer random schedules, without the model.
        #[test]
        fn a_term_has_one_leader(choices in proptest::collection::vec(0_u8.., 1..200)) {
            let mut raft = OwnRaft::new(false);
            raft.reset(&scope().expect("it is sound")).expect("it begins");
            let mut leaders = BTreeMap::new();
            for choice in choices {
                raft.apply(&action(choice));
                for (id, node) in (1_u64..).zip(&raft.nodes).filter(|(_, node)| node.role == Role::Leader) {
                    let first = *leaders.entry(node.term).or_insert(id);
                    proptest::prop_assert_eq!(first, id, "two leaders in term {}", node.term);
                }
            }
        }
    }
}
