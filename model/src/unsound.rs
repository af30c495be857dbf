//! What a rule does without its guard, as in the incident.
//!
//! A rule reads its guard in one place. If the guard is a check, it is skipped and nothing else
//! changes. If the rule does something else instead, that is a function here, with its own name.
//! [`crate::Guard`] states the result, and `docs/incidents.md` has the incidents. The sound rules
//! do not depend on anything here.

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
