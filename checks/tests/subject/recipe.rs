//! How to start this test as an adapter.

use std::time::Duration;

use rollcall_checks::subject::Recipe;

use crate::adapter::Wrong;

/// This test as an adapter with this mistake.
pub(crate) fn recipe(wrong: Wrong) -> Recipe {
    let own = std::env::current_exe().expect("a test has a file");
    let name = Wrong::ALL.iter().find(|(_, known)| *known == wrong).expect("each has a name").0;
    let command = format!("'{}' adapter {name}", own.display());
    // Tests wait for a wrong adapter's time-out, so it is short. A right adapter may be slow beside
    // other tests.
    let timeout = Duration::from_secs(if wrong == Wrong::Nothing { 60 } else { 2 });
    Recipe { timeout, ..Recipe::new(&command) }
}
