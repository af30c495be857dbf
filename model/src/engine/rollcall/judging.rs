//! The properties that a state violates.

use super::Rollcall;
use crate::cluster::ClusterInScope;
use crate::engine::state::State;
use crate::properties::Property;

impl Rollcall {
    /// The first property that `state` violates, in words.
    pub fn violation(&self, state: &State) -> Option<(Property, String)> {
        let seen = self.cluster(state);
        self.properties.iter().find_map(|property| {
            property.check(&seen, seen.history()).err().map(|violation| (*property, violation.to_string()))
        })
    }

    /// The properties that `state` violates: bit n is the n-th of [`Rollcall::checked`].
    pub fn broken(&self, state: &State) -> u64 {
        match &self.caches {
            Some(caches) => caches.judged.broken(&self.parts, &self.properties, state),
            None => {
                let seen = self.cluster(state);
                let broken = |property: &Property| property.check(&seen, seen.history()).is_err();
                let bits = self.properties.iter().enumerate();
                bits.fold(0, |all, (at, property)| all | u64::from(broken(property)) << at)
            }
        }
    }

    /// Every property that `state` violates.
    pub fn violated(&self, state: &State) -> Vec<Property> {
        let seen = self.cluster(state);
        let violated = |property: &&Property| property.check(&seen, seen.history()).is_err();
        self.properties.iter().filter(violated).copied().collect()
    }

    /// Whether the property holds in `state`.
    pub(crate) fn holds(&self, property: Property, state: &State) -> bool {
        let seen = self.cluster(state);
        property.check(&seen, seen.history()).is_ok()
    }
}
