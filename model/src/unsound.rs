//! What a rule does where its guard was dropped, in the way the incident had it.
//!
//! A rule asks for its guard at one place. Where the guard is a check, the check is not made
//! without it, and nothing else happens. Where something else was done, that is here, by
//! name; [`crate::Guard`] says what comes of it, and `docs/incidents.md` has the incidents.
//! A function here decides nothing that the sound rules decide.

mod merging;
mod pd;
mod replication;
mod splitting;
mod stores;

pub(crate) use merging::*;
pub(crate) use pd::*;
pub(crate) use replication::*;
pub(crate) use splitting::*;
pub(crate) use stores::*;
