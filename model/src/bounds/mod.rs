//! The bounds of a scope: which actions it offers, and how often.
//!
//! [`actions`] offers what the budgets of [`costs`] can pay for. [`disabled`] lists what
//! must be refused. [`reach`] says what a scope must reach, [`kinds`] what its
//! transitions are counted by. [`sending`] judges single messages.

pub(crate) mod actions;
pub(crate) mod costs;
pub(crate) mod disabled;
pub(crate) mod kinds;
pub(crate) mod reach;
pub(crate) mod sending;
