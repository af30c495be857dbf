//! Everything that joins model and implementation: the explorer of the model, the world around the
//! stores, the tour that replays every transition, and the `rollcall` program.

pub mod accept;
pub mod cli;
pub mod conform;
pub mod conformance;
mod copies;
pub mod crash_points;
mod decides;
mod driven;
pub mod explore;
pub mod explorer;
mod export;
pub mod healing;
pub mod hosts;
pub mod journal;
pub mod judge;
pub mod learn;
mod lookup;
pub mod memory;
pub mod museum;
pub mod network;
mod numbers;
mod parting;
mod places;
pub mod random;
pub mod random_walks;
pub mod recorder;
pub mod recover;
pub mod results;
pub mod schedules;
pub mod second_answer;
pub mod subject;
mod symptoms;
pub mod tour;
pub mod verify;
pub mod walk;
pub mod world;
