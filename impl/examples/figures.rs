//! What a running store does on this machine: three stores in one process, by function calls.
//!
//! ```sh
//! cargo run --release -p rollcall-impl --example figures [FOLDER]
//! ```
//!
//! The files lie in `FOLDER` (the system's folder for temporary ones if left out): its disk is
//! what is measured. First comes the ceiling, a plain file that is appended to and synced; the
//! stores' own figures are a share of it. Nothing here is asserted.

#[allow(dead_code)]
#[path = "../tests/running/cluster.rs"]
mod cluster;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rollcall_impl::{
    Command as Put, Config, End, Engine, EngineError, Epoch, Key, Member, MemberRole, MemoryEngine,
    Persisted, RedbEngine, Region, RegionId, Sound, Store, StoreId, Write,
};

use cluster::{Cluster, bytes};

const STORES: [StoreId; 3] = [1, 2, 3];
const VALUE: usize = 256;
const MAKE: &str = "--make";
const RUN: Duration = Duration::from_secs(2);

/// An engine that counts its syncs, and syncs or not.
struct Counted<E> {
    engine: E,
    syncs: Arc<AtomicU64>,
    is_synced: bool,
}

impl<E: Engine> Engine for Counted<E> {
    fn write(&mut self, batch: Vec<Write>) -> Result<(), EngineError> {
        self.engine.write(batch)
    }

    fn sync(&mut self) -> Result<(), EngineError> {
        self.syncs.fetch_add(1, Ordering::Relaxed);
        if self.is_synced { self.engine.sync() } else { Ok(()) }
    }

    fn regions(&self) -> Result<Vec<RegionId>, EngineError> {
        self.engine.regions()
    }

    fn load(&self, region: RegionId) -> Result<Option<Persisted>, EngineError> {
        self.engine.load(region)
    }
}

/// `count` regions of three voters, which divide the key space.
fn regions(count: u64) -> Vec<Region> {
    let key = |at: u64| if at == 0 || at == count { bytes("") } else { bytes(&format!("{at:04}")) };
    (0..count)
        .map(|at| {
            let id = at + 1;
            let member = |store| Member { id: id * 10 + store, store, role: MemberRole::Voter };
            Region {
                epoch: Epoch { conf_ver: 1, version: 1 },
                peers: STORES.map(member).into(),
                start: key(at),
                end: key(at + 1),
                ..Region::unknown(id)
            }
        })
        .collect()
}

struct Figures {
    puts: usize,
    elapsed: Duration,
    latencies: Vec<Duration>,
    syncs: u64,
}

/// Writers that each put one value after another, for [`RUN`].
fn puts<E: Engine + Send + Sync + 'static>(
    region_count: u64,
    writers: u64,
    is_synced: bool,
    engine: impl Fn(StoreId) -> E,
) -> Figures {
    let syncs = Arc::new(AtomicU64::new(0));
    let counted = |id| Counted { engine: engine(id), syncs: Arc::clone(&syncs), is_synced };
    let cluster = Cluster::start_with(3, &regions(region_count), counted);
    for region in 1..=region_count {
        cluster.elect(STORES[region as usize % STORES.len()], region);
    }
    let value: Key = Arc::from(vec![7u8; VALUE]);
    let (before, begun, is_over) = (syncs.load(Ordering::Relaxed), Instant::now(), AtomicBool::new(false));
    let mut latencies: Vec<Duration> = thread::scope(|scope| {
        scope.spawn(|| cluster.tick_until(&is_over));
        let write = |writer: u64| {
            let (cluster, value) = (&cluster, &value);
            move || {
                let mut latencies = vec![];
                for number in 0u64.. {
                    if begun.elapsed() >= RUN {
                        break;
                    }
                    let at = (number * writers + writer) % region_count;
                    let (id, region) = (STORES[(at + 1) as usize % STORES.len()], at + 1);
                    let key = bytes(&format!("{at:04}/{writer}/{}", number % 1000));
                    let command = Put::Put { key, value: Arc::clone(value) };
                    let asked = Instant::now();
                    let end = cluster.ask(id, region, command);
                    assert_eq!(end, Ok(End::Applied { region: None }));
                    latencies.push(asked.elapsed());
                }
                latencies
            }
        };
        let threads: Vec<_> = (0..writers).map(|writer| scope.spawn(write(writer))).collect();
        let all = threads.into_iter().flat_map(|thread| thread.join().expect("a writer")).collect();
        is_over.store(true, Ordering::Relaxed);
        all
    });
    let elapsed = begun.elapsed();
    latencies.sort_unstable();
    let syncs = syncs.load(Ordering::Relaxed) - before;
    drop(cluster.stop());
    Figures { puts: latencies.len(), elapsed, latencies, syncs }
}

