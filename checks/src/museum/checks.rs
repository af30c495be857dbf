//! The checks that may kill a missing guard: the columns of the kill matrix.

use std::fmt;

use rollcall_model::liveness::Goal;
use rollcall_model::properties::Property;
use serde::{Serialize, Serializer};

use super::BELOW_THE_GRAIN;

/// A check that may fail when a guard is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Check {
    /// A property is violated.
    Property(Property),
    /// A state does not heal.
    Goal(Goal),
    /// A transition differs.
    Tour,
    /// A disabled action is not refused, or for another reason.
    Refusals,
    /// A random schedule differs.
    Schedules,
    /// The implementation's test of the guard's name fails.
    NamedTest,
}

impl Check {
    /// Every check, in the order of the columns.
    pub fn all() -> impl Iterator<Item = Check> {
        let properties = Property::ALL.iter().map(|property| Check::Property(*property));
        let goals = Goal::ALL.iter().map(|goal| Check::Goal(*goal));
        let others = [Check::Tour, Check::Refusals, Check::Schedules, Check::NamedTest];
        properties.chain(goals).chain(others)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Check::Property(property) => property.name(),
            Check::Goal(goal) => goal.name(),
            Check::Tour => "tour",
            Check::Refusals => "refusals",
            Check::Schedules => "schedules",
            Check::NamedTest => BELOW_THE_GRAIN,
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
