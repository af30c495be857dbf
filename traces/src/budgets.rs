//! The budgets: how often each kind of action may happen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! budgets {
    ($($(#[doc = $doc:literal])+ $(#[serde($($serde:tt)+)])? $field:ident = $variant:ident,)+) => {
        /// How often each kind of action may happen after the setup.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(default)]
        pub struct Budgets {
            $($(#[doc = $doc])+ $(#[serde($($serde)+)])? pub $field: u8,)+
        }

        /// One budget.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Budget {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Budget {
            /// Every budget.
            pub const ALL: &'static [Budget] = &[$(Budget::$variant,)+];

            /// Its name in a scope file.
            pub fn name(self) -> &'static str {
                match self { $(Budget::$variant => stringify!($field),)+ }
            }
        }

        impl Budgets {
            /// The same count for every budget.
            pub const fn of_each(count: u8) -> Self {
                Self { $($field: count,)+ }
            }

            /// The count of one budget.
            pub fn count(&self, of: Budget) -> u8 {
                match of { $(Budget::$variant => self.$field,)+ }
            }

            /// The count of one budget, mutable.
            pub fn count_mut(&mut self, of: Budget) -> &mut u8 {
                match of { $(Budget::$variant => &mut self.$field,)+ }
            }

            /// What remains of each budget after `spent`.
            #[must_use]
            pub fn without(&self, spent: &Budgets) -> Self {
                Self { $($field: self.$field.saturating_sub(spent.$field),)+ }
            }
        }
    };
}

budgets! {
    /// Campaigns. A campaign by `TimeoutNow` counts as its transfer.
    elections = Elections,
    /// Crashes. A restart is free.
    crashes = Crashes,
    /// Disks lost.
    #[serde(alias = "destroys")]
    disk_losses = DiskLosses,
    /// Dropped replies.
    lost = Lost,
    /// Delayed messages.
    late = Late,
    /// `Put`s.
    writes = Writes,
    /// Conf changes. Entering and leaving a joint configuration count one each.
    changes = Changes,
    /// Splits, whether PD is asked for the ids or they are given.
    splits = Splits,
    /// Merges.
    #[serde(skip_serializing_if = "is_none")]
    merges = Merges,
    /// Leadership transfers.
    transfers = Transfers,
    /// Log compactions.
    compactions = Compactions,
    /// Reads.
    reads = Reads,
    /// Administrator's commands.
    admin = Admin,
    /// Operators created by the patrol.
    schedules = Schedules,
    /// Missed store heartbeats.
    #[serde(alias = "silences")]
    missed_heartbeats = MissedHeartbeats,
    /// Operator, recovery and forced-leader timeouts.
    timeouts = Timeouts,
    /// Orders that PD sends again.
    #[serde(skip_serializing_if = "is_none")]
    pushes = Pushes,
    /// Restarts of the placement driver.
    pd_restarts = PdRestarts,
    /// Stale checks from which a peer learns something.
    #[serde(skip_serializing_if = "is_none")]
    stale_checks = StaleChecks,
    /// Stages that an unsafe recovery enters, including its last.
    #[serde(skip_serializing_if = "is_none")]
    stages = Stages,
}

impl Budgets {
    /// Whether every budget is zero. A scenario's scope is like that.
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
