//! The cost of a real scope: distinct states per second of the exploration, steps per second of
//! every path driven from its beginning on the implementation, transitions per second of the whole
//! tour, and stateright's own checker on the same scope for comparison.
//!
//! The scope is `two_voters_to_one_smoke`: joint changes, crashes, lost replies, every property.
//! One thread; `rollcall verify` prints the figures of whole families on all cores.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rollcall_checks::conformance::{TourOptions, conform};
use rollcall_checks::explorer::{Exploration, Options, explore};
use rollcall_checks::tour::{Path, Tour};
use rollcall_checks::world::World;
use rollcall_impl::Sound;
use rollcall_model::{GuardSet, Rollcall, State, scopes};
use rollcall_traces::{Action, Subject};
use stateright::{Checker, Model};

const SCOPE: &str = "two_voters_to_one_smoke";

/// A model without interned components.
fn model() -> Rollcall {
    let plan = scopes::all().into_iter().find(|plan| plan.scope.name == SCOPE).expect("the scope is there");
    plan.model(GuardSet::ALL).expect("it can be begun")
}

fn explored(model: &Rollcall) -> Exploration<State> {
    explore(model, &Options::default(), |state, action| model.kind_of(state, action))
        .expect("it can be explored")
}

fn exploration(c: &mut Criterion) {
    let distinct = explored(&model()).distinct();
    let mut group = c.benchmark_group("scope");
    group.throughput(Throughput::Elements(distinct)).sample_size(10);
    group.bench_function("explored", |b| {
        b.iter(|| {
            let found = explored(&model());
            assert_eq!(found.distinct(), distinct);
            black_box(found)
        });
    });
    group.bench_function("checked by stateright", |b| {
        b.iter(|| {
            let checker = model().checker().spawn_bfs().join();
            assert_eq!(checker.unique_state_count() as u64, distinct);
            black_box(checker.max_depth())
        });
    });
    group.finish();
}

/// The actions of every path of the tour.
fn tour_of(model: &Rollcall, found: &Exploration<State>) -> Vec<Vec<Action>> {
    let (mut tour, mut path) = (Tour::new(&found.graph), Path::default());
    let mut paths = Vec::new();
    let mut offered = Vec::new();
    while tour.next_path(&mut path) {
        let actions = path.steps.iter().map(|step| {
            offered.clear();
            model.actions(&found.states.get(step.from), &mut offered);
            offered.swap_remove(usize::from(found.graph.ordinal(step.edge)))
        });
        paths.push(actions.collect());
    }
    paths
}

fn replay(c: &mut Criterion) {
    let model = model();
    let found = explored(&model);
    let paths = tour_of(&model, &found);
    let steps: usize = paths.iter().map(Vec::len).sum();
    let mut group = c.benchmark_group("tour");
    group.throughput(Throughput::Elements(steps as u64)).sample_size(10);
    group.bench_function("driven on the implementation", |b| {
        let mut world = World::new(Sound);
        b.iter(|| {
            for path in &paths {
                world.reset(model.scope()).expect("it can be begun");
                for action in path {
                    black_box(world.apply(action));
                }
            }
        });
    });
    let edges = u64::from(found.graph.edges());
    group.throughput(Throughput::Elements(edges));
    group.bench_function("driven from copies, compared and probed", |b| {
        b.iter(|| {
            let done = conform(
                TourOptions::with_threads(1),
                Sound,
                &model,
                &found,
                &AtomicBool::new(false),
                &AtomicU64::new(0),
            );
            assert!(done.finished && done.divergence.is_none());
            assert_eq!(done.transitions, edges);
            black_box(done.refusals)
        });
    });
    group.finish();
}

criterion_group!(benches, exploration, replay);
criterion_main!(benches);
