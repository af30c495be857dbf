//! States per second of the explorer and steps per second of the tour, for a model that costs next
//! to nothing.
//!
//! The toy has 12 counters of three values each: 531,441 distinct states of 64 bytes and 4,251,528
//! transitions. A real scope adds the cost of its rules.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rollcall_checks::explorer::{Explored, Options, explore};
use rollcall_checks::tour::{Path, Tour};
use stateright::{Model, Property};

const COUNTERS: usize = 12;
const DISTINCT: u64 = 531_441;

struct Counters;

impl Model for Counters {
    type State = [u8; 64];
    type Action = usize;

    fn init_states(&self) -> Vec<[u8; 64]> {
        vec![[0; 64]]
    }

    fn actions(&self, state: &[u8; 64], actions: &mut Vec<usize>) {
        actions.extend((0..COUNTERS).filter(|&counter| state[counter] < 2));
    }

    fn next_state(&self, state: &[u8; 64], counter: usize) -> Option<[u8; 64]> {
        let mut next = *state;
        next[counter] += 1;
        Some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("in_range", |_, state: &[u8; 64]| state[0] <= 2)]
    }
}

impl Explored for Counters {}

fn explore_counters(c: &mut Criterion) {
    let mut group = c.benchmark_group("explore");
    group.throughput(Throughput::Elements(DISTINCT)).sample_size(10);
    for threads in [1, 2] {
        group.bench_function(format!("counters, {threads} threads"), |b| {
            let options = Options { threads, ..Options::default() };
            b.iter(|| {
                let exploration =
                    explore(&Counters, &options, |_, &counter| counter).expect("it has one state");
                assert_eq!(exploration.distinct(), DISTINCT);
                black_box(exploration)
            });
        });
    }
    group.finish();
}

fn tour_counters(c: &mut Criterion) {
    let exploration =
        explore(&Counters, &Options::default(), |_, &counter| counter).expect("it has one state");
    let planned = Tour::new(&exploration.graph).planned_steps();
    let mut group = c.benchmark_group("tour");
    group.throughput(Throughput::Elements(planned)).sample_size(10);
    group.bench_function("counters", |b| {
        b.iter(|| {
            let (mut tour, mut path) = (Tour::new(&exploration.graph), Path::default());
            while tour.next_path(&mut path) {
                black_box(&path);
            }
            assert_eq!(tour.counters().steps(), planned);
        });
    });
    group.finish();
}

criterion_group!(benches, explore_counters, tour_counters);
criterion_main!(benches);
