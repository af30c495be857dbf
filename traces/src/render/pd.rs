//! The placement driver in words: what it knows, and what a step changed of that.

use std::collections::BTreeSet;

use crate::pd::{KnownRegion, PlacementDriver, StoreState};
use crate::recovery::Recovery;
use crate::region::StoreId;
use crate::words::joined;

/// The changes, a line for each store, region and operator that changed.
pub(super) fn pd_changes(was: &PlacementDriver, is: &PlacementDriver) -> Vec<String> {
    let mut lines = Vec::new();
    if was.next_id != is.next_id {
        lines.push(format!("PD: next id {}->{}", was.next_id, is.next_id));
    }
    for store in was.stores.keys().chain(is.stores.keys()).collect::<BTreeSet<_>>() {
        match (was.stores.get(store), is.stores.get(store)) {
            (old, Some(new)) if old != Some(new) => {
                // Of a store that leaves people see no silence, and PD reckons with it.
                let silence = old.filter(|old| old.to_string() == new.to_string());
                let silence = silence.map_or(String::new(), |_| format!(", {}", new.liveness));
                lines.push(format!("PD: store {store} is {new}{silence}"));
            }
            (Some(_), None) => lines.push(format!("PD: store {store} is forgotten")),
            _ => {}
        }
    }
    for region in was.regions.keys().chain(is.regions.keys()).collect::<BTreeSet<_>>() {
        match (was.regions.get(region), is.regions.get(region)) {
            (old, Some(new)) if old != Some(new) => lines.push(format!("PD: {}", believed(new))),
            (Some(_), None) => lines.push(format!("PD: region {region} is forgotten")),
            _ => {}
        }
    }
    match (was.relearns, is.relearns) {
        (false, true) => lines.push("PD: drops the regions that it knew".into()),
        (true, false) => lines.push("PD: knows of every key again".into()),
        _ => {}
    }
    lines.extend(recovery_changes(was.recovery.as_deref(), is.recovery.as_deref()));
    let planned = was.all_operators().chain(is.all_operators());
    for region in planned.map(|(region, _)| region).collect::<BTreeSet<_>>() {
        let (started, starts) = (was.operators.contains_key(&region), is.operators.contains_key(&region));
        match (was.operator(region), is.operator(region)) {
            (old, Some(new)) if old != Some(new) || started != starts => {
                lines.push(format!("PD: operator of region {region}: {new}{}", its_turn(starts)));
            }
            (Some(old), None) => {
                lines.push(format!("PD: operator of region {region} has ended: {}", old.purpose))
            }
            _ => {}
        }
    }
    lines
}

/// A new stage with its plans, and who has reported.
fn recovery_changes(was: Option<&Recovery>, is: Option<&Recovery>) -> Vec<String> {
    let Some(new) = is else {
        return was.map(|_| "PD: no recovery is under way".into()).into_iter().collect();
    };
    let begins = was.is_none_or(|old| (old.stage, &old.plans) != (new.stage, &new.plans));
    let mut lines = Vec::new();
    if begins {
        let aborted = if new.aborted { ", for it was aborted" } else { "" };
        lines.push(format!("PD: recovery: {}{aborted}", new.stage));
        lines.extend(new.plans.iter().map(|(store, plan)| format!("PD: plan for store {store}: {plan}")));
    }
    let reported = |of: &Recovery, store: &StoreId| of.reports.get(store).is_some_and(Option::is_some);
    let newly =
        |store: &&StoreId| reported(new, store) && was.is_none_or(|old| begins || !reported(old, store));
    let newly: Vec<&StoreId> = new.reports.keys().filter(newly).collect();
    if !newly.is_empty() {
        let waits = new.reports.values().filter(|report| report.is_none()).count();
        lines.push(format!("PD: store {} has reported, {waits} to come", joined(newly, ", ")));
    }
    lines
}

/// All that it knows, a line each.
pub(super) fn pd_words(pd: &PlacementDriver) -> String {
    let mut lines = vec![format!("next id {}", pd.next_id)];
    lines.extend(pd.stores.iter().map(|(store, known)| match known.state {
        StoreState::Up => format!("store {store}: {known}"),
        _ => format!("store {store}: {known}, {}", known.liveness),
    }));
    lines.extend(pd.regions.values().map(believed));
    lines.extend(pd.all_operators().map(|(region, operator)| {
        let turn = its_turn(pd.operators.contains_key(&region));
        format!("operator of region {region}: {operator}{turn}")
    }));
    lines.extend(pd.recovery.iter().map(|recovery| format!("recovery: {}", recovery.stage)));
    lines.extend(pd.relearns.then(|| "does not know of every key again yet".to_string()));
    lines.join("\n")
}

/// Nothing of one that is under way: most are.
fn its_turn(runs: bool) -> &'static str {
    if runs { "" } else { ", waiting for its turn" }
}

/// The region, its leader, and who is not well.
fn believed(known: &KnownRegion) -> String {
    let mut words = match known.leader() {
        Some(leader) => format!("{}, led by {leader} in term {}", known.region, known.term),
        None => format!("{}, led by nobody", known.region),
    };
    for (name, peers) in [("pending", &known.pending), ("down", &known.down)] {
        if !peers.is_empty() {
            words.push_str(&format!(", {name} {}", joined(peers, " ")));
        }
    }
    words
}
