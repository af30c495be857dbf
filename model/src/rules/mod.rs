//! The rules: what each action does to a cluster, or why it is refused.
//!
//! Pure: no clock, no thread, no I/O. Bounds are in `bounds`.

mod apply;
mod apply_snapshot;
mod apply_split;
mod ask_split;
mod conf_change;
mod destroy;
mod election;
mod envelope;
mod epoch;
mod late;
mod merge;
mod merge_elsewhere;
pub(crate) mod pd;
pub(crate) mod peer;
pub(crate) mod persist;
mod propose;
pub(crate) mod raft;
mod ranges;
mod read;
mod receive;
mod recovery;
mod replicate;
mod split;
mod stale;
mod step;
mod store_life;
mod tikv_ctl;
mod transfer;

pub(crate) use late::deliver;
pub(crate) use merge::has_left;
pub(crate) use pd::{Report, limit, seems_full};
pub use peer::{FIRST, first_peer};
pub(crate) use peer::{is_live, member_of_own_region, snapshot_of};
pub(crate) use ranges::index_of;
pub(crate) use replicate::mark_sent;
pub(crate) use stale::peers_to_ask;
pub(crate) use step::{outcome, step};
pub(crate) use transfer::pre_transfer_leader;
