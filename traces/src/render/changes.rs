//! What a step changed, in words: one line for each peer that changed.
//!
//! Said is what an operator would look at; a change that no words fit is shown
//! field by field, so that nothing goes unsaid.

use std::collections::BTreeSet;

use super::pd::pd_changes;
use crate::action::{Action, Authority};
use crate::diff::differences;
use crate::recovery::PeerRecovery;
use crate::region::{PeerId, Region, RegionId, StoreId};
use crate::view::{Entry, Held, Leading, Log, Peer, PeerState, RangeEntry, Read, Role, StoreStatus, View};
use crate::words::joined;

/// The changes from one view to the next, a line each; empty if nothing changed.
pub fn changes(before: &View, after: &View) -> Vec<String> {
    if before == after {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let stores: BTreeSet<&StoreId> = before.stores.keys().chain(after.stores.keys()).collect();
    let several = [before, after].iter().flat_map(|view| regions(view)).collect::<BTreeSet<_>>().len() > 1;
    for &store in stores {
        lines.extend(store_changes(store, before, after, several));
    }
    lines.extend(message_changes(&before.held, &after.held, "held", "no longer held"));
    lines.extend(pd_changes(&before.pd, &after.pd));
    if lines.is_empty() {
        lines.extend(differences(before, after).iter().map(|difference| {
            let (was, is) = difference.words();
            format!("{}: {was} -> {is}", difference.path)
        }));
    }
    lines
}

fn regions(view: &View) -> impl Iterator<Item = RegionId> + '_ {
    view.stores.values().flat_map(|store| store.peers.keys().copied())
}

fn store_changes(store: StoreId, before: &View, after: &View, several: bool) -> Vec<String> {
    let (was, is) = (before.stores.get(&store), after.stores.get(&store));
    let (Some(was), Some(is)) = (was, is) else {
        let word = if is.is_some() { "joins" } else { "is gone" };
        return vec![format!("store {store}: {word}")];
    };
    let mut lines = Vec::new();
    if was.status != is.status {
        let word = match (was.status, is.status) {
            (StoreStatus::Down, StoreStatus::Up) => "is up again".into(),
            (_, status) => format!("is {status}"),
        };
        lines.push(format!("store {store}: {word}"));
    }
    let peers: BTreeSet<&RegionId> = was.peers.keys().chain(is.peers.keys()).collect();
    for region in peers {
        let words = match (was.peers.get(region), is.peers.get(region)) {
            (None, None) => continue,
            (Some(_), None) => vec!["everything is gone".into()],
            (None, Some(peer)) => created(peer),
            (Some(old), Some(new)) => peer_changes(old, new),
        };
        if !words.is_empty() {
            let whose = if several { format!(", region {region}") } else { String::new() };
            lines.push(format!("store {store}{whose}: {}", words.join(", ")));
        }
    }
    if several && was.ranges != is.ranges {
        lines.push(format!("store {store}: its ranges are {}", range_words(&is.ranges)));
    }
    match (&was.plan, &is.plan) {
        (old, Some(new)) if old.as_ref() != Some(new) => {
            lines.push(format!("store {store}: carries out the recovery plan of step {}", new.step));
        }
        (Some(_), None) => lines.push(format!("store {store}: carries out no recovery plan")),
        _ => {}
    }
    // That a snapshot was received, or applied, is said of the peer.
    let received = is.peers.values().filter_map(RangeEntry::pending);
    if was.pending_ranges != is.pending_ranges && !received.eq(is.pending_ranges.iter().cloned()) {
        lines.push(format!("store {store}: {}", pending_words(&is.pending_ranges)));
    }
    let pending_messages =
        message_changes(&was.pending_messages, &is.pending_messages, "pending message", "no longer pending");
    lines.extend(pending_messages.into_iter().map(|words| format!("store {store}: {words}")));
    lines
}

fn range_words(ranges: &[RangeEntry]) -> String {
    let words = ranges.iter().map(|entry| format!("{} [{}, {})", entry.region, entry.start, entry.end));
    joined(words, ", ")
}

fn pending_words(ranges: &[RangeEntry]) -> String {
    if ranges.is_empty() {
        return "it keeps no range free for a snapshot".into();
    }
    format!("it keeps free for snapshots {}", range_words(ranges))
}

