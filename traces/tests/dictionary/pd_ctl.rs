//! What an administrator reads: PD's words, and only beside what was typed.

use rollcall_traces::render::{mermaid, terminal};
use rollcall_traces::{
    Action, AdminOperator, Divergence, Header, Outcome, Reason, RegionId, Reply, Scope, Sides, Step, StoreId,
    Trace,
};

use crate::arbitrary::action;
use crate::toy::scope;
use proptest::prelude::*;

const REGION: RegionId = 7;
const STORE: StoreId = 4;

fn add(operator: AdminOperator) -> Action {
    Action::AddOperator { region: REGION, operator, reply: Reply::Delivered }
}

/// What pd-ctl says to each reason that it has words for, in the order of [`Reason::ALL`].
fn said(action: &Action) -> Vec<String> {
    let line = |reason: &Reason| Some(format!("{reason}: {}", action.pd_ctl(*reason)?));
    Reason::ALL.iter().filter_map(line).collect()
}

#[test]
fn store_delete_and_cancel_delete() {
    for action in [
        Action::Decommission { store: STORE, force: false },
        Action::Decommission { store: STORE, force: true },
        Action::CancelDecommission { store: STORE },
    ] {
        assert_eq!(
            said(&action),
            [
                "unknown_store: store 4 not found",
                "store_removed: store 4 has been removed",
                "already_leaving: Success!",
                "not_leaving: Success!",
                "physically_destroyed: store 4 has been physically destroyed",
                "stores_not_enough: can not remove store 4 since the number of up stores would be ... while need ...",
            ]
        );
    }
}

#[test]
fn tombstones_by_hand() {
    let set = said(&Action::SetTombstone { store: STORE });
    assert_eq!(set, ["state_not_allowed: invalid state Tombstone"]);
    let remove = said(&Action::RemoveTombstone { store: STORE });
    assert_eq!(
        remove,
        ["unknown_store: Success!", "not_tombstone: Success!", "store_has_regions: failed stores: 4"]
    );
}

#[test]
fn operator_add_and_remove() {
    let built = said(&add(AdminOperator::AddPeer { store: STORE }));
    let expected = [
        "already_leader: no operator step is built",
        "unknown_store: store 4 not found",
        "store_removed: store 4 has been removed",
        "unknown_region: region 7 not found",
        "no_leader: cannot build operator for region with no leader",
        "joint_state: cannot build operator for region which is in joint state",
        "operator_exists: failed to add operator, maybe already have one",
        "peer_exists: region already has peer in store 4",
        "no_peer: region has no peer in store 4",
        "no_voter: region has no voter in store 4",
        "store_unhealthy: store 4 is unhealthy",
        "last_voter: cannot create operator: target peers have no voter",
    ];
    assert_eq!(built, expected);
    assert_eq!(said(&add(AdminOperator::TransferLeader { store: STORE })), expected);
    let mut removed = said(&add(AdminOperator::RemovePeer { store: STORE }));
    assert_eq!(removed.pop().as_deref(), Some("no_new_leader: no valid leader"));
    assert_eq!(removed, expected);
    assert_eq!(
        said(&add(AdminOperator::Split { keys: Vec::new() })),
        [
            "unknown_region: region 7 not found",
            "joint_state: cannot split region which is in joint state",
            "operator_exists: failed to add operator, maybe already have one",
        ]
    );
    assert_eq!(said(&Action::RemoveOperator { region: REGION }), ["no_operator: operator not found"]);
}

#[test]
fn unsafe_recovery_of_one_store_and_of_several() {
    let said = |stores: &[StoreId]| said(&Action::RemoveFailedStores { stores: stores.to_vec() });
    let running = "recovery_running: unsafe recovery is running";
    assert_eq!(said(&[]), [running, "no_effect: invalid input no store specified"]);
    assert_eq!(said(&[STORE, 5]), [running]);
    let one = [
        "unknown_store: invalid input store 4 doesn't exist",
        "store_connected: invalid input store 4 is up and connected",
        running,
    ];
    assert_eq!(said(&[STORE]), one);
}

