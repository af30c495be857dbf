//! How this test is started as an adapter.

use std::time::Duration;

use rollcall_checks::subject::Recipe;

use crate::adapter::Wrong;

/// This test as an adapter that is wrong in that way.
pub(crate) fn recipe(wrong: Wrong) -> Recipe {
    let own = std::env::current_exe().expect("a test has a file");
    let name = Wrong::ALL.iter().find(|(_, known)| *known == wrong).expect("each has a name").0;
    let command = format!("'{}' adapter {name}", own.display());
    // A wrong one is waited for, so not for long; a right one may be slow beside other tests.
    let timeout = Duration::from_secs(if wrong == Wrong::Nothing { 60 } else { 2 });
    Recipe { timeout, ..Recipe::new(&command) }
}