fn created(peer: &Peer) -> Vec<String> {
    match peer.state {
        PeerState::Tombstone => {
            vec![format!("a tombstone of peer {} at epoch {}", peer.id, peer.region.epoch)]
        }
        PeerState::Uninitialised => {
            let mut words = vec![format!("peer {} is created, uninitialised", peer.id)];
            words.extend(follows(peer));
            words
        }
        // With a region from the first: a split brings that, at a version beyond the
        // first, and an unsafe recovery, where nobody had the keys.
        PeerState::Normal | PeerState::Merging => {
            let Region { start, end, epoch, peers, .. } = &peer.region;
            let comes = if epoch.version == 1 { "is made anew" } else { "is split off" };
            let mut words = vec![
                format!("peer {} {comes} with range [{start}, {end})", peer.id),
                format!("epoch {epoch}"),
                format!("peers {{{}}}", joined(peers, " ")),
            ];
            words.extend(peer.data.iter().map(|(key, value)| format!("{key}={value}")));
            words.push(match (peer.role, follows(peer)) {
                (_, Some(follows)) => follows,
                (role, None) => format!("{role} of term {}", peer.term),
            });
            words
        }
    }
}

fn peer_changes(was: &Peer, is: &Peer) -> Vec<String> {
    if is.state == PeerState::Tombstone {
        if was == is {
            return Vec::new();
        }
        let into = |target: &Region| format!(", merged into region {}", target.id);
        let into = is.merged_into.as_ref().map(into).unwrap_or_default();
        let (id, epoch) = (was.id, is.region.epoch);
        return vec![format!("peer {id} is destroyed, its tombstone has epoch {epoch}{into}")];
    }
    if was.state == PeerState::Tombstone || was.id != is.id {
        return created(is);
    }
    let mut words = Vec::new();
    if was.state != is.state {
        words.push(format!("{} -> {}", was.state, is.state));
    }
    if let Some(target) = is.merged_into.as_ref().filter(|_| was.merged_into != is.merged_into) {
        words.push(format!("hears that region {} has taken it in", target.id));
    }
    if let Some(check) = is.stale_check.as_ref().filter(|_| was.stale_check != is.stale_check) {
        words.push(format!("hears of members {{{}}}, whom it may ask", joined(&check.peers, " ")));
    }
    words.extend(role_changes(was, is));
    words.extend(log_changes(&was.log, &is.log));
    words.extend(number("commit", was.commit, is.commit));
    if let Some(synced) = is.synced_commit.filter(|_| was.synced_commit != is.synced_commit) {
        words.push(format!("commit {synced} on disk"));
    }
    words.extend(number("applied", was.applied, is.applied));
    words.extend(region_changes(was, is));
    words.extend(data_changes(was, is));
    match (&was.snapshot, &is.snapshot) {
        (old, Some(new)) if old.as_ref() != Some(new) => {
            words.push(format!("snapshot at {} received", new.position.index));
        }
        (Some(_), None) if was.state == is.state && was.applied == is.applied => {
            words.push("its snapshot is forgotten".into());
        }
        _ => {}
    }
    words.extend(leading_changes(is.id, was.leading.as_ref(), is.leading.as_ref()));
    words.extend(read_changes(was.read.as_ref(), is.read.as_ref()));
    if was.recovery != is.recovery {
        words.push(match &is.recovery {
            Some(PeerRecovery::Demotes(failed)) if failed.is_empty() => {
                "has proposed to be rid of them".into()
            }
            Some(PeerRecovery::Demotes(failed)) => format!("is to be rid of peers {}", joined(failed, ", ")),
            Some(PeerRecovery::Failed) => "cannot do what it was told, and goes on leading".into(),
            None => "has no more to do for the recovery plan".into(),
        });
    }
    words
}

fn number(what: &str, was: u64, is: u64) -> Option<String> {
    (was != is).then(|| format!("{what} {was}->{is}"))
}

fn follows(peer: &Peer) -> Option<String> {
    (peer.role == Role::Follower && peer.leader != 0)
        .then(|| format!("follows peer {} in term {}", peer.leader, peer.term))
}

