//! The explorer: the cluster on a page, what may happen next, and what comes of it.

mod beside;
mod names;
mod server;
mod shown;
mod steps;

pub use names::{action_of, actions_of, name_of};
pub use server::{Explorer, Opened};
pub use steps::Steps;
