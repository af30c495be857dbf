//! Tours a scope on a subject. Each thread has its own adapter.

use std::sync::atomic::{AtomicBool, AtomicU64};

use rollcall_model::{Rollcall, State};
use rollcall_traces::{Divergence, Scope};

use super::run::{broken, in_words, world};
use super::{Fault, Link, Recipe, unwind};
use crate::conformance::{Conformance, TourOptions, conform_on};
use crate::explorer::Exploration;
use crate::parting;

/// Tours a scope.
///
/// # Errors
/// If an adapter cannot be started.
pub fn tour(
    recipe: &Recipe,
    tour_options: TourOptions,
    model: &Rollcall,
    exploration: &Exploration<State>,
    interrupt: &AtomicBool,
    covered: &AtomicU64,
) -> Result<Conformance, Fault> {
    let first = Link::connect(recipe)?;
    if let Some(divergence) = on_the_setup(&first, model) {
        return Ok(Conformance { divergence: Some(divergence), ..Conformance::default() });
    }
    drop(first);
    let begun = || match Link::connect(recipe) {
        Ok(link) => world(&link),
        Err(fault) => unwind(fault),
    };
    super::caught(|| conform_on(tour_options, begun, model, exploration, interrupt, covered))
}

/// The divergence in the scope's setup, if there is one.
fn on_the_setup(link: &Link, model: &Rollcall) -> Option<Box<Divergence>> {
    let scope = model.scope();
    let before = Scope { setup: Vec::new(), ..scope.clone() };
    let from = Rollcall::new(&before, model.guards(), &[], &[]).ok()?;
    let way = &scope.setup;
    let gone = std::panic::AssertUnwindSafe(|| parting::first_on(&mut world(link), &from, way));
    std::panic::catch_unwind(gone).unwrap_or_else(|panic| {
        Some(broken(&scope.name, super::sides("model", link), Vec::new(), &in_words(panic)))
    })
}