fn role_changes(was: &Peer, is: &Peer) -> Vec<String> {
    let mut words = Vec::new();
    let new_leader = is.leader != was.leader || is.term != was.term;
    if was.role != is.role || (is.role != Role::Follower && is.term != was.term) {
        words.push(match is.role {
            Role::Follower => format!("{} no more, term {}", was.role, is.term),
            role if is.is_by_force() => format!("{role} of term {}, by force", is.term),
            role => format!("{role} of term {}", is.term),
        });
    } else if is.term != was.term && follows(is).is_none() {
        words.push(format!("term {}->{}", was.term, is.term));
    }
    if is.role == Role::Follower && new_leader {
        words.extend(follows(is));
        if is.leader == 0 && was.leader != 0 && was.role == Role::Follower {
            words.push("knows no leader".into());
        }
    }
    if was.vote != is.vote && is.vote != 0 && is.vote != is.id {
        words.push(format!("votes for peer {}", is.vote));
    }
    if let (Some(old), Some(new)) = (&was.campaign, &is.campaign) {
        if old.granted != new.granted {
            words.push(format!("granted by {}", joined(&new.granted, " ")));
        }
        if old.rejected != new.rejected {
            words.push(format!("rejected by {}", joined(&new.rejected, " ")));
        }
    }
    words
}

fn log_changes(was: &Log, is: &Log) -> Vec<String> {
    let mut words = Vec::new();
    let same = |index: u64| was.entry(index).is_none() || was.entry(index) == is.entry(index);
    if was.truncated != is.truncated {
        let to = is.truncated.index;
        words.push(if to > was.last_index() {
            format!("log begins anew behind {to}")
        } else {
            format!("log compacted to {to}")
        });
    }
    let new: Vec<(u64, &Entry)> =
        is.iter().filter(|(index, entry)| was.entry(*index) != Some(*entry)).collect();
    if let (Some((first, _)), Some((last, _))) = (new.first(), new.last()) {
        let entries = joined(new.iter().map(|(_, entry)| entry_words(entry)), "; ");
        let range = if first == last { first.to_string() } else { format!("{first}..{last}") };
        let verb = if new.iter().all(|(index, _)| same(*index)) { "" } else { " overwritten" };
        words.push(format!("log {range}{verb} ({entries})"));
    }
    if is.last_index() < was.last_index() {
        words.push(format!("log cut back to {}", is.last_index()));
    }
    words
}

fn entry_words(entry: &Entry) -> String {
    entry.command.as_ref().map_or_else(|| "empty".into(), ToString::to_string)
}

fn region_changes(was: &Peer, is: &Peer) -> Vec<String> {
    let (old, new) = (&was.region, &is.region);
    let mut words = Vec::new();
    if old.epoch != new.epoch {
        let parts = [
            number("conf_ver", old.epoch.conf_ver, new.epoch.conf_ver),
            number("version", old.epoch.version, new.epoch.version),
        ];
        words.push(format!("epoch {}", joined(parts.into_iter().flatten(), " ")));
    }
    if old.peers != new.peers {
        words.push(format!("peers {{{}}}", joined(&new.peers, " ")));
    }
    if (&old.start, &old.end) != (&new.start, &new.end) {
        words.push(format!("range [{}, {})", new.start, new.end));
    }
    words
}

fn data_changes(was: &Peer, is: &Peer) -> Vec<String> {
    let written = is.data.iter().filter(|(key, value)| was.data.get(*key) != Some(*value));
    let gone = was.data.keys().filter(|key| !is.data.contains_key(*key));
    let (deleted, left): (Vec<_>, Vec<_>) = gone.partition(|key| is.region.contains(key));
    let mut words: Vec<_> = written.map(|(key, value)| format!("{key}={value}")).collect();
    words.extend(deleted.iter().map(|key| format!("{key} gone")));
    if !left.is_empty() {
        words.push(format!("leaves {} to others", joined(left, " ")));
    }
    words
}

