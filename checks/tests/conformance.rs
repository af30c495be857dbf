//! The replay of every transition finds mistakes: the tour or the disabled actions find an
//! implementation that lacks one guard, with a schedule.

use std::sync::atomic::{AtomicBool, AtomicU64};

use rollcall_checks::conformance::{Conformance, Look, TourOptions, conform};
use rollcall_checks::explorer::Exploration;
use rollcall_checks::healing::{Healing, Sample, heal_implementation};
use rollcall_checks::verify::{Watch, explore};
use rollcall_checks::world::World;
use rollcall_impl::{Dropped, Guard, Guards, Sound};
use rollcall_model::{GuardSet, Rollcall, State, scopes};
use rollcall_traces::{Outcome, Reason, Subject};

fn explored(scope: &str) -> (Rollcall, Exploration<State>) {
    let plan = scopes::named(scope).expect("a scope of that name");
    let model = plan.model(GuardSet::ALL).expect("the scope can be begun");
    let explored = explore(&model, 2, &Watch::default()).expect("the scope can be explored");
    (model, explored)
}

fn toured_by<G: Guards + Send + Sync>(
    tour_options: TourOptions,
    guards: G,
    (model, explored): &(Rollcall, Exploration<State>),
) -> Conformance {
    let conformance =
        conform(tour_options, guards, model, explored, &AtomicBool::new(false), &AtomicU64::new(0));
    assert_eq!(conformance.finished, conformance.divergence.is_none());
    conformance
}

fn toured<G: Guards + Send + Sync>(guards: G, scope: &str) -> Conformance {
    toured_by(TourOptions::with_threads(2), guards, &explored(scope))
}

fn healed<G: Guards + Sync>(guards: G, scope: &str, sample: Sample) -> Healing {
    let (model, explored) = explored(scope);
    heal_implementation(guards, &model, &explored, sample, 2, &AtomicBool::new(false))
}

#[test]
fn the_sound_store_heals_from_every_state() {
    let healing = healed(Sound, "grow_and_shrink_smoke", Sample::All);
    assert!(healing.divergence.is_none() && healing.finished);
    assert!(healing.states > 5_000 && healing.steps > 1_000, "{healing:?}");
    let again = healed(Sound, "grow_and_shrink_smoke", Sample::Drawn { count: 100, seed: 7 });
    assert_eq!((again.states, again.finished), (100, true));
}

#[test]
fn a_store_that_does_not_heal_is_found() {
    // One thread, because of two either may find a divergence first.
    let (model, explored) = explored("leader_removed_after_handover_smoke");
    let (guards, go_on) = (Dropped(Guard::StalePeerTold), AtomicBool::new(false));
    let healing = heal_implementation(guards, &model, &explored, Sample::All, 1, &go_on);
    let divergence = healing.divergence.expect("a removed peer does not learn of it");
    let said = (divergence.expected.clone(), divergence.actual.clone());
    assert_eq!(said, (Some(Outcome::DONE), Some(Outcome::Refused(Reason::SenderRemoved))), "{divergence}");
}

#[test]
fn the_sound_store_agrees_in_every_transition() {
    let conformance = toured(Sound, "two_voters_to_one_smoke");
    assert!(conformance.divergence.is_none());
    assert!(conformance.transitions > 1_000 && conformance.refusals > 10_000);
}

#[test]
fn a_transition_that_differs_is_found() {
    let divergence = toured(Dropped(Guard::CommitOwnTerm), "old_term_entries_smoke").divergence;
    let divergence = divergence.expect("an old term's entry is committed by counting");
    assert!(divergence.differences.iter().any(|difference| difference.path.ends_with("/commit")));
    assert_eq!(divergence.prefix.len() as u64, divergence.step);
    assert_eq!(divergence.prefix.last(), divergence.action.as_ref());
}

#[test]
fn a_probe_that_is_not_refused_is_found() {
    let divergence = toured(Dropped(Guard::DemoteBeforeRemoval), "two_voters_to_one_smoke").divergence;
    let divergence = divergence.expect("one of two voters is removed at once");
    assert_eq!(divergence.expected, Some(Outcome::Refused(Reason::DemoteFirst)));
    assert_eq!(divergence.actual, Some(Outcome::DONE));
}

#[test]
fn the_schedule_of_a_divergence_shows_it_again() {
    let scope = "leader_removed_after_handover_smoke";
    let divergence = toured(Dropped(Guard::StopAfterDestroy), scope).divergence;
    let divergence = divergence.expect("something is written after the peer is destroyed");
    let plan = scopes::named(scope).expect("a scope of that name");
    let mut sound = World::new(Sound);
    let mut lacking = World::new(Dropped(Guard::StopAfterDestroy));
    sound.reset(&plan.scope).expect("the scope can be begun");
    lacking.reset(&plan.scope).expect("the scope can be begun");
    for (at, action) in divergence.prefix.iter().enumerate() {
        assert_eq!(sound.view(), lacking.view(), "they part before the last step, at {at}");
        sound.apply(action);
        lacking.apply(action);
    }
    assert_ne!(sound.view(), lacking.view());
}

/// A refusal is reused only if it would be given again for the same reason.
#[test]
fn shared_refusals_come_to_the_same_as_every_probe() {
    let mut shared_most = 0;
    for scope in [
        "two_voters_to_one_smoke",
        "reads_across_a_split_smoke",
        "target_led_by_who_lags_smoke",
        "no_legal_target_smoke",
        "tombstone_by_hand_smoke",
        "one_replica_smoke",
    ] {
        let explored = explored(scope);
        let shared = toured_by(TourOptions::with_threads(2), Sound, &explored);
        let every =
            toured_by(TourOptions { every_refusal: true, ..TourOptions::with_threads(2) }, Sound, &explored);
        assert_eq!((shared.states, shared.refusals), (every.states, every.refusals), "{scope}");
        assert_eq!(shared.reasons, every.reasons, "{scope}");
        assert_eq!(every.checked, every.refusals, "{scope}");
        assert!(shared.checked < shared.refusals / 2, "{scope}: {} of {}", shared.checked, shared.refusals);
        shared_most = shared_most.max(shared.refusals / shared.checked);
    }
    assert!(shared_most >= 10, "{shared_most}");
}

/// The disabled actions find the missing guard, with and without reused refusals.
#[test]
fn shared_refusals_find_out_the_same_guards() {
    let explored = explored("reads_across_a_split_smoke");
    for guard in [
        Guard::HeartbeatCommitBounded,
        Guard::NoDuplicateChange,
        Guard::LeaderNotRemoved,
        Guard::ReadWaitsForApply,
        Guard::SplitIdsFitMembers,
    ] {
        for every_refusal in [false, true] {
            let tour_options =
                TourOptions { look: Look::Refusals, every_refusal, ..TourOptions::with_threads(2) };
            let divergence = toured_by(tour_options, Dropped(guard), &explored).divergence;
            assert!(divergence.is_some(), "without {}, {every_refusal}", guard.name());
        }
    }
}
