//! What people paste: error messages and complaints, and the rules that they concern.
//!
//! A complaint rarely concerns one rule. Each entry names the guards whose absence shows this
//! symptom, the most likely first, what is missed or violated, and a scope to begin with.

/// A symptom seen in the field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symptom {
    /// Parts of messages, in lower case. Any of them identifies the symptom.
    pub(crate) said: &'static [&'static str],
    /// What it means, in a sentence or two.
    pub(crate) means: &'static str,
    /// The guards whose absence causes it.
    pub(crate) guards: &'static [&'static str],
    /// The properties, goals, reasons and stuck reasons that it concerns.
    pub(crate) about: &'static [&'static str],
    /// Where to begin.
    pub(crate) scope: &'static str,
}

impl Symptom {
    /// The symptoms that contain `words`, or that `words` contain.
    pub(crate) fn of(words: &str) -> Vec<&'static Symptom> {
        let words = words.to_lowercase();
        let words = words.trim_matches(|other: char| other.is_whitespace() || "\"'`".contains(other));
        let long_enough = words.chars().count() >= if words.is_ascii() { 6 } else { 2 };
        let is = |symptom: &&Symptom| {
            symptom.said.iter().any(|said| words.contains(said) || (long_enough && said.contains(words)))
        };
        SYMPTOMS.iter().filter(is).collect()
    }
}

macro_rules! symptoms {
    ($($said:expr => $means:literal, $guards:expr, $about:expr, $scope:literal;)+) => {
        /// All known symptoms.
        pub(crate) const SYMPTOMS: &[Symptom] =
            &[$(Symptom { said: &$said, means: $means, guards: &$guards, about: &$about, scope: $scope },)+];
    };
}

