//! How a source that lags behind catches up for a merge.
//!
//! Once the target's log has `CommitMerge`, the source's group may have lost its majority to the
//! merge. A replica that lacks entries, or only their commit, can no longer get them from its own
//! group. The target's log has both. Entries up to `PrepareMerge` are appended without raft, and
//! the commit index is forwarded. The commit index is forwarded even if no entries are carried
//! because every replica has them (tikv#5512; otherwise a target waits for ever, at an epoch that
//! PD has seen pass). Follows `TiKV peer.rs maybe_append_merge_entries`.

use raft::eraftpb::Entry;

use crate::guard::{Guard, Guards};
use crate::peer::Peer;
use crate::proto::merge::CommitMerge;
use crate::raft_rs::replica::Replica;
use crate::store::step::StepContext;

impl<R: Replica> Peer<R> {
    /// Takes what `commit` carries; returns whether there was anything to take.
    pub(crate) fn catch_up<G: Guards>(
        &mut self,
        commit: &CommitMerge,
        step: &mut StepContext<'_, G>,
    ) -> bool {
        // A received snapshot must be applied first.
        if self.staged.is_some() || !self.storage().is_initialized() {
            return false;
        }
        let committed = self.node.commit().index;
        if committed >= commit.commit {
            return false;
        }
        let missed: Vec<Entry> = commit
            .entries
            .iter()
            .filter(|entry| entry.index > committed)
            .map(|entry| entry.to_raft())
            .collect();
        let forwards = step.guards.holds(Guard::MergeForwardsCommit) || !commit.entries.is_empty();
        if !forwards || !self.append_carried(&missed, commit.commit) {
            return false;
        }
        self.handle_ready(step, None);
        true
    }

    fn append_carried(&mut self, entries: &[Entry], commit: u64) -> bool {
        let Some(innards) = self.node.innards() else { return false };
        let appended = innards.append_carried(entries, commit);
        self.forget_force_as_follower();
        appended
    }
}
