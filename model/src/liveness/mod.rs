//! Once faults stop: what happens next, and what must be reached.
//!
//! [`next`] is a deterministic, fair schedule of one action at a time, under the ordinary rules. It
//! depends only on the present state, so every state on a healing path heals in the same way. It
//! ignores budgets, and messages under way: a network that has lost everything must heal, too.
//! Where the schedule ends, every [`Goal`] that is owed must be met.
//!
//! A region is owed its goals while a majority of its newest configuration (of both halves of a
//! joint one) is on stores whose disks are there, and was not made tombstones by hand. A leaving
//! store is owed its end if there is a placement driver. If a goal is not owed, there is a
//! [`StuckReason`].
//!
//! The schedule includes what an administrator would do. Without a placement driver, joint
//! configurations are left. Merges are committed or rolled back. Leaders are moved off a store
//! whose disk hangs (PD's `evict-slow-store-scheduler`). Unsafe recovery is started again if it
//! would succeed by now.
//!
//! A merged region is owed only that its last peers are destroyed. A removed peer that still exists
//! sends a message or a stale-peer check, and so learns of its removal.

mod excuse;
mod faults;
mod goal;
mod missed;
mod owed;
mod pd;
mod recovery;
mod schedule;
mod settle;
mod stuck;
mod whole;

pub use excuse::StuckReason;
pub use faults::is_fault_free;
pub use goal::{Goal, Missed};
pub use missed::missed;
pub use schedule::{change_that_shows, next};
pub use settle::next_to_settle;
pub use stuck::stuck_reasons;
pub use whole::{LONGEST, endless, healed, how_it_ends, refused};

#[cfg(test)]
mod tests;
