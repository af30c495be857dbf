//! Runs one level: chunks are generated in any order and merged in order.
//!
//! A thread puts each chunk that it has generated into a queue. If the next chunk in order is in
//! the queue and no thread is merging, the thread merges until the queue has a gap; the others
//! generate meanwhile. So merging, which is sequential, overlaps with generating, and needs no lock
//! of its own.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};

use stateright::Model;

use super::chunk::{Chunk, Level};
use super::exploration::Bound;
use super::merge::Merger;
use super::progress::Progress;
use super::rows::Row;
use super::{Explored, Options};

/// A level with fewer chunks than this runs on one thread: starting another costs more.
const CHUNKS_WORTH_A_THREAD: usize = 8;
/// How many chunks may wait in the queue, for each thread.
const LINE_PER_THREAD: usize = 8;
/// About how many states lie between two calls of `progress`.
const REPORT_EVERY: u64 = 1 << 13;

/// Expands or checks every state of `level`; returns the bound that ended it, if any.
pub(super) fn run<M, K>(level: &Level<'_, M, K>, merger: &mut Merger, options: &Options<'_>) -> Option<Bound>
where
    M: Explored + Sync,
    M::State: Row + Send + Sync,
    K: Fn(&M::State, &M::Action) -> usize + Sync,
{
    let taker = Taker { level, options };
    if options.threads == 1 || level.chunks() < CHUNKS_WORTH_A_THREAD {
        let (mut chunk, mut actions) = (Chunk::default(), Vec::new());
        return (0..level.chunks()).find_map(|number| {
            level.generate(number, &mut chunk, &mut actions);
            taker.take(merger, &chunk)
        });
    }
    let line = Line {
        waiting: Mutex::new(Waiting { handed_out: 0, turn: 0, chunks: BTreeMap::new(), spare: Vec::new() }),
        moved: Condvar::new(),
        is_over: AtomicBool::new(false),
        merger: Mutex::new(Merging { merger, bound: None }),
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads {
            scope.spawn(|| line.work(&taker));
        }
        line.work(&taker);
    });
    line.merger.into_inner().expect("a thread that panics ends the scope").bound
}

/// Merges one chunk and publishes what other threads may use.
struct Taker<'a, 'l, M: Model, K> {
    level: &'a Level<'l, M, K>,
    options: &'a Options<'a>,
}

impl<M: Model, K> Taker<'_, '_, M, K> {
    fn take(&self, merger: &mut Merger, chunk: &Chunk) -> Option<Bound> {
        let before = merger.distinct();
        let bound = merger.merge(self.level.states, chunk, self.level.expand, self.options);
        for (settled, found) in self.level.settled.iter().zip(merger.found()) {
            if found.is_some() {
                settled.store(true, Ordering::Relaxed);
            }
        }
        if let Some(progress) = self.options.progress
            && before / REPORT_EVERY != merger.distinct() / REPORT_EVERY
        {
            progress(Progress::of(merger));
        }
        bound.or_else(|| merger.keep_if_due(self.level.states, self.options))
    }
}

/// The queue through which the threads of one level communicate.
struct Line<'m> {
    waiting: Mutex<Waiting>,
    moved: Condvar,
    is_over: AtomicBool,
    merger: Mutex<Merging<'m>>,
}

struct Waiting {
    /// Chunks below this number have been handed out.
    handed_out: usize,
    /// The chunk to be merged next. While a thread merges it, it is not in the queue.
    turn: usize,
    chunks: BTreeMap<usize, Chunk>,
    spare: Vec<Chunk>,
}

impl Waiting {
    fn take_turn(&mut self) -> Option<Chunk> {
        self.chunks.remove(&self.turn)
    }
}

struct Merging<'m> {
    merger: &'m mut Merger,
    bound: Option<Bound>,
}

impl Line<'_> {
    fn work<M, K>(&self, taker: &Taker<'_, '_, M, K>)
    where
        M: Explored,
        M::State: Row,
        K: Fn(&M::State, &M::Action) -> usize,
    {
        let _alarm = Alarm(self);
        let mut actions = Vec::new();
        while let Some((number, mut chunk)) = self.next_to_generate(taker) {
            taker.level.generate(number, &mut chunk, &mut actions);
            let mut waiting = self.lock();
            waiting.chunks.insert(number, chunk);
            // The thread that takes the chunk out of the queue merges it; no other thread can.
            while let Some(chunk) = waiting.take_turn() {
                drop(waiting);
                self.merge(taker, &chunk);
                waiting = self.lock();
                waiting.turn += 1;
                waiting.spare.push(chunk);
                self.moved.notify_all();
            }
        }
    }

    fn next_to_generate<M, K>(&self, taker: &Taker<'_, '_, M, K>) -> Option<(usize, Chunk)>
    where
        M: Explored,
        M::State: Row,
        K: Fn(&M::State, &M::Action) -> usize,
    {
        let longest = taker.options.threads * LINE_PER_THREAD;
        let chunks = taker.level.chunks();
        let mut waiting = self.lock();
        loop {
            if self.is_over.load(Ordering::Relaxed) || waiting.handed_out == chunks {
                return None;
            }
            if waiting.handed_out < waiting.turn + longest {
                waiting.handed_out += 1;
                let chunk = waiting.spare.pop().unwrap_or_default();
                return Some((waiting.handed_out - 1, chunk));
            }
            // Another thread is generating or merging the next chunk in order. It does not wait
            // before it has moved the turn on.
            waiting = self.moved.wait(waiting).expect("a thread that panics raises the alarm");
        }
    }

    fn merge<M, K>(&self, taker: &Taker<'_, '_, M, K>, chunk: &Chunk)
    where
        M: Model,
    {
        if self.is_over.load(Ordering::Relaxed) {
            return;
        }
        let mut merging = self.merger.lock().expect("only one thread merges");
        merging.bound = taker.take(merging.merger, chunk);
        if merging.bound.is_some() {
            self.is_over.store(true, Ordering::Relaxed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().expect("nothing panics while it holds the line")
    }
}

/// Wakes the waiting threads when a thread's model panics.
struct Alarm<'a, 'm>(&'a Line<'m>);

impl Drop for Alarm<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.is_over.store(true, Ordering::Relaxed);
            // Taking the lock ensures that no thread is between its check and its wait.
            drop(self.0.waiting.lock());
            self.0.moved.notify_all();
        }
    }
}
