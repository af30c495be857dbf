//! How workers exchange states: one timely dataflow, from every worker to every worker.
//!
//! What a worker sends while it expands level d has the timestamp d. A worker closes its epoch when
//! it has expanded the level. Once the frontier has passed d, everything of the level has arrived.
//! Another worker may see that sooner and continue; what it sends then waits for the next epoch.
//!
//! timely has no back-pressure. So a worker counts the rows in flight to each other worker, and stops
//! expanding while one of them is too far behind. Receivers acknowledge rows in batches. A worker that
//! waits still receives, so none waits for ever.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use timely::WorkerConfig;
use timely::communication::Allocator;
use timely::communication::Push;
use timely::container::CapacityContainerBuilder;
use timely::dataflow::channels::Message;
use timely::dataflow::channels::pact::DistributorPact;
use timely::dataflow::channels::pushers::exchange::Distributor;
use timely::dataflow::operators::{Operator, Probe};
use timely::dataflow::{InputHandle, ProbeHandle};
use timely::progress::Stamp;
use timely::worker::Worker;

use super::summary::{Halt, Step, Summary};
use super::watched::Watched;

/// The most words in flight from one worker to all others together: 16 MiB.
pub(super) const UNDER_WAY: usize = 1 << 22;
/// How often a waiting worker polls.
const LOOK_UP: Duration = Duration::from_millis(50);

/// What one worker sends another.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Parcel {
    to: u32,
    pub(super) from: u32,
    epoch: u64,
    pub(super) content: Content,
}

#[derive(Clone, Serialize, Deserialize)]
pub(super) enum Content {
    /// States, as `owner.rs` reads them. The receiver's process must have been told of parts so many
    /// times; 0 within a process.
    States { needs: u32, words: Vec<u32> },
    /// What the sender's process tells the receiver's of parts, as its nth.
    Parts { nth: u32, definitions: Vec<u8> },
    /// A state on the way to something that was found.
    Step(Box<Step>),
    /// So many words were taken in.
    Taken(u32),
    /// All shall end, and soon.
    Halt(Halt),
    /// The sender is done with the level.
    Done(Box<Summary>),
}

/// Sends parcels on as they come. timely's own exchange holds them back until there are many or
/// the epoch ends, and whoever waits for one of them would wait for ever.
struct AtOnce {
    sorted: Vec<Vec<Parcel>>,
}

impl Distributor<Vec<Parcel>> for AtOnce {
    fn partition<T: Clone, P: Push<Message<T, Vec<Parcel>>>>(
        &mut self,
        parcels: &mut Vec<Parcel>,
        stamp: &Stamp<T>,
        pushers: &mut [P],
    ) {
        for parcel in parcels.drain(..) {
            self.sorted[parcel.to as usize].push(parcel);
        }
        for (parcels, pusher) in self.sorted.iter_mut().zip(pushers) {
            if !parcels.is_empty() {
                Message::push_at(parcels, stamp.clone(), pusher);
                // What was written to a connection comes back.
                parcels.clear();
            }
        }
    }

    fn flush<T: Clone, P: Push<Message<T, Vec<Parcel>>>>(&mut self, _: &Stamp<T>, _: &mut [P]) {}
}

/// What has arrived.
#[derive(Default)]
struct Inbox {
    epoch: u64,
    now: VecDeque<Parcel>,
    /// Parcels from workers one epoch ahead.
    later: VecDeque<Parcel>,
}

impl Inbox {
    /// Acknowledgements and halts are handled at once, whatever the sender's epoch: a waiting worker
    /// must learn that it may continue. So are definitions, for which another worker may wait.
    fn put(&mut self, parcel: Parcel) {
        let is_at_once =
            matches!(parcel.content, Content::Taken(_) | Content::Halt(_) | Content::Parts { .. });
        let queue = if is_at_once || parcel.epoch <= self.epoch { &mut self.now } else { &mut self.later };
        queue.push_back(parcel);
    }
}

/// Breaks off if its thread panics. Dropped before what timely would send to the others as if the
/// search had ended well.
pub(super) struct Alarm(pub(super) Arc<Watched>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_off();
        }
    }
}

pub(super) struct Port {
    // The first field, which is dropped first.
    alarm: Alarm,
    worker: Worker,
    input: InputHandle<u64, CapacityContainerBuilder<Vec<Parcel>>>,
    whole: ProbeHandle<u64>,
    inbox: Rc<RefCell<Inbox>>,
    watched: Arc<Watched>,
    /// Words in flight to each worker.
    under_way: Vec<usize>,
    /// Words received from each worker and not yet acknowledged.
    taken: Vec<usize>,
    window: usize,
}

