//! The dictionary as its users meet it: files, replays, divergences, renderings.

mod arbitrary;
mod bad_input;
mod diff;
mod old_names;
mod pd_ctl;
mod pd_json;
mod rendering;
mod replaying;
mod round_trip;
mod scenarios;
mod schema;
mod shrinking;
mod toy;
mod writing;