/// The same reason, typed and not: on a terminal and in a diagram.
#[test]
fn the_words_stand_beside_what_was_typed_and_nowhere_else() {
    let typed = add(AdminOperator::TransferLeader { store: 1 });
    let patrol = Action::Schedule { region: REGION, reply: Reply::Delivered };
    let scope = Scope { max_replicas: 1, ..scope("typed", &[1]) };
    let mut trace = Trace::scenario(Header::new(scope), []);
    trace.steps = [(1, typed), (2, patrol)]
        .map(|(index, action)| {
            let outcome = Some(Outcome::Refused(Reason::NoLeader));
            Step { outcome, ..Step::new(index, action) }
        })
        .into();
    let words = "cannot build operator for region with no leader";
    for (page, quote) in [(terminal(&trace), "\""), (mermaid(&trace), "#34;")] {
        assert!(page.contains(&format!("refused: no_leader (pd-ctl: {quote}{words}{quote})")), "{page}");
        assert_eq!(page.matches("refused: no_leader").count(), 2, "{page}");
        assert_eq!(page.matches("pd-ctl").count(), 1, "{page}");
    }
    trace.steps[0].outcome = Some(Outcome::DONE);
    assert!(!terminal(&trace).contains("pd-ctl"));
}

/// Where two sides part, each has its own words, and what both say has them once.
#[test]
fn a_divergence_tells_what_was_answered_to_what_was_typed() {
    let report = |action, expected| {
        let divergence = Divergence {
            scenario: "typed".into(),
            sides: Sides::MODEL_AND_IMPL,
            step: 1,
            action: Some(action),
            expected: Some(expected),
            actual: Some(Outcome::Refused(Reason::StoresNotEnough)),
            differences: Vec::new(),
            guards: Vec::new(),
            places: Vec::new(),
            prefix: Vec::new(),
            fault: Vec::new(),
            judged: None,
            command: None,
        };
        divergence.to_string().lines().skip(1).map(str::trim).map(String::from).collect::<Vec<_>>()
    };
    let typed = || Action::Decommission { store: STORE, force: false };
    let words = "refused: stores_not_enough (pd-ctl: \"can not remove store 4 since the number of up stores \
                 would be ... while need ...\")";
    let refused = Outcome::Refused(Reason::StoreRemoved);
    let removed = "model: refused: store_removed (pd-ctl: \"store 4 has been removed\")";
    assert_eq!(report(typed(), refused), [removed, &format!("impl:  {words}")]);
    assert_eq!(report(typed(), Outcome::DONE), ["model: done", &format!("impl:  {words}")]);
    assert_eq!(report(typed(), Outcome::Refused(Reason::StoresNotEnough)), [format!("outcome: {words}")]);
    let patrol = report(Action::CheckStores, Outcome::DONE);
    assert_eq!(patrol, ["model: done", "impl:  refused: stores_not_enough"]);
}

/// Every reason for which `tombstone` is refused, and no other command.
#[test]
fn tikv_ctl_answers_in_its_own_words() {
    let typed = |force| Action::TombstonePeer { region: 1, store: STORE, force };
    let said: Vec<String> = Reason::ALL
        .iter()
        .filter_map(|reason| typed(false).tikv_ctl(*reason).map(|words| format!("{reason}: {words}")))
        .collect();
    assert_eq!(
        said,
        [
            "store_up: IO error: While lock file: .../db/LOCK: Resource temporarily unavailable",
            "region_not_found: Can't find RegionLocalState",
            "invalid_conf_ver: invalid conf_ver: please make sure you have removed the peer by PD",
            "peer_still_listed: The peer is still in target peers",
        ]
    );
    assert_eq!(typed(true).tikv_ctl(Reason::StoreUp), typed(false).tikv_ctl(Reason::StoreUp));
    assert_eq!(Action::CheckStores.tikv_ctl(Reason::StoreUp), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(96) })]

    /// tikv-ctl is typed too, and is not pd-ctl.
    #[test]
    fn nobody_reads_words_of_what_nobody_typed_at_pd(action in action()) {
        if !action.is_typed() || matches!(action, Action::TombstonePeer { .. }) {
            prop_assert_eq!(said(&action), Vec::<String>::new());
        }
        if !matches!(action, Action::TombstonePeer { .. }) {
            prop_assert!(Reason::ALL.iter().all(|reason| action.tikv_ctl(*reason).is_none()));
        }
    }
}
