//! The cluster that an adapter takes part in, of either level.

use rollcall_traces::{Action, Healed, Outcome, Scope, ScopeError, Subject, View};

use super::run::{SubjectWorld, world};
use super::{ForeignCluster, Link};

/// Stores over an adapter's replicas, or an adapter's cluster.
pub enum SubjectCluster {
    /// Level `node`.
    Replicas(Box<SubjectWorld>),
    /// Level `world`.
    Cluster(ForeignCluster),
}

impl SubjectCluster {
    /// The cluster of the adapter at the other end.
    pub fn by(link: &Link) -> Self {
        if link.is_of_a_world() {
            return Self::Cluster(ForeignCluster::new(link));
        }
        Self::Replicas(Box::new(world(link)))
    }
}

impl Subject for SubjectCluster {
    fn reset(&mut self, scope: &Scope) -> Result<(), ScopeError> {
        match self {
            Self::Replicas(world) => world.reset(scope),
            Self::Cluster(cluster) => cluster.reset(scope),
        }
    }

    fn apply(&mut self, action: &Action) -> Outcome {
        match self {
            Self::Replicas(world) => world.apply(action),
            Self::Cluster(cluster) => cluster.apply(action),
        }
    }

    fn view(&self) -> View {
        match self {
            Self::Replicas(world) => world.view(),
            Self::Cluster(cluster) => cluster.view(),
        }
    }

    fn healed(&self) -> Option<Healed> {
        match self {
            Self::Replicas(world) => world.healed(),
            Self::Cluster(cluster) => cluster.healed(),
        }
    }
}
