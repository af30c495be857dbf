//! The rules within a scope over one kind of state: the interface for healing and settling.
//!
//! It has two implementations: the engine's model ([`crate::Rollcall`]) and the reference semantics
//! over a plain view ([`crate::reference::Reference`]).

use rollcall_traces::{Action, Cluster, Outcome, Scope};

use crate::guard::GuardSet;

/// Takes the steps of a scope.
pub trait Semantics {
    /// A state of the cluster.
    type State: Clone + PartialEq;
    /// A state as a cluster.
    type ClusterRef<'s>: Cluster
    where
        Self: 's;

    /// The scope.
    fn scope(&self) -> &Scope;
    /// The guards that hold.
    fn guards(&self) -> GuardSet;
    /// The state as a cluster.
    fn cluster<'s>(&'s self, state: &'s Self::State) -> Self::ClusterRef<'s>;
    /// Takes one action by the rules alone, without budgets and history.
    fn step(&self, state: &Self::State, action: &Action) -> (Self::State, Outcome);
    /// The state without delayed messages, spent budgets and history: where healing starts.
    fn at_rest(&self, state: &Self::State) -> Self::State;
}
