//! The same search in shards: a state's fingerprint decides which worker owns it.
//!
//! The ordered explorer has one table, and one thread at a time takes states in. Here every
//! worker has a table of its own, and successors are sent to their owners. More than some ten cores
//! need that. Both searches find the same distinct states, transitions, depth, verdicts and length of
//! a counterexample. They differ in the order within a level, and this one ends after the level of a
//! violation, not in the middle of it.
//!
//! timely dataflow carries it (`port.rs`): a level is a timestamp, and the frontier says when
//! every successor has arrived. A fingerprint only decides a state's owner; states are compared by
//! their rows. Of several parents in the previous level the one with the least fingerprint is kept, so
//! the counterexample is the same for any number of workers.
//!
//! Several processes search together over connections (`link.rs`). Rows that leave a process are
//! translated (`abroad.rs`), and the ways to what was found are walked back over the owners (`ways.rs`).
//!
//! Distributing siblings loses cache locality. Each worker restores it by sorting its share of a
//! level by row before it expands it.

mod abroad;
#[cfg(test)]
mod across;
mod assemble;
mod bounds;
mod keeping;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod kept_across;
mod link;
mod owner;
mod port;
mod restoring;
mod summary;
#[cfg(test)]
mod tests;
mod watched;
mod ways;
mod worker;

