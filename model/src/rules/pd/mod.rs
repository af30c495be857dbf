//! The placement driver: its heartbeats, its record of the cluster, its orders.
//!
//! PD knows of a region only what a leader has applied and reported. A stale report is refused, and
//! the leader known before stays (row 35). PD never changes a region: it sends an operator's step
//! to the peer that it knows as the leader, under the epoch that it knows.
//!
//! Follows PD `core/region.go`, `cluster_worker.go`, `operator_controller.go`,
//! `checker/rule_checker.go`.

mod asking;
mod builder;
mod heartbeat;
mod operator;
mod operators;
mod orders;
mod patrol;
mod records;
pub(crate) mod report;
mod waiting;

pub(super) use asking::check_ask_split;
pub(super) use heartbeat::{late_report, region_heartbeat, report};
pub(super) use operators::{add_operator, push_operator, remove_operator, schedule, time_out_operator};
pub(super) use orders::carry_out;
pub(super) use records::{
    add_store, cancel_decommission, check_given_up, check_stores, count_missed_heartbeat, decommission,
    drop_regions, give_up, handle_late_store_heartbeat, present, remove_tombstone, reporting, restart,
    set_tombstone, store_heartbeat,
};
pub(crate) use records::{limit, seems_full};
pub(crate) use report::Report;
