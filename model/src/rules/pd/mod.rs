//! The placement driver: its heartbeats, its record of the cluster, its orders.
//!
//! It learns of a region only what a leader has applied and reports; a report
//! that is behind is refused, and whoever was believed before stays (row 35).
//! It never acts on a region: it sends the step of an operator to whom it takes
//! for the leader, under the epoch that it knows. Follows PD `core/region.go`,
//! `cluster_worker.go`, `operator_controller.go`, `checker/rule_checker.go`.

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

pub(super) use asking::check_asking;
pub(super) use heartbeat::{late_report, region_heartbeat, report};
pub(super) use operators::{add_operator, push_operator, remove_operator, schedule, time_out_operator};
pub(super) use orders::carry_out;
pub(super) use records::{
    add_store, cancel_decommission, check_given_up, check_stores, count_missed_heartbeat, decommission,
    drop_regions, give_up, hear_late, present, remove_tombstone, reporting, restart, set_tombstone,
    store_heartbeat,
};
pub(crate) use records::{limit, seems_full};
pub(crate) use report::Report;
