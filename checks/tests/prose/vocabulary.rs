//! `docs/vocabulary.md` has a row for every action of the dictionary.

use std::collections::BTreeSet;

use rollcall_traces::actions;

use super::{cells, page, quoted};

#[test]
fn every_action_has_the_name_that_the_field_gives_it() {
    let page = page("vocabulary.md");
    let first = page.lines().filter(|line| line.starts_with("| `")).map(|line| cells(line)[0]);
    let listed: BTreeSet<&str> = first.flat_map(quoted).collect();
    let forms = actions();
    let missing: Vec<&str> =
        forms.iter().map(|form| &*form.name).filter(|name| !listed.contains(name)).collect();
    assert!(
        forms.len() > 30 && missing.is_empty(),
        "docs/vocabulary.md does not say what they are: {missing:?}"
    );
}