symptoms! {
    ["meta corruption detected", "meta corrupted"] =>
        "A store's range index does not agree with its regions, and the store panics when a peer is destroyed.",
        ["snapshot_updates_ranges", "only_destroy_clears_ranges", "destroy_spares_the_replaced"],
        ["meta_consistent", "range_disjoint"], "grow_and_shrink_smoke";
    ["have peer: id", "have peer"] =>
        "A removed peer is still a member (TinyKV `MustNonePeer`): the change was skipped, or took no effect where no client waited for it.",
        ["context_carried", "apply_needs_no_client", "pending_change_expires"],
        ["requests_end", "removed_gone"], "replace_one_by_one_smoke";
    ["request timeout", "request is timeout", "请求超时"] =>
        "No answer came: a symptom of many rules (row 28). Look for a leader first, then for what the leader waits for.",
        ["pending_change_expires", "no_proposals_while_transferring", "transfer_times_out", "demote_before_removal"],
        ["leader_electable", "requests_end", "transfer_ends"], "two_voters_to_one_smoke";
    ["slice bounds out of range", "index out of range"] =>
        "The log is sliced below its first index after a compaction or a restart.",
        ["log_bounds_checked", "ack_compacted_append"], ["log_matching"], "compacted_behind_an_election_smoke";
    ["unmatched conf version", "unmatched conf_ver", "unmatched conf ver"] =>
        "An epoch changed by more or less than one change: a repeated change raised it, or a change was replayed after a crash. TinyKV's scheduler also reports two changes between two heartbeats so.",
        ["no_duplicate_change", "atomic_apply"], ["epoch_comparable", "epoch_monotone"], "grow_and_shrink_smoke";
    ["raft proposal dropped", "proposal dropped", "proposaldropped"] =>
        "The leader refuses proposals: it transfers leadership, or a change is pending.",
        ["no_proposals_while_transferring", "transfer_times_out", "pending_change_expires"],
        ["transfer_ends", "changes_possible", "transferring_leader"], "transfer_against_a_change_smoke";
    ["cannot build operator for region with no leader", "region with no leader"] =>
        "PD knows no leader of the region, so it can build no operator (row 41). A majority is lost, or the leader reports an epoch that PD takes for stale.",
        ["merge_forwards_commit", "leader_change_believed"], ["no_leader", "majority_lost", "pd_view_current"], "no_legal_target_smoke";
    ["invalid conf_ver", "please make sure you have removed the peer by pd"] =>
        "tikv-ctl tombstones a peer only if PD knows a newer configuration without it (row 37). Remove it in PD first.",
        ["tombstone_needs_conf_ver_advance"], ["invalid_conf_ver", "clean_tombstone"], "tombstone_by_hand_smoke";
    ["the peer is still in target peers"] =>
        "tikv-ctl refuses to tombstone a peer that PD lists as a member.",
        ["tombstone_needs_conf_ver_advance"], ["peer_still_listed"], "tombstone_by_hand_smoke";
    ["while lock file", "resource temporarily unavailable"] =>
        "tikv-ctl edits the disk of a running store. Stop the store first.",
        ["tombstone_needs_conf_ver_advance"], ["store_up"], "tombstone_by_hand_smoke";
    ["缩容不掉", "下线不掉", "无法缩容", "缩容卡住", "一直offline", "一直 offline", "pending offline", "stuck offline", "store cannot leave", "never becomes tombstone", "下线卡住"] =>
        "A store does not finish leaving. Check that some store can take each of its peers, that each of its regions has a leader that PD believes, and that no joint state, operator or orphan learner is left.",
        ["enough_stores_left", "small_store_may_fill", "joint_ended_by_patrol", "orphans_leave", "lone_leader_moves", "operators_time_out", "merge_forwards_commit"],
        ["store_leaves", "no_target", "majority_lost"], "one_store_leaves_smoke";
    ["failed to add operator, maybe already have one", "maybe already have one"] =>
        "The region already has an operator. It must finish, time out or be removed by hand before another is accepted.",
        ["operators_time_out", "one_operator_a_region"], ["operator_exists", "operators_end"], "tombstone_by_hand_smoke";
    ["epoch not match", "epochnotmatch", "epoch_not_match", "stale epoch"] =>
        "A request has an epoch that is not the region's. If this never ends, the leader has skipped a split or a change that the others applied, or a merge's version is not above both.",
        ["epoch_checked_at_apply", "split_taken_by_every_replica", "merge_version_above_both"],
        ["stale_epoch", "applied_agreement", "epoch_comparable"], "split_after_a_promotion_smoke";
    ["region is stale", "regionisstale", "err region is stale"] =>
        "PD takes a report for stale: its sender is behind what PD knows, and PD believes no leader until it catches up (row 35).",
        ["merge_forwards_commit", "stale_report_refused", "recovery_drops_regions"],
        ["region_stale", "pd_view_current", "pd_view"], "late_report_and_late_order_smoke";
    ["can not remove store", "number of up stores would be"] =>
        "PD refuses `store delete` if too few stores would remain for the replicas (row 39).",
        ["enough_stores_left"], ["stores_not_enough", "no_target"], "administrator_against_the_patrol_smoke";
    ["larger than max", "batch_raft send response fail", "resource_exhausted", "message too large"] =>
        "A raft message is above the transport's limit, and is sent again unchanged (row 50).",
        ["message_size_bounded"], ["members_caught_up"], "grow_and_shrink_smoke";
    ["find no peer for store"] =>
        "A store applies a split of a region from which it was already removed (row 25).",
        ["removed_peer_splits_nothing"], ["meta_consistent"], "split_against_a_remove_smoke";
    ["lastindex 0 < appliedindex", "last index 0 < applied", "lastindex < appliedindex", "is greater than last index"] =>
        "A new peer finds what was written after its predecessor was destroyed (row 20).",
        ["stop_after_destroy", "atomic_apply"], ["clean_tombstone"], "leader_removed_after_handover_smoke";
    ["tombstone peer", "received an invalid message"] =>
        "A message from before a removal reaches a tombstone. This is noise, or a sign that the tombstone has the old epoch (rows 17, 26).",
        ["tombstone_at_new_epoch", "tombstone_refuses_stale", "tombstone_refuses_itself"],
        ["no_resurrection", "clean_tombstone", "tombstone"], "leader_removed_after_handover_smoke";
    ["two leaders", "split brain", "split-brain", "脑裂", "双主"] =>
        "Two peers serve one region: in one term because a peer voted twice, in two terms because quorums do not intersect.",
        ["campaign_applies_first", "one_vote_a_term", "joint_needs_both_majorities", "tombstone_refuses_stale", "split_keeps_vote", "tombstone_lists_itself"],
        ["election_safety", "single_change"], "old_term_entries_smoke";
    ["no leader", "leaderless", "没有leader", "没有 leader", "无leader", "无 leader", "选不出"] =>
        "No leader can be elected: a majority of the newest configuration is lost, or the remaining peers do not know that configuration.",
        ["demote_before_removal", "uninitialised_peer_listens", "campaign_applies_first", "step_down_on_higher_term"],
        ["leader_electable", "majority_lost"], "two_voters_to_one_smoke";
    ["region already has peer in store", "already has peer"] =>
        "The region already has a peer on that store. A learner counts.",
        ["one_operator_a_region"], ["peer_exists"], "administrator_against_the_patrol_smoke";
    ["no operator step is built", "fail to build operator", "plan is empty"] =>
        "PD finds nothing to do, or no plan that keeps a majority.",
        ["removal_keeps_majority", "plan_demotes_first"], ["already_leader", "no_new_leader"], "administrator_against_the_patrol_smoke";
    ["lost the store, maybe you are recovering", "lost the store"] =>
        "A region lists a store without a record, and PD's checker gives up (rows 45, 51).",
        ["record_kept_while_listed", "tombstone_by_patrol_alone"], ["tombstone_store_empty", "replicas_whole"], "split_racing_a_decommission_smoke";
    ["joint state", "joint configuration", "enter joint", "leave joint"] =>
        "A joint configuration is left by its leader, by the next leader, or by the patrol. A leader that is being demoted hands over first.",
        ["joint_ended_by_patrol", "joint_hands_over_first", "demoted_takes_snapshots", "leader_hands_over_first"],
        ["joint_state", "changes_possible"], "crash_while_a_store_leaves_smoke";
    ["io hang", "disk hang", "磁盘hang", "磁盘 hang", "慢盘", "qps 0", "qps掉0"] =>
        "A leader whose disk hangs has changes that it cannot apply. It may hand over to a peer that has applied them.",
        ["lagging_leader_hands_over"], ["requests_end", "disk_hangs"], "leaders_disk_hangs_smoke";
    ["down-peer", "down peer", "miss-peer", "副本数不足", "少副本", "缺副本"] =>
        "A region has too few live voters. The patrol adds one, or promotes an existing learner.",
        ["orphan_may_fill", "promotion_needs_no_target", "pending_learner_counts", "target_connected"],
        ["replicas_whole", "no_target"], "down_peer_and_a_learner_smoke";
    ["pending-peer", "pending peer"] =>
        "A member has not caught up: it was never created, its snapshot is refused, or the entries that it misses are truncated.",
        ["uninitialised_peer_listens", "heartbeat_commit_bounded", "snapshot_once", "snapshot_checks_overlap"],
        ["members_caught_up"], "promoted_while_it_needs_a_snapshot_smoke";
    ["key not in region", "keynotinregion", "key is not in region"] =>
        "A key is outside the region: a split came in between, or a read without a key was judged by the empty key (row 29).",
        ["keyless_read_unchecked", "data_divided", "answer_copies_region"], ["key_not_in_region", "read_safety"], "reads_across_a_split_smoke";
    ["stale read", "脏读", "读到旧", "读旧"] =>
        "A read misses an acknowledged write: its leader was deposed, or had not applied the write.",
        ["read_needs_quorum", "read_waits_for_apply", "answer_copies_region"], ["read_safety"], "reads_across_leaders_smoke";
    ["lost write", "data loss", "丢数据", "数据丢失"] =>
        "An acknowledged write is missing on a later leader, or on a replica that applied its index.",
        ["merge_stops_writes", "commit_own_term", "force_keeps_what_is_committed", "force_target_first"],
        ["no_lost_write", "leader_completeness"], "old_term_entries_smoke";
    ["tombstone again", "tombstone store", "墓碑", "残留"] =>
        "A store is buried only when no region lists a peer there, and its record is removed only then.",
        ["buried_by_count", "tombstone_by_patrol_alone", "record_kept_while_listed", "tombstone_absorbs", "destroyed_stays_gone"],
        ["tombstone_store_empty", "tombstone_absorbing"], "decommission_cancelled_smoke";
    ["region too big", "region is too large", "大region", "大 region", "不分裂"] =>
        "A region grows and does not split: its size estimate does not follow the writes (row 31).",
        ["size_counts_writes", "size_delta_saturates", "split_reported"], ["requests_end"], "batch_split_smoke";
}

