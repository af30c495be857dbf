//! The rules: what each action does to a cluster, or why it is refused.
//!
//! Pure: no clock, no thread, no I/O. Bounds are elsewhere (`actions.rs`).

mod apply;
mod conf_change;
mod deliver;
mod driver;
mod election;
mod force;
mod late;
mod merge;
mod merge_elsewhere;
mod propose;
pub(crate) mod raft;
mod ranges;
mod read;
mod recovery;
mod replicate;
mod split;
mod stale;
mod transfer;

use rollcall_traces::{
    Action, Answer, Held, Message, Outcome, PeerState, Reason, RegionId, Returned, StoreId, StoreStatus,
};

use crate::draft::Draft;
use crate::guard::{Guard, GuardSet};
use crate::state::{Parts, State};

pub(crate) use driver::seems_full;
pub(crate) use merge::has_left;
pub(crate) use stale::known_to;

/// Takes one action. Refused exactly when the cluster is unchanged and nothing
/// is returned; a step that is cut short after something changed is done.
/// What a store answers to messages that belong to no round is returned beside.
pub(crate) fn step(
    parts: &Parts,
    guards: GuardSet,
    state: &State,
    action: &Action,
) -> (State, Outcome, Vec<Held>) {
    step_in(&mut Draft::new(parts, guards, *state), action)
}

/// The same in a draft that is still empty.
pub(crate) fn step_in(draft: &mut Draft, action: &Action) -> (State, Outcome, Vec<Held>) {
    let result = take(draft, action);
    let (before, (after, said)) = (draft.before(), draft.finish());
    let outcome = match result {
        Ok(returned) if after != before || returned != Returned::Nothing => Outcome::Done(returned),
        Ok(_) => Outcome::Refused(Reason::NoEffect),
        Err(_) if after != before => Outcome::DONE,
        Err(reason) => Outcome::Refused(reason),
    };
    (after, outcome, said)
}

/// A single message arrives, outside every round and budget.
pub(crate) fn deliver(
    parts: &Parts,
    guards: GuardSet,
    state: &State,
    message: Held,
) -> (State, Outcome, Option<Held>) {
    let mut draft = Draft::new(parts, guards, *state);
    let (result, answer) = late::deliver(&mut draft, message);
    let (after, _) = draft.finish();
    match result {
        Err(reason) if after == *state => (after, Outcome::Refused(reason), answer),
        _ => (after, Outcome::DONE, answer),
    }
}

/// What a leader asks whom it is to hand over to: a transfer of leadership
/// message by message begins with that.
pub(crate) fn transfer_question(
    parts: &Parts,
    guards: GuardSet,
    state: &State,
    region: RegionId,
    store: StoreId,
    to: StoreId,
) -> Result<Held, Reason> {
    let draft = Draft::new(parts, guards, *state);
    let question = transfer::question(&draft, region, store, to)?;
    Ok(question.holding(Message::TransferQuestion))
}

