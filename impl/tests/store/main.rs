//! The store from outside, several at a time.

mod basic_conf_change;
mod cluster;
mod engine;
mod guards;
mod lifecycle;
