//! What an administrator does by force, past the placement driver's checks:
//! tikv-ctl on a stopped store, and unsafe recovery.

use rollcall_traces::{Action, AdminOperator, Budgets, Scope, StoreId};

use super::super::{Asked, REGION, behind, either};
use super::{leaves, operator, placed};
use crate::reach::Reach;

fn by_hand(store: StoreId, force: bool) -> Action {
    Action::TombstonePeer { region: REGION, store, force }
}

pub(super) fn tombstone_by_hand(standard: bool) -> Asked {
    let asked = placed(
        "tombstone_by_hand",
        "a stopped store's peer is made a tombstone on its disk, when PD says it is gone, when PD lags behind, and by force: what is lost?",
        &[1, 2, 3],
        &[1, 2],
    );
    let asked = behind(asked, [operator(REGION, AdminOperator::AddPeer { store: 3 })]);
    let mut admin = vec![
        by_hand(3, false),
        by_hand(3, true),
        by_hand(2, true),
        operator(REGION, AdminOperator::RemovePeer { store: 3 }),
    ];
    if standard {
        // Said to be destroyed, and only stopped.
        admin.push(Action::Decommission { store: 3, force: true });
    }
    let scope = Scope {
        admin,
        campaigners: vec![1],
        crashers: vec![2, 3],
        budgets: Budgets {
            admin: 2,
            crashes: 1,
            elections: either(standard, 1, 0),
            timeouts: either(standard, 1, 0),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreDown, Reach::ListedTombstone];
    (scope, reachable, vec!["tombstone peer", "tombstone peer by force", "crash"])
}

pub(super) fn forced_by_hand(standard: bool) -> Asked {
    let asked = placed(
        "forced_by_hand",
        "two of three voters are gone with their disks: what does the one that is left come to by force, and what is refused?",
        &[1, 2, 3],
        &[1, 2, 3],
    );
    let gone = |store| [Action::Destroy { store }, Action::StoreSilent { store }];
    let asked = behind(asked, gone(1));
    let asked = if standard { asked } else { behind(asked, gone(2)) };
    let scope = Scope {
        admin: vec![
            Action::UnsafeRecover { stores: vec![1, 2] },
            by_hand(3, true),
            by_hand(3, false),
            leaves(3),
        ],
        campaigners: vec![3],
        crashers: if standard { vec![2, 3] } else { vec![3] },
        budgets: Budgets {
            admin: 2,
            schedules: 1,
            silences: either(standard, 2, 1),
            crashes: 1,
            destroys: either(standard, 1, 0),
            elections: either(standard, 2, 1),
            ..Budgets::default()
        },
        ..asked
    };
    let reachable = vec![Reach::StoreDown, Reach::StoreLost];
    (scope, reachable, vec!["unsafe recover", "tombstone peer by force", "crash"])
}
