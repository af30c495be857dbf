//! The disabled actions of a state, and why each is refused; and those that its scope does not
//! offer.

use std::collections::{BTreeMap, BTreeSet};

use rollcall_model::{ClusterInScope as _, Guard, Rollcall, State, Withheld};
use rollcall_traces::{Action, Budgets, Language, Outcome, Reason, Scope, View};
use serde::Serialize;

use super::shown::{Link, ServerState, refusal, region_of};
use super::{name_of, still};
use crate::places;

/// A disabled action.
#[derive(Clone, Debug, Serialize)]
pub(super) struct NotNext {
    name: String,
    words: String,
    region: u64,
    store: u64,
    reason: String,
    meaning: String,
    /// The guards without which the first action with this reason would not be refused.
    guards: Vec<String>,
    /// Whether the rules would take it, and only the scope does not offer it.
    withheld: bool,
}

/// Why an action is refused, and without which guards it would not be.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Why {
    words: String,
    outcome: String,
    meaning: String,
    guards: Vec<String>,
    places: Vec<String>,
    /// Whether the rules take it.
    taken: bool,
}

impl ServerState {
    /// The actions of the scope that the rules refuse here, and those that they would take and the
    /// scope does not offer. A separate request returns them: a state has hundreds, and most
    /// readers do not need them.
    pub(super) fn refused(&self, link: &Link) -> Result<Vec<NotNext>, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        let (language, mut met) = (link.language(), BTreeSet::new());
        let mut decided: BTreeMap<Reason, Vec<String>> = BTreeMap::new();
        let refused = |(action, reason): (Action, Reason)| {
            let name = name_of(&action);
            let guards = decided.entry(reason);
            let guards = guards.or_insert_with(|| deciding(steps.model(), steps.state(), &action)).clone();
            met.insert(name.clone()).then(|| NotNext {
                guards,
                name,
                words: language.of(&action),
                region: region_of(&action),
                store: action.stores().first().copied().unwrap_or(0),
                reason: reason.to_string(),
                meaning: still::meaning(language, &Outcome::Refused(reason)).unwrap_or_default(),
                withheld: false,
            })
        };
        let (model, state, view) = (steps.model(), steps.state(), steps.view());
        let is_here = |action: &Action| is_here(action, model.scope(), &view);
        let disabled = model.disabled(state).into_iter().filter(|(action, _)| is_here(action));
        let mut all: Vec<NotNext> = disabled.filter_map(refused).collect();
        let spent = *model.cluster(state).spent();
        let kept_back = |(action, why): (Action, Withheld)| NotNext {
            guards: Vec::new(),
            name: name_of(&action),
            words: language.of(&action),
            region: region_of(&action),
            store: action.stores().first().copied().unwrap_or(0),
            reason: not_offered(language).into(),
            meaning: withheld_words(language, why, &action, model.scope(), &spent),
            withheld: true,
        };
        let withheld = model.withheld(state).into_iter().filter(|(action, _)| is_here(action));
        all.extend(withheld.map(kept_back));
        Ok(all)
    }

    /// Why the action is refused here.
    pub(super) fn why(&self, link: &Link) -> Result<Why, String> {
        let (mut steps, _) = self.steps(link)?;
        steps.back_to(link.at.unwrap_or(steps.len()).min(steps.len()));
        let action = super::action_of(&link.action)?;
        let (model, state) = (steps.model(), *steps.state());
        let outcome = model.step(&state, &action).1;
        let Outcome::Refused(reason) = outcome.clone() else {
            return Ok(self.why_not_offered(link, model, &state, &action, &outcome));
        };
        let guards = deciding(model, &state, &action);
        Ok(Why {
            words: link.language().of(&action),
            outcome: reason.to_string(),
            meaning: refusal(link.language(), &action, reason, &steps.view()),
            guards,
            places: places::of_action(&action).iter().map(ToString::to_string).collect(),
            taken: false,
        })
    }

    /// What keeps an action back that the rules take.
    fn why_not_offered(
        &self,
        link: &Link,
        model: &Rollcall,
        state: &State,
        action: &Action,
        outcome: &Outcome,
    ) -> Why {
        let (language, spent) = (link.language(), *model.cluster(state).spent());
        let kept_back = model.withheld(state).into_iter().find(|(other, _)| other == action);
        let meaning = |(_, why)| withheld_words(language, why, action, model.scope(), &spent);
        Why {
            words: language.of(action),
            outcome: if kept_back.is_some() { not_offered(language).into() } else { language.of(outcome) },
            meaning: kept_back.map(meaning).unwrap_or_default(),
            guards: Vec::new(),
            places: Vec::new(),
            taken: true,
        }
    }
}

/// Whether the action is about what the scope has. The model also tries stores and regions that
/// nobody has, and PD where there is none; for a reader each of them is the same refusal again.
fn is_here(action: &Action, scope: &Scope, view: &View) -> bool {
    if let Action::RemoveFailedStores { stores } = action
        && (stores.is_empty() || scope.max_replicas == 0)
    {
        return false;
    }
    let (stores, region) = (action.stores(), region_of(action));
    let has_store = |store: &u64| view.stores.contains_key(store);
    let has_region = region == 0
        || view.pd.regions.contains_key(&region)
        || scope.regions.iter().any(|known| known.id == region)
        || view.stores.values().any(|store| store.peers.contains_key(&region));
    // A store that is yet to be added is nowhere.
    has_region && (matches!(action, Action::AddStore { .. }) || stores.iter().all(has_store))
}

