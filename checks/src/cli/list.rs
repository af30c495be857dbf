//! `scopes`, `guards`, `properties`: what there is, with a line each.

use anyhow::Result;
use rollcall_model::properties::Property;
use rollcall_model::{Guard, scopes};

use super::End;

pub(super) fn scopes() -> Result<End> {
    for plan in scopes::all() {
        println!("{:<44} {:<12} {}", plan.scope.name, format!("{}", plan.size), plan.scope.question);
    }
    Ok(End::Holds)
}

pub(super) fn guards() -> Result<End> {
    for guard in Guard::ALL {
        println!("{:<32} {}", guard.name(), guard.incident());
    }
    Ok(End::Holds)
}

pub(super) fn properties() -> Result<End> {
    for property in Property::ALL {
        println!("{:<24} {}", property.name(), property.statement());
    }
    Ok(End::Holds)
}
