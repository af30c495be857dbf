//! The self-test of an adapter of level `world`: five situations with one right result.

use rollcall_traces::{
    Action, Command, Entries, Key, Peer, RegionId, Reply, Role, Scope, StoreId, StoreStatus, Subject, View,
};

use super::{Checked, Verdict};
use crate::subject::{Fault, ForeignCluster, Link, caught};

/// A situation of a whole cluster.
pub struct OfACluster {
    /// Its name.
    pub name: &'static str,
    /// What it looks at.
    pub about: &'static str,
    check: fn(&mut Bench) -> Checked,
}

/// The situations, in the order in which they build on each other.
pub const OF_A_CLUSTER: &[OfACluster] = &[
    OfACluster { name: "begin", about: "reset shows what the scope says", check: begin },
    OfACluster { name: "refusal", about: "who is not there refuses, and nothing changes", check: refusal },
    OfACluster { name: "election", about: "campaign, vote", check: election },
    OfACluster { name: "write", about: "propose, replicate", check: write },
    OfACluster { name: "restart", about: "crash, restart", check: restart },
];

const REGION: RegionId = 1;

/// Looks at one situation, on a cluster that is reset for it.
pub fn look_at_cluster(link: &Link, situation: &OfACluster) -> Verdict {
    match caught(|| (situation.check)(&mut Bench { cluster: ForeignCluster::new(link) })) {
        Ok(Ok(())) => Verdict::Fine,
        Ok(Err(words)) => Verdict::Wrong(words),
        Err(Fault { words, wire }) => Verdict::Wrong(Fault { words, wire }.to_string()),
    }
}

/// Three stores with one region, which nobody leads yet.
fn three() -> Scope {
    let plan = rollcall_model::scopes::named("old_term_entries_smoke").expect("there is such a scope");
    Scope { setup: Vec::new(), ..plan.scope }
}

struct Bench {
    cluster: ForeignCluster,
}

impl Bench {
    fn begin(&mut self) -> Checked {
        self.cluster.reset(&three()).map_err(|error| format!("`reset` is refused: {error}"))
    }

    fn take(&mut self, action: Action) -> Result<View, String> {
        match self.cluster.apply(&action).is_done() {
            true => Ok(self.cluster.view()),
            false => Err(format!("`{action}` is refused, and nothing stands against it")),
        }
    }

    fn elected(&mut self) -> Checked {
        self.begin()?;
        self.take(Action::Campaign { region: REGION, store: 1 })?;
        self.take(Action::Vote { region: REGION, candidate: 1, voter: 2, reply: Reply::Delivered }).map(drop)
    }
}

fn peer(view: &View, store: StoreId) -> Result<&Peer, String> {
    let peer = view.stores.get(&store).and_then(|store| store.peers.get(&REGION));
    peer.ok_or_else(|| format!("the view has no peer of region {REGION} on store {store}"))
}

fn begin(bench: &mut Bench) -> Checked {
    bench.begin()?;
    let (scope, view) = (three(), bench.cluster.view());
    if !view.stores.keys().eq(scope.stores.iter()) {
        return Err(format!(
            "the scope has the stores {:?}, the view {:?}",
            scope.stores,
            view.stores.keys()
        ));
    }
    for store in scope.stores {
        let peer = peer(&view, store)?;
        if peer.region != scope.regions[0] || peer.role != Role::Follower {
            return Err(format!(
                "store {store} is to show a follower of {:?}, and shows {peer:?}",
                scope.regions[0]
            ));
        }
    }
    Ok(())
}

fn refusal(bench: &mut Bench) -> Checked {
    bench.begin()?;
    let before = bench.cluster.view();
    let nobody = Action::Campaign { region: REGION, store: 9 };
    if bench.cluster.apply(&nobody).is_done() {
        return Err(format!("`{nobody}` is done, and there is no such store"));
    }
    // A store that was not contacted must not change.
    bench.take(Action::Campaign { region: REGION, store: 1 })?;
    let after = bench.cluster.view();
    match before.stores.get(&2) == after.stores.get(&2) {
        true => Ok(()),
        false => Err("store 2 has changed, and nobody has spoken to it".into()),
    }
}

fn election(bench: &mut Bench) -> Checked {
    bench.elected()?;
    let view = bench.cluster.view();
    let (leader, voter) = (peer(&view, 1)?, peer(&view, 2)?);
    if leader.role != Role::Leader || (voter.term, voter.vote) != (leader.term, leader.id) {
        return Err(format!(
            "store 2 has voted for store 1, which is to lead: store 1 is a {:?} of term {}, store 2 has voted for {} in term {}",
            leader.role, leader.term, voter.vote, voter.term
        ));
    }
    Ok(())
}

fn write(bench: &mut Bench) -> Checked {
    bench.elected()?;
    let (key, value) = (Key::from("k"), Key::from("a"));
    let command = Command::Put { key: key.clone(), value: value.clone() };
    bench.take(Action::Propose { region: REGION, store: 1, command, epoch: None })?;
    let round = Action::Replicate {
        region: REGION,
        leader: 1,
        follower: 2,
        entries: Entries::All,
        reply: Reply::Delivered,
    };
    let view = bench.take(round)?;
    let (leader, follower) = (peer(&view, 1)?, peer(&view, 2)?);
    if leader.log.last_index() != follower.log.last_index() {
        return Err("the round is over, and the two logs do not end alike".into());
    }
    match leader.data.get(&key) == Some(&value) {
        true => Ok(()),
        false => Err(format!("two of three have k=a, and store 1 shows the data {:?}", leader.data)),
    }
}

fn restart(bench: &mut Bench) -> Checked {
    bench.elected()?;
    let before = bench.cluster.view();
    let crashed = bench.take(Action::Crash { store: 2 })?;
    if crashed.stores.get(&2).is_none_or(|store| store.status != StoreStatus::Down) {
        return Err("store 2 has crashed, and is not shown as down".into());
    }
    let view = bench.take(Action::Restart { store: 2 })?;
    let (before, after) = (peer(&before, 2)?, peer(&view, 2)?);
    if (before.term, before.vote, &before.log) != (after.term, after.vote, &after.log) {
        return Err(format!(
            "store 2 had term {} and vote {} before it restarted, and has {} and {}, or another log",
            before.term, before.vote, after.term, after.vote
        ));
    }
    Ok(())
}
