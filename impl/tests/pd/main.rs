//! The placement driver from outside: its records, orders and refusals.

mod admin;
mod checker;
mod cluster;
mod crash_points;
mod decommission;
mod guards;
mod guards_of_plans;
mod operator;
mod orphans;
mod real;
mod recovery;
mod regions;
mod restart;
mod store;
mod storm;
