//! The scopes in which missing a goal is correct, each with its reasons.

use super::making::{NEIGHBOUR, REGION};
use super::plan::Size;
use crate::liveness::StuckReason;

/// The stuck reasons of the scope with that name, without the suffix of its size.
pub(super) fn of(name: &str, size: Size) -> Vec<StuckReason> {
    let region = REGION;
    let smoke = size == Size::Smoke;
    match name {
        // Between the loss of the disk and the change that removes the member.
        "replace_a_lost_store" => vec![StuckReason::DiskLost { region, store: 3 }],
        "demoted_while_it_needs_a_snapshot" => vec![StuckReason::DiskLost { region, store: 2 }],
        // It was demoted while it was a candidate.
        "timeout_now_comes_late" => vec![StuckReason::TermUnanswered { region }],
        "one_of_four_goes" => vec![StuckReason::DiskLost { region, store: 1 }],
        "one_of_two_is_lost" => {
            vec![StuckReason::MajorityLost { region }, StuckReason::DiskLost { region, store: 2 }]
        }
        "leaders_disk_hangs" | "stalled_leaders_store_leaves" => {
            vec![StuckReason::DiskHangs { region, store: 1 }]
        }
        // Its store remembers a tombstone under this id.
        "joins_again_with_the_same_id" => vec![StuckReason::IdTakenAgain { region, store: 3 }],
        // The store's record is removed while it leads a child that PD does not know.
        "divided_and_led_by_the_leaving_store" => {
            [region, 10, 11].map(|region| StuckReason::LeaderForgotten { region, store: 2 }).into()
        }
        "no_legal_target" if smoke => vec![StuckReason::NoTarget { region }],
        // Its store is lost while the move is half done. Both peers are needed.
        "no_legal_target" => vec![StuckReason::NoTarget { region }, StuckReason::MajorityLost { region }],
        "tombstone_by_hand" => vec![StuckReason::EndedByHand { region }],
        "forced_by_hand" => {
            let stuck = [
                StuckReason::MajorityLost { region },
                StuckReason::NobodyLeft { region },
                StuckReason::EndedByHand { region },
                StuckReason::NoTarget { region },
                // The recreated region, on the only remaining store.
                StuckReason::NoTarget { region: 10 },
            ];
            let given_up = (!smoke).then_some(StuckReason::GivenUp { region, store: 2 });
            stuck.into_iter().chain(given_up).collect()
        }
        "forced_behind_a_learner" => {
            let given_up = if smoke { 1..=1 } else { 1..=2 };
            let given_up = given_up.map(|store| StuckReason::GivenUp { region, store });
            // Between the loss and the recovery; if the voter has a newer entry in place of the one
            // that the learner knows; no store for a third voter.
            let stuck = [
                StuckReason::MajorityLost { region },
                StuckReason::NewerLogLeft { region, store: 3 },
                StuckReason::NoTarget { region },
            ];
            stuck.into_iter().chain(given_up).collect()
        }
        // A failed store that still runs has what the others were to forget.
        "forced_in_a_joint_state" => {
            let given_up = if smoke { 3..=3 } else { 2..=3 };
            let given_up = given_up.map(|store| StuckReason::GivenUp { region, store });
            let stuck = [StuckReason::MajorityLost { region }, StuckReason::NoTarget { region }];
            stuck.into_iter().chain(given_up).collect()
        }
        // The lost stores have not been given up yet; no store for two more voters.
        "broken_off_behind_a_split"
        | "forced_and_interrupted"
        | "forced_with_two_left"
        | "given_up_once_more"
        | "report_comes_late" => {
            vec![StuckReason::MajorityLost { region }, StuckReason::NoTarget { region }]
        }
        "forced_behind_a_split" => {
            let regions = || [region, 10].into_iter();
            let given_up = if smoke { 1..=1 } else { 1..=2 };
            let given_up = regions()
                .flat_map(|region| given_up.clone().map(move |store| StuckReason::GivenUp { region, store }));
            let lost = regions().map(|region| StuckReason::MajorityLost { region });
            let stuck = regions().map(|region| StuckReason::NoTarget { region });
            let stuck = stuck.chain([StuckReason::NobodyLeft { region: 10 }]);
            lost.chain(stuck).chain(given_up).collect()
        }
        "forced_with_a_merge_to_commit"
        | "forced_with_a_merge_into_the_lower_id"
        | "forced_while_merging" => {
            let both = || [REGION, NEIGHBOUR].into_iter();
            let given_up = if smoke { 1..=1 } else { 1..=2 };
            let given_up = both()
                .flat_map(|region| given_up.clone().map(move |store| StuckReason::GivenUp { region, store }));
            let lost = both().map(|region| StuckReason::MajorityLost { region });
            let stuck = both().map(|region| StuckReason::NoTarget { region });
            lost.chain(stuck).chain(given_up).collect()
        }
        "merge_into_what_nobody_can_lead" => {
            let both = [REGION, NEIGHBOUR].into_iter();
            let lost = both.map(|region| StuckReason::MajorityLost { region });
            let target = NEIGHBOUR;
            let stuck = [
                StuckReason::TargetNotRecovered { region, target },
                StuckReason::NewerLogLeft { region: target, store: 3 },
            ];
            lost.chain(stuck).collect()
        }
        "plan_for_a_hole_comes_late" => {
            // Two stores are left for three peers of each recreated region.
            let anew = if smoke { [10, 12].as_slice() } else { &[10, 12, 14] };
            anew.iter()
                .map(|region| StuckReason::NoTarget { region: *region })
                .chain([StuckReason::MajorityLost { region }, StuckReason::NobodyLeft { region }])
                .collect()
        }
        "plan_to_destroy_comes_late" => {
            let child = StuckReason::MajorityLost { region: 10 };
            vec![StuckReason::MajorityLost { region }, child, StuckReason::NobodyLeft { region }]
        }
        "change_known_to_the_other_who_is_left" => vec![StuckReason::MajorityLost { region }],
        "forced_with_a_merge_and_two_left" => {
            let both = [REGION, NEIGHBOUR].into_iter();
            let lost = both.map(|region| StuckReason::MajorityLost { region });
            lost.chain([StuckReason::NoTarget { region: NEIGHBOUR }]).collect()
        }
        _ => Vec::new(),
    }
}
