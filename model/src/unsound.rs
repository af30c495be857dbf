//! What a rule does without its guard, as in the incident.
//!
//! A rule reads its guard in one place. If the guard is a check, the check is skipped and nothing
//! else changes. If the rule does something else instead, that is here, under a name of its own.
//! [`crate::Guard`] says what results, and `docs/incidents.md` has the incidents. No function here
//! decides anything for the sound rules.

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
