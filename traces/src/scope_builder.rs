//! Builds a scope step by step, with defaults.

use crate::action::Action;
use crate::budgets::Budgets;
use crate::command::Command;
use crate::region::{Epoch, Key, Member, MemberRole, PeerId, Region, RegionId, StoreId};
use crate::round::Entries;
use crate::scope::{Scope, ScopeError, SplitKeys};

impl Scope {
    /// Begins a scope of that name.
    ///
    /// ```
    /// use rollcall_traces::{Change, ChangeKind, Command, Scope};
    ///
    /// let join = Change { kind: ChangeKind::AddLearner, peer: 103, store: 3 };
    /// let scope = Scope::builder("a_learner_joins")
    ///     .question("Does a learner get the log while the leader changes?")
    ///     .stores([1, 2, 3])
    ///     .region(1, [(101, 1), (102, 2)])
    ///     .command(Command::ChangePeer(join))
    ///     .changes(1)
    ///     .elections(2)
    ///     .crashes(1)
    ///     .build()?;
    /// assert_eq!(scope.regions[0].peers.len(), 2);
    /// # Ok::<(), rollcall_traces::ScopeError>(())
    /// ```
    pub fn builder(name: impl Into<String>) -> ScopeBuilder {
        ScopeBuilder { scope: Scope::empty(name) }
    }

    /// A scope with this name in which nothing exists and nothing may happen: the defaults of a
    /// file. A round carries one entry.
    pub fn empty(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            question: String::new(),
            stores: Vec::new(),
            regions: Vec::new(),
            believed: Vec::new(),
            setup: Vec::new(),
            rounds: vec![Entries::One],
            commands: Vec::new(),
            child_commands: Vec::new(),
            splits: Vec::new(),
            merges: Vec::new(),
            next_id: 0,
            max_replicas: 0,
            full: Vec::new(),
            low_space: Vec::new(),
            schedule_limit: 0,
            waiting_limit: 0,
            joining: Vec::new(),
            admin: Vec::new(),
            keys: Vec::new(),
            campaigners: Vec::new(),
            crashers: Vec::new(),
            apply_stalled: Vec::new(),
            unsynced_commits: false,
            late_persistence: false,
            heartbeats: false,
            store_reports: false,
            budgets: Budgets::default(),
        }
    }
}

/// Builds a [`Scope`]. By default there are no commands, no faults and no placement driver. A round
/// carries one entry, and the peers of any store may campaign or crash within the budgets.
#[derive(Clone, Debug)]
#[must_use = "a scope is made by `build`"]
pub struct ScopeBuilder {
    scope: Scope,
}

impl ScopeBuilder {
    /// The question that the scope answers.
    pub fn question(mut self, question: impl Into<String>) -> Self {
        self.scope.question = question.into();
        self
    }

    /// Adds stores.
    pub fn stores(mut self, stores: impl IntoIterator<Item = StoreId>) -> Self {
        self.scope.stores.extend(stores);
        self
    }

    /// Adds a region of all keys with a voter for each `(peer, store)`, at epoch 1/1.
    pub fn region(self, id: RegionId, voters: impl IntoIterator<Item = (PeerId, StoreId)>) -> Self {
        let member = |(id, store)| Member { id, store, role: MemberRole::Voter };
        let peers = voters.into_iter().map(member).collect();
        let epoch = Epoch { conf_ver: 1, version: 1 };
        self.region_as(Region { id, start: Key::empty(), end: Key::empty(), epoch, peers })
    }

    /// Adds any region.
    pub fn region_as(mut self, region: Region) -> Self {
        self.scope.regions.push(region);
        self
    }

    /// Adds actions before the first state. They cost no budget, and each must take effect.
    pub fn setup(mut self, actions: impl IntoIterator<Item = Action>) -> Self {
        self.scope.setup.extend(actions);
        self
    }

    /// Sets the round sizes; the default is [`Entries::One`] alone.
    pub fn rounds(mut self, rounds: impl IntoIterator<Item = Entries>) -> Self {
        self.scope.rounds = rounds.into_iter().collect();
        self
    }

    /// Adds a command that may be proposed, within its budget.
    pub fn command(mut self, command: Command) -> Self {
        self.scope.commands.push(command);
        self
    }