impl Port {
    pub(super) fn new(allocator: Allocator, under_way: usize, watched: Arc<Watched>) -> Self {
        let mut worker = Worker::new(WorkerConfig::default(), allocator, None);
        let mut input = InputHandle::new();
        let (inbox, whole) = (Rc::<RefCell<Inbox>>::default(), ProbeHandle::new());
        let arrived = Rc::clone(&inbox);
        worker.dataflow::<u64, _, _>(|scope| {
            let at_once = DistributorPact(|workers| AtOnce { sorted: vec![Vec::new(); workers] });
            let taken_in = input.to_stream(scope).unary::<CapacityContainerBuilder<Vec<()>>, _, _, _>(
                at_once,
                "TakeIn",
                move |_, _| {
                    move |input, _| {
                        input.for_each(|_, parcels: &mut Vec<Parcel>| {
                            let mut inbox = arrived.borrow_mut();
                            for parcel in parcels.drain(..) {
                                inbox.put(parcel);
                            }
                        });
                    }
                },
            );
            taken_in.probe_with(&whole);
        });
        let peers = worker.peers();
        let window = under_way / peers;
        let (under_way, taken) = (vec![0; peers], vec![0; peers]);
        let alarm = Alarm(Arc::clone(&watched));
        Self { alarm, worker, input, whole, inbox, watched, under_way, taken, window }
    }

    pub(super) fn me(&self) -> usize {
        self.worker.index()
    }

    pub(super) fn peers(&self) -> usize {
        self.worker.peers()
    }

    pub(super) fn send(&mut self, to: usize, content: Content) {
        if let Content::States { words, .. } = &content {
            self.under_way[to] += words.len();
        }
        let (from, epoch) = (self.me() as u32, *self.input.time());
        self.input.send(Parcel { to: to as u32, from, epoch, content });
    }

    /// To everybody, oneself included.
    pub(super) fn send_all(&mut self, content: &Content) {
        for to in 0..self.peers() {
            self.send(to, content.clone());
        }
    }

    /// Whether somebody has yet to take in so much that nothing more should be sent.
    pub(super) fn is_too_far_ahead(&self) -> bool {
        self.under_way.iter().any(|&words| words > self.window)
    }

    /// Lets what was sent leave, and what came arrive.
    pub(super) fn step(&mut self) {
        self.input.flush();
        self.worker.step();
    }

    /// The same, but waits until something comes. False if nothing will.
    pub(super) fn wait(&mut self) -> bool {
        self.input.flush();
        self.worker.step_or_park(Some(LOOK_UP));
        !self.is_broken()
    }

    /// Whether nothing more will come.
    pub(super) fn is_broken(&self) -> bool {
        self.watched.is_broken()
    }

    /// What came while the level is expanded.
    pub(super) fn next(&mut self) -> Option<Parcel> {
        loop {
            let parcel = self.inbox.borrow_mut().now.pop_front()?;
            match &parcel.content {
                Content::Taken(words) => self.under_way[parcel.from as usize] -= *words as usize,
                Content::States { words, .. } => {
                    let from = parcel.from as usize;
                    self.taken[from] += words.len();
                    if self.taken[from] >= self.window / 4 {
                        let words = std::mem::take(&mut self.taken[from]);
                        self.send(from, Content::Taken(words as u32));
                    }
                    return Some(parcel);
                }
                _ => return Some(parcel),
            }
        }
    }

    /// Sends nothing more with this level's timestamp.
    pub(super) fn close(&mut self) {
        let next = self.input.time() + 1;
        self.input.advance_to(next);
    }

    /// Whether all have closed the level and everything has arrived.
    pub(super) fn is_whole(&self) -> bool {
        !self.whole.less_than(self.input.time())
    }

    /// Takes up what came for the next level already.
    pub(super) fn begin_next(&mut self) {
        let mut inbox = self.inbox.borrow_mut();
        inbox.epoch = *self.input.time();
        let later = std::mem::take(&mut inbox.later);
        inbox.now.extend(later);
    }

    /// Lets timely end: whoever leaves sooner leaves others waiting.
    pub(super) fn end(mut self) {
        self.input.flush();
        let Self { alarm, mut worker, input, watched, .. } = self;
        drop(input);
        while worker.has_dataflows() && !watched.is_broken() {
            worker.step_or_park(Some(LOOK_UP));
        }
        drop(alarm);
    }
}
