//! The explorer's page: a cluster, its enabled actions, and their results.

mod assets;
mod beside;
mod chinese;
mod doors;
mod given;
mod healed;
mod here;
mod listing;
mod names;
mod nearest;
mod refusals;
mod server;
mod shown;
mod steps;
mod still;
mod unread;

pub use names::{action_of, actions_of, name_of};
pub use server::{Explorer, Opened};
pub use steps::Steps;
pub use still::still;