    /// Adds a split that a leader may ask for, within [`ScopeBuilder::splits`].
    pub fn split(mut self, split: SplitKeys) -> Self {
        self.scope.splits.push(split);
        self
    }

    /// Adds a key that may be read, within [`ScopeBuilder::reads`].
    pub fn key(mut self, key: impl Into<Key>) -> Self {
        self.scope.keys.push(key.into());
        self
    }

    /// Sets the first id that the placement driver allots. Without it there is no placement driver.
    pub fn next_id(mut self, id: u64) -> Self {
        self.scope.next_id = id;
        self
    }

    /// Sets the number of voters that PD wants in a region. Without it PD only allots ids.
    pub fn max_replicas(mut self, voters: u64) -> Self {
        self.scope.max_replicas = voters;
        self
    }

    /// Adds a command that an administrator may give, within [`Budgets::admin`].
    pub fn admin(mut self, action: Action) -> Self {
        self.scope.admin.push(action);
        self
    }

    /// Only peers of these stores campaign on their own.
    pub fn campaigners(mut self, stores: impl IntoIterator<Item = StoreId>) -> Self {
        self.scope.campaigners = stores.into_iter().collect();
        self
    }

    /// Only these stores crash or lose their disk.
    pub fn crashers(mut self, stores: impl IntoIterator<Item = StoreId>) -> Self {
        self.scope.crashers = stores.into_iter().collect();
        self
    }

    /// Leaders also send heartbeats without entries to followers that are there.
    pub fn heartbeats(mut self) -> Self {
        self.scope.heartbeats = true;
        self
    }

    /// Campaigns.
    pub fn elections(mut self, times: u8) -> Self {
        self.scope.budgets.elections = times;
        self
    }

    /// Crashes.
    pub fn crashes(mut self, times: u8) -> Self {
        self.scope.budgets.crashes = times;
        self
    }

    /// Dropped replies.
    pub fn lost(mut self, times: u8) -> Self {
        self.scope.budgets.lost = times;
        self
    }

    /// Delayed messages.
    pub fn late(mut self, times: u8) -> Self {
        self.scope.budgets.late = times;
        self
    }

    /// Writes.
    pub fn writes(mut self, times: u8) -> Self {
        self.scope.budgets.writes = times;
        self
    }

    /// Conf changes. Entering and leaving a joint configuration count one each.
    pub fn changes(mut self, times: u8) -> Self {
        self.scope.budgets.changes = times;
        self
    }

    /// Splits.
    pub fn splits(mut self, times: u8) -> Self {
        self.scope.budgets.splits = times;
        self
    }

    /// Leadership transfers.
    pub fn transfers(mut self, times: u8) -> Self {
        self.scope.budgets.transfers = times;
        self
    }

    /// Reads.
    pub fn reads(mut self, times: u8) -> Self {
        self.scope.budgets.reads = times;
        self
    }

    /// Sets all budgets.
    pub fn budgets(mut self, budgets: Budgets) -> Self {
        self.scope.budgets = budgets;
        self
    }

    /// The scope.
    ///
    /// # Errors
    ///
    /// As [`Scope::validate`].
    pub fn build(self) -> Result<Scope, ScopeError> {
        self.scope.validate()?;
        Ok(self.scope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_what_a_file_that_leaves_it_out_means() {
        let built = Scope::builder("two").stores([1, 2]).region(1, [(101, 1), (102, 2)]).elections(1).build();
        let read: Scope = serde_json::from_value(serde_json::json!({
            "name": "two",
            "stores": [1, 2],
            "regions": [{
                "id": 1, "start": "", "end": "", "epoch": { "conf_ver": 1, "version": 1 },
                "peers": [
                    { "id": 101, "store": 1, "role": "voter" },
                    { "id": 102, "store": 2, "role": "voter" }
                ]
            }],
            "budgets": { "elections": 1 }
        }))
        .expect("a scope");
        assert_eq!(built.expect("it is sound"), read);
    }

    #[test]
    fn a_scope_that_is_unsound_is_not_built() {
        let error = Scope::builder("lost").stores([1]).region(1, [(101, 1), (102, 2)]).build();
        assert!(error.is_err_and(|error| error.to_string().contains("store 2")));
        assert!(Scope::builder("nothing").stores([1]).build().is_err(), "no region");
    }
}
