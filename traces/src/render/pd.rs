//! A step's changes to the placement driver, in words.

use std::collections::BTreeSet;

use super::changes::say;
use crate::pd::{KnownRegion, PlacementDriver};
use crate::recovery::Recovery;
use crate::region::StoreId;
use crate::words::{Language, joined};

/// The changes, one line for each store, region and operator.
pub(super) fn pd_changes(language: Language, was: &PlacementDriver, is: &PlacementDriver) -> Vec<String> {
    let mut lines = Vec::new();
    if was.next_id != is.next_id {
        let (old, new) = (was.next_id, is.next_id);
        lines.push(say!(language, "PD: next id {old}->{new}", "PD：下一个 id {old}->{new}"));
    }
    for store in was.stores.keys().chain(is.stores.keys()).collect::<BTreeSet<_>>() {
        match (was.stores.get(store), is.stores.get(store)) {
            (old, Some(new)) if old != Some(new) => {
                // For a leaving store the display omits the liveness, and PD uses it.
                let silence = old.filter(|old| old.to_string() == new.to_string());
                let silence = silence.map_or(String::new(), |_| {
                    let liveness = language.of(&new.liveness);
                    say!(language, ", {liveness}", "，{liveness}")
                });
                let new = language.of(new);
                lines.push(say!(
                    language,
                    "PD: store {store} is {new}{silence}",
                    "PD：store {store} 是 {new}{silence}"
                ));
            }
            (Some(_), None) => {
                lines.push(say!(language, "PD: drops the record of store {store}", "PD：忘掉 store {store}"))
            }
            _ => {}
        }
    }
    for region in was.regions.keys().chain(is.regions.keys()).collect::<BTreeSet<_>>() {
        match (was.regions.get(region), is.regions.get(region)) {
            (old, Some(new)) if old != Some(new) => {
                let believed = believed(language, new);
                lines.push(say!(language, "PD: {believed}", "PD：{believed}"));
            }
            (Some(_), None) => {
                lines.push(say!(language, "PD: drops region {region}", "PD：忘掉 region {region}"))
            }
            _ => {}
        }
    }
    match (was.relearns, is.relearns) {
        (false, true) => lines.push(say!(language, "PD: drops its regions", "PD：丢掉它知道的 region")),
        (true, false) => {
            lines.push(say!(language, "PD: its regions cover every key again", "PD：又知道每个 key 归谁"))
        }
        _ => {}
    }
    lines.extend(recovery_changes(language, was.recovery.as_deref(), is.recovery.as_deref()));
    let planned = was.all_operators().chain(is.all_operators());
    for region in planned.map(|(region, _)| region).collect::<BTreeSet<_>>() {
        let (started, starts) = (was.operators.contains_key(&region), is.operators.contains_key(&region));
        match (was.operator(region), is.operator(region)) {
            (old, Some(new)) if old != Some(new) || started != starts => {
                let (new, turn) = (language.of(new), its_turn(language, starts));
                lines.push(say!(
                    language,
                    "PD: operator of region {region}: {new}{turn}",
                    "PD：region {region} 的 operator：{new}{turn}"
                ));
            }
            (Some(old), None) => {
                let purpose = old.purpose;
                lines.push(say!(
                    language,
                    "PD: operator of region {region} has ended: {purpose}",
                    "PD：region {region} 的 operator 结束：{purpose}"
                ))
            }
            _ => {}
        }
    }
    lines
}

/// A new stage with its plans, and the stores that have reported.
fn recovery_changes(language: Language, was: Option<&Recovery>, is: Option<&Recovery>) -> Vec<String> {
    let Some(new) = is else {
        let over = |_| say!(language, "PD: no recovery is under way", "PD：没有进行中的恢复");
        return was.map(over).into_iter().collect();
    };
    let begins = was.is_none_or(|old| (old.stage, &old.plans) != (new.stage, &new.plans));
    let mut lines = Vec::new();
    if begins {
        let aborted = match (new.aborted, language) {
            (false, _) => "",
            (true, Language::English) => ", aborted",
            (true, Language::Chinese) => "，因为它被中止",
        };
        let stage = language.of(&new.stage);
        lines.push(say!(language, "PD: recovery: {stage}{aborted}", "PD：恢复：{stage}{aborted}"));
        lines.extend(new.plans.iter().map(|(store, plan)| {
            let plan = language.of(plan);
            say!(language, "PD: plan for store {store}: {plan}", "PD：给 store {store} 的计划：{plan}")
        }));
    }
    let reported = |of: &Recovery, store: &StoreId| of.reports.get(store).is_some_and(Option::is_some);
    let newly =
        |store: &&StoreId| reported(new, store) && was.is_none_or(|old| begins || !reported(old, store));
    let newly: Vec<&StoreId> = new.reports.keys().filter(newly).collect();
    if !newly.is_empty() {
        let waits = new.reports.values().filter(|report| report.is_none()).count();
        let newly = joined(newly, ", ");
        lines.push(say!(
            language,
            "PD: store {newly} has reported, {waits} to come",
            "PD：store {newly} 已报告，还差 {waits} 个"
        ));
    }
    lines
}

/// Empty for a running operator, as most are.
fn its_turn(language: Language, runs: bool) -> &'static str {
    match (runs, language) {
        (true, _) => "",
        (false, Language::English) => ", waiting",
        (false, Language::Chinese) => "，等着轮到它",
    }
}

/// The region, its leader, and its down and pending peers.
fn believed(language: Language, known: &KnownRegion) -> String {
    let (region, term) = (&known.region, known.term);
    let mut words = match known.leader() {
        Some(leader) => {
            say!(
                language,
                "{region}, led by {leader} in term {term}",
                "{region}，term {term} 的 leader 是 {leader}"
            )
        }
        None => say!(language, "{region}, without a leader", "{region}，没有 leader"),
    };
    for (name, peers) in [("pending", &known.pending), ("down", &known.down)] {
        if !peers.is_empty() {
            words.push_str(&format!("{}{name} {}", language.comma(), joined(peers, " ")));
        }
    }
    words
}
