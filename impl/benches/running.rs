//! The time of a put through three running stores in one process: in memory, and on files.

#[allow(dead_code)]
#[path = "../tests/running/cluster.rs"]
mod cluster;

use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use rollcall_impl::{End, Engine, MemoryEngine, RedbEngine};

use cluster::{Cluster, REGION, put};

/// The time of `count` puts by `writers` writers.
fn puts<E: Engine + Send + Sync + 'static>(cluster: &Cluster<E>, writers: u64, count: u64) -> Duration {
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for writer in 0..writers {
            scope.spawn(move || {
                for number in (writer..count).step_by(writers as usize) {
                    let end = cluster.ask(1, REGION, put(&format!("{}", number % 1000)));
                    assert_eq!(end, Ok(End::Applied { region: None }));
                }
            });
        }
    });
    begun.elapsed()
}

fn put_through_three_stores(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let memory = Cluster::start(3, |_| MemoryEngine::new());
    let files =
        Cluster::start(3, |id| RedbEngine::open(folder.path().join(format!("{id}"))).expect("a file"));
    memory.elect(1, REGION);
    files.elect(1, REGION);
    let mut group = c.benchmark_group("put");
    group.sample_size(10);
    for writers in [1, 8, 64] {
        group.bench_function(format!("in memory, {writers} writers"), |b| {
            b.iter_custom(|count| puts(&memory, writers, count));
        });
        group.bench_function(format!("redb, {writers} writers"), |b| {
            b.iter_custom(|count| puts(&files, writers, count));
        });
    }
    group.finish();
    drop((memory.stop(), files.stop()));
}

criterion_group!(benches, put_through_three_stores);
criterion_main!(benches);