use std::net::{Shutdown, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stateright::Model;
use timely::communication::allocator::ProcessBuilder;
use timely::communication::allocator::zero_copy::initialize::initialize_networking_from_sockets;
use timely::communication::{AllocatorBuilder, Config, Hooks, initialize_from};

use super::exploration::{Bound, Ended, Exploration};
use super::kept::{Kept, Seat};
use super::progress::Progress;
use super::rows::Row;
use super::{ExploreError, Explored, Options, checked_properties, is_interrupted};
use abroad::Abroad;
use bounds::Bounds;
use keeping::{Barrier, Keeper, Piece};
use link::Link;
pub use link::Processes;
use port::{Alarm, Port};
use restoring::Resumed;
pub(super) use summary::Summary;
use watched::Watched;
use worker::{Search, Share, Worker};

/// More workers than this, in all processes, are refused: each has a mailbox for each.
pub const MOST_WORKERS: usize = 1 << 10;

/// Sorts an action, by itself and the state that it is taken in, into kinds from 0.
pub type Kind<M> = fn(&M, &<M as Model>::State, &<M as Model>::Action) -> usize;

/// Explores `model` by as many workers as the options name threads. What it yields is what
/// [`explore`](super::explore) does, but for the order of states within a level; there are no edges.
///
/// # Errors
/// As [`explore`](super::explore), and where edges are asked for.
///
/// # Panics
/// Where the model panics.
pub fn explore_in_shards<M>(
    model: &M,
    options: &Options<'_>,
    kind: Kind<M>,
) -> Result<Exploration<M::State>, ExploreError>
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync,
{
    resume_in_shards(model, options, kind, Kept::default())
}

/// Continues from checkpoints, those of a search with another number of workers or of the ordered
/// explorer as well. Checkpoints are kept at every barrier between two levels.
///
/// # Errors
/// As [`explore_in_shards`]. Also if the checkpoints belong to another model, or end within a level.
///
/// # Panics
/// Where the model panics.
pub fn resume_in_shards<M>(
    model: &M,
    options: &Options<'_>,
    kind: Kind<M>,
    kept: Kept,
) -> Result<Exploration<M::State>, ExploreError>
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync,
{
    within(port::UNDER_WAY, None, model, (options, kept), kind)
}

/// The same over several processes, each with as many workers and these connections to all others.
/// Each yields the same, but for what it measured of itself: [`Exploration::levels`] has how many
/// states there are, and the states are those on the ways to the first state of each verdict.
///
/// # Errors
/// As [`explore_in_shards`], and where a process ends before the search.
///
/// # Panics
/// Where the model panics.
pub fn explore_with_others<M>(
    model: &M,
    options: &Options<'_>,
    kind: Kind<M>,
    processes: Processes,
    kept: Kept,
) -> Result<Exploration<M::State>, ExploreError>
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync,
{
    within(port::UNDER_WAY, Some(processes), model, (options, kept), kind)
}

/// The same, where so many words may be under way from each worker.
fn within<M>(
    under_way: usize,
    processes: Option<Processes>,
    model: &M,
    (options, kept): (&Options<'_>, Kept),
    kind: Kind<M>,
) -> Result<Exploration<M::State>, ExploreError>
where
    M: Explored + Clone + Send + Sync + 'static,
    M::State: Row + Send + Sync,
{
    let properties = checked_properties(model)?;
    let (me, count) = processes.as_ref().map_or((0, 1), |all| (all.me, all.connections.len()));
    let what = match () {
        () if options.threads == 0 => return Err(ExploreError::NoThreads),
        () if options.threads.saturating_mul(count) > MOST_WORKERS => Some("more than 1,024 workers"),
        () if options.keep_edges => Some("edges"),
        () => None,
    };
    if let Some(what) = what {
        return Err(ExploreError::NotInShards { what });
    }
    let initial = model.init_states().into_iter().filter(|state| model.within_boundary(state));
    let initial: Vec<M::State> = initial.collect();
    let width = initial.first().ok_or(ExploreError::NoInitialState)?.width();
    let initial = initial.iter().map(|state| {
        let mut row = vec![0; width];
        state.write(&mut row);
        row
    });
    let seat = |_: &Processes| Seat { process: me, processes: count, workers: options.threads };
    let seat = processes.as_ref().map(seat);
    let Resumed { is_fresh, begins, barrier, mut keeper } =
        restoring::resumed(model, kept, (width, properties.len()), options, seat)?;
    let search = Arc::new(Search {
        model: model.clone(),
        properties,
        bounds: Bounds::of(options),
        kind,
        initial: initial.collect(),
        width,
        under_way,
        watched: Arc::new(Watched::of(options.threads)),
        abroad: Abroad::new(me, options.threads, count),
        begins: Mutex::new(begins.into_iter().map(Some).collect()),
        barrier,
        is_fresh,
        keeps: keeper.is_some(),
    });
    let shares = run(&search, processes, options, keeper.as_mut())?;
    let mut explored = assemble::exploration(shares, &search.properties, width, &search.watched);
    if let Some(why) = keeper.and_then(|keeper| keeper.failed)
        && matches!(explored.ended, Ended::Stopped(Bound::Interrupted | Bound::NotKeptElsewhere))
    {
        explored.ended = Ended::Stopped(Bound::NotKept(why));
    }
    Ok(explored)
}

/// What a worker tells the thread that waits for all.
enum News {
    Progress(Progress),
    Piece(Piece),
    Barrier(Box<Barrier>),
    Ended,
}

/// How much of it may wait. A worker whose states are not written yet waits as well.
const WAITING: usize = 16;

/// How often that thread looks whether somebody has interrupted it.
const LOOK_UP: Duration = Duration::from_millis(20);

/// Runs every worker on a thread of its own. Those of timely outlive no borrow, so what the
/// options lend stays here: this thread tells of progress, writes checkpoints and passes an
/// interruption on.
fn run<M>(
    search: &Arc<Search<M>>,
    processes: Option<Processes>,
    options: &Options<'_>,
    mut keeper: Option<&mut Keeper<'_>>,
) -> Result<Vec<Share>, ExploreError>
where
    M: Explored + Send + Sync + 'static,
    M::State: Row + Send + Sync,
{
    let pass_on = || {
        if is_interrupted(options) {
            search.watched.is_interrupted.store(true, Ordering::Relaxed);
        }
    };
    pass_on();
    let (sender, news) = mpsc::sync_channel(WAITING);
    let searched = Arc::clone(search);
    let work = move |allocator| {
        let (search, sender) = (&*searched, sender.clone());
        let port = Port::new(allocator, search.under_way, Arc::clone(&search.watched));
        let tell = |news| drop(sender.send(news));
        let share = catch_unwind(AssertUnwindSafe(|| Worker::new(search, port, &tell).run()));
        if share.is_err() {
            search.watched.break_off();
        }
        drop(sender.send(News::Ended));
        share
    };
    let (builders, connections) = allocators(processes, options.threads, &search.watched)?;
    let workers = initialize_from(builders, Box::new(()), work).expect("the system has threads");
    // Should this thread panic, these end before all workers are waited for: else a worker that tells
    // something would wait for ever.
    let (news, _alarm) = (news, Alarm(Arc::clone(&search.watched)));
    let (mut running, mut is_kept) = (options.threads, true);
    while running > 0 {
        match (news.recv_timeout(LOOK_UP), options.progress) {
            (Ok(News::Progress(made)), Some(progress)) => progress(made),
            (Ok(News::Piece(piece)), _) => is_kept &= keeper.as_mut().is_none_or(|to| to.piece(piece)),
            (Ok(News::Barrier(at)), _) => is_kept &= keeper.as_mut().is_none_or(|to| to.barrier(&at)),
            (Ok(News::Ended), _) => running -= 1,
            (Err(RecvTimeoutError::Disconnected), _) => break,
            (Ok(News::Progress(_)) | Err(RecvTimeoutError::Timeout), _) => {}
        }
        if !is_kept {
            search.watched.is_not_kept.store(true, Ordering::Relaxed);
        }
        pass_on();
    }
    let ended = workers.join().into_iter().map(|share| share.expect("its panics are caught"));
    // The panic itself, not what others made of it.
    let ended: Vec<_> = ended.collect();
    connections.end(&search.watched);
    let shares: Vec<Option<Share>> =
        ended.into_iter().map(|share| share.unwrap_or_else(|what| resume_unwind(what))).collect();
    let shares: Option<Vec<Share>> = shares.into_iter().collect();
    shares.ok_or_else(|| {
        let process = search.watched.lost().expect("whoever stops early does so because one is lost");
        ExploreError::Lost { process }
    })
}

/// The connections to all others, and what timely keeps until they have ended.
struct Connections {
    open: Vec<TcpStream>,
    guard: Option<Box<dyn Send>>,
}

impl Connections {
    /// Waits until what was sent has left and all others have ended. Where somebody has broken off,
    /// the others learn it at once, and timely's threads are left to the end of the process: one that
    /// reads waits for ever.
    fn end(self, watched: &Watched) {
        let Self { open, guard: Some(guard) } = self else { return };
        let (sender, ended) = mpsc::channel::<()>();
        if watched.is_broken() {
            std::mem::forget(guard);
        } else {
            std::thread::spawn(move || {
                drop(guard);
                drop(sender);
            });
        }
        let is_waiting = || ended.recv_timeout(LOOK_UP) == Err(RecvTimeoutError::Timeout);
        while !watched.is_broken() && is_waiting() {}
        let shut = |connection: &TcpStream| drop(connection.shutdown(Shutdown::Both));
        open.iter().filter(|_| watched.is_broken()).for_each(shut);
    }
}

/// How the workers of this process reach all.
fn allocators(
    processes: Option<Processes>,
    workers: usize,
    watched: &Arc<Watched>,
) -> Result<(Vec<AllocatorBuilder>, Connections), ExploreError> {
    let Some(Processes { me, connections }) = processes else {
        let config = if workers == 1 { Config::Thread } else { Config::Process(workers) };
        let (builders, _) = config.try_build().expect("threads of one process need no network");
        return Ok((builders, Connections { open: Vec::new(), guard: None }));
    };
    let not_connected = |error: std::io::Error| ExploreError::NotConnected { why: error.to_string() };
    let open = connections.iter().flatten().map(TcpStream::try_clone).collect::<Result<_, _>>();
    let open = open.map_err(not_connected)?;
    let link = |(process, connection): (usize, Option<_>)| {
        Some(Link::new(connection?, process, Arc::clone(watched)))
    };
    let links = connections.into_iter().enumerate().map(link).collect();
    let hooks = Hooks::default();
    let own = ProcessBuilder::new_typed_vector(workers, hooks.refill.clone(), hooks.spill.clone());
    let (builders, guard) =
        initialize_networking_from_sockets(own, links, me, workers, hooks).map_err(not_connected)?;
    let builders = builders.into_iter().map(AllocatorBuilder::Tcp).collect();
    Ok((builders, Connections { open, guard: Some(Box::new(guard)) }))
}