/// The reason of what a scope does not offer.
fn not_offered(language: Language) -> &'static str {
    match language {
        Language::English => "this scope does not offer it",
        Language::Chinese => "这个 scope 不提供它",
    }
}

/// What keeps an action back.
fn withheld_words(
    language: Language,
    why: Withheld,
    action: &Action,
    scope: &Scope,
    spent: &Budgets,
) -> String {
    let (english, chinese) = match why {
        Withheld::Budget(budget) => {
            let (name, all, used) = (budget.name(), scope.budgets.count(budget), spent.count(budget));
            match all {
                0 => (format!("It has no budget `{name}`."), format!("它没有 `{name}` 的预算。")),
                _ => (
                    format!("Its budget `{name}` is spent ({used} of {all})."),
                    format!("它的预算 `{name}` 用完了（{all} 次里用了 {used} 次）。"),
                ),
            }
        }
        Withheld::Command => {
            ("It is not among the scope's commands.".into(), "它不在这个 scope 的命令里。".into())
        }
        Withheld::Store => {
            let stores = match action {
                Action::Campaign { .. } => &scope.campaigners,
                _ => &scope.crashers,
            };
            let stores = stores.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            (
                format!("The scope lets only these stores do this: {stores}."),
                format!("这个 scope 只让这些 store 做这件事：{stores}。"),
            )
        }
        Withheld::Id => (
            "It would give a removed peer's id to another peer, which PD never does.".into(),
            "它会把已移除的 peer 的 id 再给别的 peer，PD 从不这样做。".into(),
        ),
        Withheld::Other => ("The scope leaves it out.".into(), "这个 scope 没有包括它。".into()),
    };
    match language {
        Language::English => english,
        Language::Chinese => chinese,
    }
}

/// The guards without each of which the action would be taken.
fn deciding(model: &Rollcall, state: &State, action: &Action) -> Vec<String> {
    let model = model.forgetful();
    let decides = |guard: &&Guard| {
        model.guards().holds(**guard)
            && model.with_guards(model.guards().and_without(**guard)).step(state, action).1.is_done()
    };
    Guard::ALL.iter().filter(decides).map(|guard| guard.name().to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a scope without PD nothing is asked of it, and nobody is asked about a store or a region
    /// that nobody has.
    #[test]
    fn what_is_nowhere_is_not_listed() {
        let state = ServerState::default();
        let names = |scope: &str, actions: &str| {
            let (scope, through) = (scope.to_string(), "1".to_string());
            let link = Link { scope, through, actions: actions.into(), ..Link::default() };
            let all = state.refused(&link).expect("a list");
            all.into_iter().map(|one| one.name).collect::<Vec<_>>()
        };
        let has = |names: &[String], part: &str| names.iter().any(|name| name.contains(part));
        let without_pd = names("two_voters_to_one_smoke", "crash(store:1)");
        assert!(has(&without_pd, "tombstone_peer(region:1,store:1"), "a store that stopped: {without_pd:?}");
        for part in ["remove_failed_stores", "store:10", "region:10", "stores:[]"] {
            assert!(!has(&without_pd, part), "{part}: {without_pd:?}");
        }
        let with_pd = names("crash_while_a_store_leaves_smoke", "crash(store:1)");
        assert!(has(&with_pd, "remove_failed_stores(stores:[1])"), "{with_pd:?}");
        assert!(!has(&with_pd, "remove_failed_stores(stores:[])"), "{with_pd:?}");
    }

    /// What the scope does not offer stands in the list, with what keeps it back, in both
    /// languages.
    #[test]
    fn what_a_scope_does_not_offer_is_told() {
        let state = ServerState::default();
        let told = |lang: &str, actions: &str, name: &str| {
            let (scope, lang) = ("three_voters_to_one_smoke".into(), lang.into());
            let link = Link { scope, lang, actions: actions.into(), ..Link::default() };
            let all = state.refused(&link).expect("a list");
            let one = all.into_iter().find(|one| one.name == name && one.withheld);
            one.map(|one| format!("{}: {}", one.reason, one.meaning))
        };
        let put = "propose(region:1,store:1,command:put(key:'6b',value:'76'))";
        let begins = "this scope does not offer it: ";
        assert_eq!(told("en", "", put), Some(format!("{begins}It is not among the scope's commands.")));
        assert_eq!(told("zh", "", put).as_deref(), Some("这个 scope 不提供它: 它不在这个 scope 的命令里。"));
        let (crash, other) = ("crash(store:1)", "crash(store:2)");
        assert_eq!(
            told("en", "", other),
            Some(format!("{begins}The scope lets only these stores do this: 1."))
        );
        assert_eq!(told("en", "", crash), None, "it is offered");
        let again = "crash(store:1);restart(store:1)";
        assert_eq!(
            told("en", again, crash),
            Some(format!("{begins}Its budget `crashes` is spent (1 of 1)."))
        );
        assert_eq!(
            told("zh", again, crash).as_deref(),
            Some("这个 scope 不提供它: 它的预算 `crashes` 用完了（1 次里用了 1 次）。")
        );
    }
}
