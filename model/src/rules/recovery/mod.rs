//! Online unsafe recovery: what is left of regions that have lost their majority goes on
//! without it, stage by stage.
//!
//! PD asks the stores that are left what they have, tells them what to do, and waits for
//! each of them before the next stage; a plan and a report travel with a store's heartbeat
//! (`controller.rs`, `reports.rs`, `choose.rs`). A store forces leaders, and these are rid
//! of the failed members (`store.rs`). Follows PD `unsafe_recovery_controller.go` and TiKV
//! `unsafe_recovery.rs`, `fsm/peer.rs`.
//!
//! Left out: TiFlash's stage, PD's detection of failed stores by itself, and what time
//! does: a plan may be sent again at each heartbeat, and a candidate by force asks in a
//! term that nobody knows, which it comes to in TiKV by asking again and again.
//!
//! Stricter than PD is who is forced (`choose.rs`), and that a region which nobody can
//! lead stays as it is, while PD fails as a whole.

mod checks;
mod choose;
mod controller;
mod reports;
mod store;

pub(super) use checks::{check_command, check_none};
pub(super) use controller::{heartbeat, hold_report, late_report, remove_failed_stores, time_out};
pub(super) use store::{go_on, lead_no_longer, take_plan};