fn leading_changes(own: PeerId, was: Option<&Leading>, is: Option<&Leading>) -> Vec<String> {
    let Some(is) = is else { return Vec::new() };
    let nothing = Leading::default();
    let first_of_term = was.is_none();
    let was = was.unwrap_or(&nothing);
    let mut words = Vec::new();
    if !first_of_term {
        // That a leader has what it wrote itself goes without saying.
        for (&peer, &index) in is.matched.iter().filter(|(peer, _)| **peer != own) {
            if was.matched.get(&peer).is_some_and(|known| *known < index) {
                words.push(format!("knows peer {peer} at {index}"));
            }
        }
    }
    if was.sent_snapshot < is.sent_snapshot {
        words.push(format!("sent a snapshot up to {}", is.sent_snapshot));
    }
    if was.transfer != is.transfer {
        words.push(match is.transfer {
            None => "no longer hands over".into(),
            Some(transfer) if transfer.timeout_now => {
                format!("hands over to peer {}, its TimeoutNow is under way", transfer.to)
            }
            Some(transfer) => format!("hands over to peer {}", transfer.to),
        });
    }
    words
}

fn read_changes(was: Option<&Read>, is: Option<&Read>) -> Vec<String> {
    match (was, is) {
        (old, Some(new)) if old != Some(new) => {
            let state = if new.ready {
                "ready".into()
            } else {
                format!("acknowledged by {}", joined(&new.acks, " "))
            };
            vec![format!("reads {} at {}, {state}", new.key, new.index)]
        }
        (Some(_), None) => vec!["its read is over".into()],
        _ => Vec::new(),
    }
}

/// The messages that came, under `here`, and those that went, under `gone`.
fn message_changes(before: &[Held], after: &[Held], here: &str, gone: &str) -> Vec<String> {
    // Messages are pushed at the end and taken from anywhere.
    let mut left: Vec<&Held> = before.iter().collect();
    let mut words = Vec::new();
    for message in after {
        match left.iter().position(|old| *old == message) {
            Some(at) => drop(left.remove(at)),
            None => words.push(format!("{here}: {message}")),
        }
    }
    words.extend(left.iter().map(|message| format!("{gone}: {message}")));
    words
}

/// Where a step is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    /// At a store.
    Store(StoreId),
    /// At the placement driver.
    Pd,
}

/// What a step is drawn between: who acts, and on whom. A late message of which
/// nothing is known is drawn nowhere.
pub(super) fn ends(action: &Action, before: Option<&View>) -> (Option<Column>, Option<Column>) {
    use Column::{Pd, Store};
    match action {
        Action::Vote { candidate, voter, .. } => (Some(Store(*candidate)), Some(Store(*voter))),
        Action::Replicate { leader, follower, .. } | Action::Heartbeat { leader, follower, .. } => {
            (Some(Store(*leader)), Some(Store(*follower)))
        }
        Action::CheckStalePeer { store, asks, .. } => {
            let asked = match asks {
                Authority::Member(asked) => Store(*asked),
                Authority::PlacementDriver => Pd,
            };
            (Some(Store(*store)), Some(asked))
        }
        Action::Hold { from, .. } => (Some(Store(*from)), None),
        Action::TimeoutNow { region, leader } => {
            let target = before.and_then(|view| {
                let peer = view.stores.get(leader)?.peers.get(region)?;
                Some(peer.region.member(peer.leading.as_ref()?.transfer?.to)?.store)
            });
            (Some(Store(*leader)), target.map(Store))
        }
        Action::Late { slot } => match before.and_then(|view| view.held.get(*slot)) {
            Some(held) if held.is_from_pd() => (Some(Pd), Some(Store(held.to.store))),
            Some(held) if held.is_to_pd() => (Some(Store(held.from.store)), Some(Pd)),
            Some(held) => (Some(Store(held.from.store)), Some(Store(held.to.store))),
            None => (None, None),
        },
        Action::RegionHeartbeat { store, .. }
        | Action::StoreHeartbeat { store, .. }
        | Action::AddStore { store }
        | Action::AskSplit { store, .. } => (Some(Store(*store)), Some(Pd)),
        Action::Schedule { .. } | Action::PushOperator { .. } | Action::AddOperator { .. } => {
            (Some(Pd), None)
        }
        action if action.is_of_pd() => (Some(Pd), None),
        Action::Propose { store, .. } => (Some(Store(*store)), None),
        other => (other.stores().first().copied().map(Store), None),
    }
}
