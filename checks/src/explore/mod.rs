//! The explorer: the cluster on a page, what may happen next, and what comes of it.

mod names;
mod steps;

pub use names::{action_of, actions_of, name_of};
pub use steps::Steps;
