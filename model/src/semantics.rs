//! The rules within a scope over one form of state: all that healing and settling ask.
//!
//! Two things implement it: the engine's model ([`crate::Rollcall`]) and the reference
//! semantics over a plain view ([`crate::reference::Reference`]).

use rollcall_traces::{Action, Cluster, Outcome, Scope};

use crate::guard::GuardSet;

/// Something that takes the steps of a scope.
pub trait Semantics {
    /// A state of the cluster.
    type State: Clone + PartialEq;
    /// The cluster that a state is.
    type ClusterRef<'s>: Cluster
    where
        Self: 's;

    /// The scope.
    fn scope(&self) -> &Scope;
    /// The guards that hold.
    fn guards(&self) -> GuardSet;
    /// The state as a cluster.
    fn cluster<'s>(&'s self, state: &'s Self::State) -> Self::ClusterRef<'s>;
    /// Takes one action: the rules alone, without budgets and history.
    fn step(&self, state: &Self::State, action: &Action) -> (Self::State, Outcome);
    /// The state with nothing under way, spent or remembered: what healing begins with.
    fn at_rest(&self, state: &Self::State) -> Self::State;
}
