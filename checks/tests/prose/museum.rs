//! `docs/museum.md` agrees with the guards, the exhibits and their traces.

use rollcall_checks::museum;

use super::{page, root};

#[test]
fn the_page_of_the_museum_is_up_to_date() {
    let written = museum::page(&root().join("traces/museum")).expect("the traces are there");
    assert!(page("museum.md") == written, "write it again: rollcall museum --markdown > docs/museum.md");
}
