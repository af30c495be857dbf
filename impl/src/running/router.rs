//! Routes messages to their regions' mailboxes, and mailboxes to workers.
//!
//! A message goes into the mailbox of its region; the first message creates it. A worker takes one
//! mailbox at a time, so a region's messages are handled one after the other. When a region has
//! nothing here any more, its mailbox is closed and forgotten. A sender that still holds it notices
//! that and asks for the next one. Every message is handled once, or comes back: to its sender, or
//! from [`Router::close`].

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use super::mailbox::{Mailbox, Pushed, Released};
use super::ready::ReadyQueue;
use crate::proto::region::RegionId;

/// How many messages of one region a worker handles before it turns to the next region.
const BATCH: usize = 64;

/// Handles a region's messages.
pub trait Handler<T> {
    /// Handles messages of one region, in order. Returns whether the region still has something
    /// here; if not, its mailbox is forgotten.
    fn handle(&self, region: RegionId, messages: Vec<T>) -> bool;
}

/// Why a message was not accepted; it comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsent<T> {
    /// Too many messages wait.
    Full(T),
    /// The router is stopped.
    Stopped(T),
}

/// The mailboxes of all regions, and which of them are ready.
pub struct Router<T> {
    mailboxes: RwLock<Mailboxes<T>>,
    ready: ReadyQueue<Arc<Mailbox<T>>>,
}

struct Mailboxes<T> {
    by_region: BTreeMap<RegionId, Arc<Mailbox<T>>>,
    is_closed: bool,
}

impl<T> Default for Router<T> {
    fn default() -> Self {
        let mailboxes = Mailboxes { by_region: BTreeMap::new(), is_closed: false };
        Self { mailboxes: RwLock::new(mailboxes), ready: ReadyQueue::default() }
    }
}

impl<T> Router<T> {
    /// Puts a message into the region's mailbox.
    ///
    /// # Errors
    /// If `most` messages wait in it, or the router is stopped.
    pub fn send(&self, region: RegionId, mut message: T, most: usize) -> Result<(), Unsent<T>> {
        loop {
            let Some(mailbox) = self.mailbox(region) else { return Err(Unsent::Stopped(message)) };
            match mailbox.push(message, most) {
                Pushed::Schedule => {
                    self.ready.push(mailbox);
                    return Ok(());
                }
                Pushed::Waits => return Ok(()),
                Pushed::Full(back) => return Err(Unsent::Full(back)),
                Pushed::Closed(back) => {
                    self.forget(&mailbox);
                    message = back;
                }
            }
        }
    }

    fn mailbox(&self, region: RegionId) -> Option<Arc<Mailbox<T>>> {
        let mailboxes = self.mailboxes.read().expect("nothing panics with the mailboxes locked");
        if mailboxes.is_closed {
            return None;
        }
        if let Some(mailbox) = mailboxes.by_region.get(&region) {
            return Some(Arc::clone(mailbox));
        }
        drop(mailboxes);
        let mut mailboxes = self.mailboxes.write().expect("nothing panics with the mailboxes locked");
        if mailboxes.is_closed {
            return None;
        }
        let mailbox = mailboxes.by_region.entry(region).or_insert_with(|| Arc::new(Mailbox::new(region)));
        Some(Arc::clone(mailbox))
    }

    /// Forgets this mailbox, but not its successor.
    fn forget(&self, mailbox: &Arc<Mailbox<T>>) {
        let mut mailboxes = self.mailboxes.write().expect("nothing panics with the mailboxes locked");
        let region = mailbox.region();
        if mailboxes.by_region.get(&region).is_some_and(|there| Arc::ptr_eq(there, mailbox)) {
            mailboxes.by_region.remove(&region);
        }
    }

    /// Handles mailboxes until the router is stopped and nothing is ready: a worker's loop.
    pub fn work(&self, handler: &impl Handler<T>) {
        while let Some(mailbox) = self.ready.pop() {
            let messages = mailbox.take(BATCH);
            let is_used = handler.handle(mailbox.region(), messages);
            match mailbox.release(!is_used) {
                Released::Again => self.ready.push(mailbox),
                Released::Idle => {}
                Released::Closed => self.forget(&mailbox),
            }
        }
    }

    /// Stops accepting messages. Workers end once nothing is ready.
    pub fn stop(&self) {
        self.mailboxes.write().expect("nothing panics with the mailboxes locked").is_closed = true;
        self.ready.stop();
    }

    /// The messages that the workers, which have ended, did not handle.
    pub fn close(&self) -> Vec<(RegionId, T)> {
        let mut mailboxes = self.mailboxes.write().expect("nothing panics with the mailboxes locked");
        let by_region = std::mem::take(&mut mailboxes.by_region);
        drop(mailboxes);
        let left = |mailbox: Arc<Mailbox<T>>| {
            let region = mailbox.region();
            mailbox.close().into_iter().map(move |message| (region, message))
        };
        by_region.into_values().flat_map(left).collect()
    }

    /// How many regions have a mailbox.
    pub fn mailboxes(&self) -> usize {
        self.mailboxes.read().expect("nothing panics with the mailboxes locked").by_region.len()
    }
}
