//! The scopes: the questions, with their bounds.
//!
//! Each asks a question that an engineer would ask. A budget is never raised only to reach a state
//! count.

mod allowed_stuck;

mod conf_change;
mod decommission;
mod deep;
mod making;
mod plan;
mod split;
mod stale;

pub use plan::{Family, ScopePlan, Size};

/// The scopes of a family at a size.
pub fn plans(family: Family, size: Size) -> Vec<ScopePlan> {
    match family {
        _ if size == Size::Deep => deep::plans(family),
        Family::ConfChange => conf_change::plans(size),
        Family::Split => split::plans(size),
        Family::Decommission => decommission::plans(size),
    }
}

/// Every scope.
pub fn all() -> Vec<ScopePlan> {
    let sizes = |family: &Family| Size::ALL.iter().flat_map(|size| plans(*family, *size)).collect::<Vec<_>>();
    Family::ALL.iter().flat_map(sizes).collect()
}

/// The scope with that name.
pub fn named(name: &str) -> Option<ScopePlan> {
    all().into_iter().find(|plan| plan.scope.name == name)
}
