//! Once faults stop: what happens next, and what must have come of it.
//!
//! [`next`] is a deterministic, fair schedule, one action at a time, by the same
//! rules as everything else: nothing happens in it that could not happen. It
//! looks at the present state alone, so a state on the way from another heals
//! as that one does. It ignores budgets and what is under way: a network that
//! has lost everything must heal too. Where it ends, every [`Goal`] that is owed
//! must be met.
//!
//! A region is owed its goals while a majority of its newest configuration (of
//! both halves of a joint one) is on stores whose disks are there, and was not
//! ended there by hand. An operator
//! is assumed who ends joint configurations where there is no placement driver;
//! where there is one, it does, and the stores that leave are owed their end.
//! Where something is not owed there is an [`StuckReason`].
//! And one is assumed who ends merges, by either end, and one who moves leaders
//! off a store whose disk hangs (PD's `evict-slow-store-scheduler`), and one who tries unsafe
//! recovery again where it would succeed by now. For a region that was
//! merged away only one thing is owed: its last peers learn of the merge. A removed peer that
//! still exists sends a message or asks, and so learns of its removal.

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