fn take(draft: &mut Draft, action: &Action) -> Result<Returned, Reason> {
    match *action {
        Action::Campaign { region, store } => election::campaign(draft, region, store),
        Action::Vote { region, candidate, voter, answer } => {
            election::vote(draft, region, candidate, voter, answer)
        }
        Action::Replicate { region, leader, follower, entries, answer } => {
            replicate::replicate(draft, region, leader, follower, entries, answer)
        }
        Action::Heartbeat { region, leader, follower, answer } => {
            replicate::heartbeat_round(draft, region, leader, follower, answer)
        }
        Action::CheckStalePeer { region, store, asks, answer } => {
            stale::check_stale_peer(draft, region, store, asks, answer)
        }
        Action::ApplySnapshot { region, store } => replicate::apply_snapshot(draft, region, store),
        Action::Apply { region, store } => apply::apply(draft, region, store),
        Action::Propose { region, store, ref command, epoch } => {
            propose::propose(draft, region, store, command, epoch)
        }
        Action::AskSplit { region, store, ref keys, derive, answer } => {
            return split::ask(draft, region, store, keys, derive, answer);
        }
        Action::Read { region, store, ref key } => read::read(draft, region, store, key),
        Action::AnswerRead { region, store } => return read::answer(draft, region, store),
        Action::TimeoutNow { region, leader } => transfer::timeout_now(draft, region, leader),
        Action::TransferTimeout { region, store } => transfer::transfer_timeout(draft, region, store),
        Action::Crash { store } => crash(draft, store),
        Action::Restart { store } => restart(draft, store),
        Action::Destroy { store } => destroy(draft, store),
        Action::Hold { region, from, to, message } => late::hold(draft, region, from, to, message),
        Action::RegionHeartbeat { region, store, answer } => {
            return driver::region_heartbeat(draft, region, store, answer);
        }
        Action::StoreHeartbeat { store, answer } => return recovery::heartbeat(draft, store, answer),
        Action::StoreSilent { store } => driver::add_silence(draft, store),
        Action::Schedule { region, answer } => return driver::schedule(draft, region, answer),
        Action::PushOperator { region, answer } => return driver::push_operator(draft, region, answer),
        Action::OperatorTimeout { region } => driver::time_out_operator(draft, region),
        Action::RemoveOperator { region } => driver::remove_operator(draft, region),
        Action::CheckStores => driver::check_stores(draft),
        Action::PdRestart => driver::restart(draft),
        Action::AddStore { store } => driver::add_store(draft, store),
        Action::Decommission { store, force } => driver::decommission(draft, store, force),
        Action::CancelDecommission { store } => driver::cancel_decommission(draft, store),
        Action::SetTombstone { store } => driver::set_tombstone(draft, store),
        Action::RemoveTombstone { store } => driver::remove_tombstone(draft, store),
        Action::AddOperator { region, ref operator, answer } => {
            return driver::add_operator(draft, region, operator, answer);
        }
        Action::TombstonePeer { region, store, force } => force::tombstone_peer(draft, region, store, force),
        Action::RemoveFailedStores { ref stores } => recovery::remove_failed_stores(draft, stores),
        Action::RecoveryTimeout => return recovery::time_out(draft),
        Action::ForceLeaderTimeout { region, store } => recovery::lead_no_longer(draft, region, store),
        Action::Late { slot } => late::late(draft, slot, Answer::Lost).map(drop),
    }
    .map(|()| Returned::Nothing)
}

/// What is volatile is gone at once: the peers are shown as they will come back.
/// The term and the vote of an uninitialised peer are not; TiKV writes no hard
/// state before the first snapshot (`TV peer_storage.rs handle_raft_ready`).
fn crash(draft: &mut Draft, store: StoreId) -> Result<(), Reason> {
    draft.up(store)?;
    draft.set_status(store, StoreStatus::Down);
    let votes_survive = draft.holds(Guard::UninitialisedVoteSurvives);
    for region in draft.regions_on(store) {
        let guards = draft.guards();
        let peer = draft.peer_mut(store, region);
        raft::lose_commit(peer, guards);
        peer.snapshot = None;
        peer.read = None;
        peer.stale_check = None;
        if peer.state != PeerState::Tombstone {
            peer.merged_into = None;
        }
        let forgets = peer.state == PeerState::Uninitialised && !votes_survive;
        raft::become_follower(peer, if forgets { 0 } else { peer.term }, 0);
    }
    ranges::rebuild(draft, store);
    end_plan(draft, store);
    Ok(())
}

/// Nobody carries out a plan on a store that does not run.
fn end_plan(draft: &mut Draft, store: StoreId) {
    if draft.meta(store).plan.is_some() {
        draft.meta_mut(store).plan = None;
    }
}

fn restart(draft: &mut Draft, store: StoreId) -> Result<(), Reason> {
    match draft.status(store) {
        Some(StoreStatus::Down) => draft.set_status(store, StoreStatus::Up),
        Some(StoreStatus::Up) => return Err(Reason::StoreUp),
        _ => return Err(Reason::StoreDown),
    }
    Ok(())
}

fn destroy(draft: &mut Draft, store: StoreId) -> Result<(), Reason> {
    match draft.status(store) {
        Some(StoreStatus::Up | StoreStatus::Down) => {}
        _ => return Err(Reason::StoreDown),
    }
    draft.set_status(store, StoreStatus::Destroyed);
    for region in draft.regions_on(store) {
        draft.put_peer(store, region, None);
    }
    ranges::rebuild(draft, store);
    end_plan(draft, store);
    Ok(())
}