#[cfg(test)]
mod tests {
    use rollcall_model::liveness::{Goal, StuckReason};
    use rollcall_model::properties::Property;
    use rollcall_model::scopes;
    use rollcall_traces::Reason;

    use super::*;

    /// Every name in an entry exists.
    #[test]
    fn every_name_is_known() {
        for symptom in SYMPTOMS {
            assert!(scopes::named(symptom.scope).is_some(), "{symptom:?}");
            for guard in symptom.guards {
                let known = rollcall_model::Guard::from_name(guard).is_some()
                    || rollcall_impl::Guard::from_name(guard).is_some();
                assert!(known, "{guard}");
            }
            for name in symptom.about {
                let known = Property::from_name(name).is_some()
                    || Goal::from_name(name).is_some()
                    || StuckReason::NAMES.contains(name)
                    || Reason::ALL.iter().any(|reason| reason.to_string() == *name);
                assert!(known, "{name}");
            }
            assert!(symptom.said.iter().all(|said| said.to_lowercase() == *said), "{symptom:?}");
        }
    }

    /// Messages pasted from the reports find their entry, with surrounding text too.
    #[test]
    fn pasted_messages_are_found() {
        for pasted in [
            "panic: [region 1] 4 meta corruption detected",
            "have peer: id:2 store_id:2",
            "request timeout",
            "runtime error: slice bounds out of range [1:0]",
            "unmatched conf version",
            "raft proposal dropped",
            "[500] \"cannot build operator for region with no leader\"",
            "invalid conf_ver: please make sure you have removed the peer by PD",
            "TiKV 缩容不掉",
            "缩容",
        ] {
            assert!(!Symptom::of(pasted).is_empty(), "{pasted}");
        }
        assert!(Symptom::of("hello").is_empty() && Symptom::of("a").is_empty());
    }
}
