//! The bounds of a scope: which actions it offers, and how often.
//!
//! [`actions`] offers what the budgets of [`costs`] allow. [`disabled`] lists actions that must be
//! refused. [`reach`] has the situations that a scope must reach. [`kinds`] has the kinds by which
//! transitions are counted. [`sending`] judges single messages. [`withheld`] says why an action is not
//! offered.

pub(crate) mod actions;
pub(crate) mod costs;
pub(crate) mod disabled;
pub(crate) mod kinds;
pub(crate) mod reach;
pub(crate) mod sending;
pub(crate) mod withheld;
