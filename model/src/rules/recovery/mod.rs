//! Online unsafe recovery: regions that lost their majority continue without it, stage by stage.
//!
//! PD collects reports from the remaining stores, sends them plans, and waits for all of them
//! before the next stage. Plans and reports travel with store heartbeats (`controller.rs`,
//! `reports.rs`, `choose.rs`). A store forces leaders, and these demote or remove the failed
//! members (`store.rs`). Follows PD `unsafe_recovery_controller.go` and TiKV `unsafe_recovery.rs`,
//! `fsm/peer.rs`.
//!
//! Left out: TiFlash's stage, PD's automatic detection of failed stores, and time. A plan may be
//! sent again at every heartbeat. A forced candidate campaigns at once in a term above all reported
//! ones; TiKV's reaches such a term by campaigning again and again.
//!
//! Stricter than PD: the choice of the forced leader (`choose.rs`). A region that no peer may lead
//! stays as it is, while PD fails the whole recovery.

mod checks;
mod choose;
mod controller;
mod reports;
mod store;

pub(super) use checks::{check_command, check_none};
pub(super) use controller::{heartbeat, hold_report, late_report, remove_failed_stores, time_out};
pub(super) use store::{go_on, take_plan, time_out_force_leader};