fn report(name: &str, figures: &Figures, ceiling: Option<f64>) {
    let Figures { puts, elapsed, latencies, syncs } = figures;
    let rate = *puts as f64 / elapsed.as_secs_f64();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e6;
    let synced = *syncs as f64 / elapsed.as_secs_f64();
    let share = ceiling.map_or_else(String::new, |ceiling| format!("{:>6.0} %", 100.0 * synced / ceiling));
    println!(
        "{name:<44} {rate:>9.0} {:>9.0} {:>9.0} {:>9.2} {share:>9}",
        at(0.5),
        at(0.99),
        *syncs as f64 / *puts as f64
    );
}

/// Syncs per second of a plain file, each after appending a block.
fn ceiling(folder: &Path) -> f64 {
    let mut file = File::create(folder.join("ceiling")).expect("a file");
    let (block, begun, mut syncs) = (vec![7u8; 4096], Instant::now(), 0u32);
    while begun.elapsed() < RUN {
        file.write_all(&block).and_then(|()| file.sync_data()).expect("it is written");
        syncs += 1;
    }
    f64::from(syncs) / begun.elapsed().as_secs_f64()
}

/// The resident bytes of this process.
fn resident() -> f64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<f64>().ok());
    pages.unwrap_or(f64::NAN) * 4096.0
}

/// A thousand idle regions: the time to open them, and the memory of each.
fn at_rest(folder: &Path) {
    let path = folder.join("thousand");
    // Another process makes the file, so that its memory does not count here.
    let program = std::env::current_exe().expect("this program");
    let made = Command::new(program).arg(MAKE).arg(&path).status().expect("it runs");
    assert!(made.success());
    let (begun, before) = (Instant::now(), resident());
    let engine = RedbEngine::open(&path).expect("a store's file");
    let checked = begun.elapsed();
    let store = Store::open(1, Config::SIMULATOR, Sound, &engine).expect("a store");
    println!(
        "1,000 regions: file opened and checked in {:.1} ms, store in {:.1} ms; {:.1} KiB a region at rest\n",
        checked.as_secs_f64() * 1e3,
        (begun.elapsed() - checked).as_secs_f64() * 1e3,
        (resident() - before) / 1024.0 / store.regions().count() as f64
    );
}

/// Makes a file with a thousand regions.
fn make(path: &Path) {
    let mut engine = RedbEngine::open(path).expect("a store's file");
    let mut store = Store::open(1, Config::SIMULATOR, Sound, &engine).expect("an empty store");
    for region in regions(1000) {
        engine.write(store.bootstrap(region).expect("room").batch).expect("it is written");
    }
    engine.sync().expect("it is synced");
}

fn main() {
    if let [_, what, path] = &std::env::args().collect::<Vec<_>>()[..]
        && what == MAKE
    {
        return make(Path::new(path));
    }
    let parent = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(parent).expect("a folder");
    at_rest(folder.path());
    let ceiling = ceiling(folder.path());
    println!("a plain file: {ceiling:.0} appends of 4 KiB with fdatasync a second\n");
    println!(
        "{:<44} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "three stores, values of 256 bytes", "puts/s", "p50 µs", "p99 µs", "syncs/put", "of plain"
    );
    let mut files = 0;
    for region_count in [1, 64] {
        for writers in [1, 8, 64] {
            let name = |what| format!("{what}, {region_count} regions, {writers} writers");
            report(&name("in memory"), &puts(region_count, writers, true, |_| MemoryEngine::new()), None);
            for is_synced in [false, true] {
                files += 1;
                let open = |id| {
                    RedbEngine::open(folder.path().join(format!("{files}-{id}"))).expect("a store's file")
                };
                let what = if is_synced { "redb" } else { "redb, no sync" };
                let figures = puts(region_count, writers, is_synced, open);
                report(&name(what), &figures, is_synced.then_some(ceiling));
            }
        }
    }
    println!("\nA put is synced on a majority of three stores; syncs are those of all three.");
}
