//! How often each thing may happen: the budgets, listed once.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! budgets {
    ($($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)+)])? $field:ident = $variant:ident,)+) => {
        /// How often each thing may happen after the setup.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct Budgets {
            $($(#[doc = $doc])+ $(#[serde($($serde)+)])? pub $field: u8,)+
        }

        /// One of the budgets.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Budget {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Budget {
            /// Every budget.
            pub const ALL: &'static [Budget] = &[$(Budget::$variant,)+];

            /// Its name in a scope.
            pub fn name(self) -> &'static str {
                match self { $(Budget::$variant => stringify!($field),)+ }
            }
        }

        impl Budgets {
            /// The same number of each.
            pub const fn of_each(count: u8) -> Self {
                Self { $($field: count,)+ }
            }

            /// How much there is of one.
            pub fn count(&self, of: Budget) -> u8 {
                match of { $(Budget::$variant => self.$field,)+ }
            }

            /// The same, to be written to.
            pub fn count_mut(&mut self, of: Budget) -> &mut u8 {
                match of { $(Budget::$variant => &mut self.$field,)+ }
            }

            /// What is left of each behind what was spent.
            #[must_use]
            pub fn without(&self, spent: &Budgets) -> Self {
                Self { $($field: self.$field.saturating_sub(spent.$field),)+ }
            }
        }
    };
}

budgets! {
    /// Campaigns unasked (`TimeoutNow` is not counted: the transfer is).
    elections = Elections,
    /// Crashes. A restart is free.
    crashes = Crashes,
    /// Disks lost.
    #[serde(alias = "destroys")]
    disk_losses = DiskLosses,
    /// Answers lost.
    lost = Lost,
    /// Messages held.
    late = Late,
    /// `Put`s.
    writes = Writes,
    /// Conf changes; a joint change and its leaving count one each.
    changes = Changes,
    /// Splits asked for, or proposed with ids.
    splits = Splits,
    /// Merges begun.
    #[serde(skip_serializing_if = "is_none")]
    merges = Merges,
    /// Transfers of leadership.
    transfers = Transfers,
    /// Log compactions.
    compactions = Compactions,
    /// Reads.
    reads = Reads,
    /// What an administrator types.
    admin = Admin,
    /// Operators that the patrol makes.
    schedules = Schedules,
    /// Missed store heartbeats.
    #[serde(alias = "silences")]
    missed_heartbeats = MissedHeartbeats,
    /// Operators that are given up.
    timeouts = Timeouts,
    /// Orders that are sent once more.
    #[serde(skip_serializing_if = "is_none")]
    pushes = Pushes,
    /// Ends of the placement driver's process.
    pd_restarts = PdRestarts,
    /// How often a peer that asks whether it is a member still learns something.
    #[serde(skip_serializing_if = "is_none")]
    stale_checks = StaleChecks,
    /// How often an unsafe recovery comes to a stage, its end included.
    #[serde(skip_serializing_if = "is_none")]
    stages = Stages,
}

impl Budgets {
    /// Nothing may happen but what costs nothing: the scope is a scenario's.
    pub fn is_none(&self) -> bool {
        *self == Budgets::default()
    }
}

fn is_none(count: &u8) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_budget_is_the_field_of_its_name() {
        let mut budgets = Budgets::default();
        for (place, budget) in Budget::ALL.iter().enumerate() {
            *budgets.count_mut(*budget) = u8::try_from(place).expect("few budgets") + 1;
        }
        let fields = serde_json::to_value(budgets).expect("it can be written");
        let fields = fields.as_object().expect("an object");
        assert_eq!(fields.len(), Budget::ALL.len());
        for budget in Budget::ALL {
            assert_eq!(fields[budget.name()], budgets.count(*budget), "{budget:?}");
            assert_eq!(
                budgets.without(&Budgets::of_each(2)).count(*budget),
                budgets.count(*budget).saturating_sub(2)
            );
        }
    }
}
