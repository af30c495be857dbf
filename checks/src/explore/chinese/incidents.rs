//! The rule and the incident of each guard in Chinese, by the guard's name.

use rollcall_model::Guard;

/// The rule, and what happens without it.
pub(crate) fn of_guard(guard: Guard) -> &'static str {
    INCIDENTS.iter().find(|(known, _)| *known == guard.name()).map_or("", |(_, words)| words)
}

const INCIDENTS: &[(&str, &str)] = &[
    ("snapshot_once", "有快照等着应用时，peer 丢弃第二个快照。否则第二个会把第一个写坏一半。"),
    ("step_down_on_higher_term", "leader 见到更高 term 的投票请求就退位。否则它继续服务。"),
    ("no_proposals_while_transferring", "让位期间 leader 不提议。否则目标的日志落后，它会落选。"),
    ("transfer_times_out", "让位在一个选举超时之后结束。否则死掉的目标会让提议永远停住。"),
    (
        "transfer_waits_for_change",
        "leader 只让位给已经 apply 了未完成变更的 peer。否则目标不能竞选，这次让位白费。",
    ),
    (
        "lagging_leader_hands_over",
        "leader 自己没有 apply 未完成的变更，也可以让位。否则磁盘卡死的 leader 一直当着，谁也服务不了。",
    ),
    (
        "campaign_applies_first",
        "有已提交而未 apply 的成员变更时，peer 不竞选。否则一个 term 会有两个 leader。",
    ),
    ("uninitialised_peer_listens", "未初始化的 peer 收心跳和快照，只是不竞选。否则它永远不能初始化。"),
    (
        "heartbeat_commit_bounded",
        "心跳的 commit 不超过接收者的 matched。否则它不算初始消息，没有 store 会创建那个 peer。",
    ),
    ("pending_change_expires", "成员变更只在 apply 之前算未完成。否则以后的变更都被跳过。"),
    (
        "apply_needs_no_client",
        "日志的效果只取决于日志，不取决于有没有客户端在等。否则被移除的 follower 永远不销毁自己。",
    ),
    ("no_duplicate_change", "已经生效的变更被拒绝。否则 epoch 会白白增长。"),
    (
        "demote_before_removal",
        "voter 为偶数时，先降级再移除。否则它先走，再丢一块磁盘，剩下的多数派就不属于成员所知的任何配置。",
    ),
    ("tombstone_at_new_epoch", "墓碑带着移除时的新 epoch。否则它少挡一个 epoch。"),
    ("stale_peer_told", "store 用移除消息回答不是成员的过时发送者。否则被移除的 peer 永远竞选下去。"),
    (
        "stale_peer_asks",
        "听不到 leader 的 peer 去问别的成员和 PD，自己是否还是成员。否则没收到移除的 learner 永远占着范围。",
    ),
    (
        "creator_remembered",
        "未初始化的 peer 记得谁创建了它，好去问。否则合并之后它永远留着，因为 PD 已不知道它的 region。",
    ),
    (
        "old_view_ends_no_new_peer",
        "PD 关于 peer 建立之前的 region 的回答，不能结束这个 peer。否则 PD 还没听说的成员会被销毁。",
    ),
    ("leader_not_removed", "leader 拒绝移除或降级自己。否则在下次选举之前 region 没有 leader。"),
    ("leader_steps_down_on_removal", "leader apply 自己的移除就立刻销毁，apply 自己的降级就立刻退位。"),
    ("stop_after_destroy", "peer 销毁之后什么也不写。否则以后的 peer 会见到残留。"),
    ("tombstone_refuses_stale", "墓碑拒绝移除之前的消息。否则被移除的 peer 会回来。"),
    (
        "change_waits_for_own_election",
        "新 leader 在 apply 自己 term 的日志之前，不提议成员变更（Raft 2015 年的单步变更 bug）。",
    ),
    ("read_needs_quorum", "多数派确认了 leader 之后才回答读。否则被废黜的 leader 会给出旧值。"),
    ("read_waits_for_apply", "读在它的 index apply 之后才回答。否则会漏掉已提交的写（ReadIndex）。"),
    ("epoch_checked_at_apply", "分裂或写只在提议时的 epoch 下生效。否则它会落在别的范围上。"),
    (
        "split_ids_fit_members",
        "分裂为每个成员准备一个新 peer id，并限于请求时的 epoch。否则子 region 的 peer 会用上父 region 的 id。",
    ),
    ("split_taken_by_every_replica", "分裂的效果只取决于日志。否则刚升级的副本会跳过它，epoch 永远落后。"),
    (
        "removed_peer_splits_nothing",
        "已经 apply 自己移除的 peer 不 apply 分裂。否则 store 的索引里有没有 peer 的 region。",
    ),
    ("split_spares_the_known", "store 已经知道的 region，分裂不再建立。否则被移除的 peer 会被带回来。"),
    (
        "commit_index_durable",
        "commit index 与同时写下的票或日志一起挺过宕机。否则忘了变更的 peer 会按旧配置竞选。",
    ),
    ("vote_durable_first", "票落盘之后才发出。否则宕机会收回它，一个 term 里会投两次。"),
    ("append_durable_first", "follower 的日志落盘之后才确认。否则宕机会收回已经算作提交的日志。"),
    (
        "leadership_durable_first",
        "新 leader 等自己的 term 落盘之后才发消息。否则宕机会收回这个 term，唯一的 voter 会在同一个 term 当两次 leader。",
    ),
    ("own_copy_durable_first", "leader 自己的日志落盘之后才计入多数。否则宕机会收回已经算作提交的日志。"),
    ("split_keeps_vote", "子 peer 保留它所替换的未初始化 peer 的票。否则一个 term 里会投两次。"),
    (
        "uninitialised_vote_survives",
        "未初始化 peer 的 term 和票挺过宕机。否则它一个 term 投两次，或跟随它没有投的 leader。",
    ),
    ("data_divided", "分裂把数据也按范围分开。否则两个 region 都回答同一个 key。"),
    ("snapshot_checks_overlap", "快照等到它的范围空出来。否则两个 region 占有同一范围。"),
    ("demoted_takes_snapshots", "正在降级的 voter 也收快照。否则需要它的 joint 永远离不开。"),
    (
        "snapshot_updates_ranges",
        "应用快照会移动 region 在范围索引里的位置。否则索引是错的，直到 store panic。",
    ),
    (
        "destroy_spares_the_replaced",
        "销毁未初始化的 peer，不碰分裂放在它位置上的子 peer。否则子 region 的范围没有 peer。",
    ),
    ("answer_copies_region", "读的回答带着计算时那份 region 的副本。否则以后的分裂会改变回答。"),
    ("commit_own_term", "leader 只靠数副本提交自己 term 的日志（Raft 论文 Figure 8）。"),
    ("one_vote_a_term", "voter 一个 term 投一次票。否则一个 term 会有两个 leader。"),
    ("conflict_truncates", "冲突的日志连同后面的一起删掉。否则两份日志后面一致而前面不同。"),
    ("merge_forwards_commit", "没有日志的合并也转交 commit index。否则目标永远等着源。"),
    ("merge_stops_changes", "`PrepareMerge` 也提高源的 conf_ver。否则未完成的成员变更在合并中途生效。"),
    (
        "merge_needs_same_stores",
        "region 只能并入同样 store 上的 region。否则只有其中一个 peer 的 store 永远等待。",
    ),
    (
        "merge_waits_for_source",
        "目标的 peer 要等同一 store 上源的 peer apply 到 `PrepareMerge`。否则目标的副本会不同。",
    ),
    ("merge_stops_writes", "合并中的 region 不接受写。否则写已确认，目标却不带它继续。"),
    ("merge_gap_bounded", "能带上最慢的副本所缺的日志，合并才开始。否则没有谁能补给它。"),
    (
        "merge_waits_for_snapshot",
        "每个副本都到达最近发出的快照，合并才开始。否则收了快照的副本当 leader，补不了别人缺的。",
    ),
    (
        "merge_waits_for_commits",
        "已知每个副本都提交了源的各次分裂、变更和压缩，合并才开始。否则副本会把它们和合并一起遇到。",
    ),
    ("rollback_needs_cause", "目标不带它继续之后，合并才撤回。否则两个 region 服务同一范围。"),
    ("merge_version_above_both", "合并后的 version 高于两个 region 的。否则 PD 把它的上报当成过时的。"),
    (
        "buried_by_count",
        "没有 region 列出 store 上的 peer，它才变成 Tombstone，不看 region 大小。否则 PD 重启后它看上去是空的。",
    ),
    ("stale_report_refused", "PD 拒绝比它所知更旧的上报。否则它以为的会退回到已经不在的成员。"),
    ("leader_change_believed", "上报里只有 leader 是新的，PD 也相信。否则它的命令发给上一个 leader。"),
    ("one_operator_a_region", "一个 region 同时只有一个 operator。否则做到一半的计划会丢掉。"),
    (
        "removal_keeps_majority",
        "PD 不命令移除一个活着的 voter 而让死者占多数。否则一串 remove-peer 会毁掉多数派。",
    ),
    ("plan_demotes_first", "voter 为偶数时，计划先降级再移除。否则 store 一次又一次地拒绝移除。"),
    ("tombstone_absorbs", "Tombstone 不再变回去。否则已离开的 store 又来服务。"),
    ("tombstone_by_patrol_alone", "只有巡检把 store 变成 Tombstone。否则管理员会在还有 peer 时这样做。"),
    ("enough_stores_left", "剩下的 store 太少时，PD 拒绝 `store delete`。否则 store 永远停在 Offline。"),
    ("own_changes_counted", "PD 计入 operator 自己造成的 conf_ver 变化。否则它会取消正常的 operator。"),
    ("orphans_leave", "没有规则要的 learner，PD 会移除。否则下线的 store 永远不空。"),
    ("pending_learner_counts", "等快照的 learner 算作缺的 peer。否则 learner 来来去去，直到有一个够快。"),
    (
        "promotion_needs_no_target",
        "占着 voter 位置的 learner，没有空 store 放别的 peer 也会升级。否则它在最后的 store 上永远等在多余的 learner 旁边。",
    ),
    ("orphan_may_fill", "健康的 learner 可以顶替死去的 voter。否则 region 好几天都少一个 voter。"),
    ("joint_ended_by_patrol", "operator 或 leader 不在了的 joint，由巡检结束。否则它永远留着。"),
    ("joint_hands_over_first", "结束 joint 之前，巡检先让被降级的 leader 让位。否则 leader 永远拒绝。"),
    ("target_connected", "新 peer 放到有心跳的 store 上。否则 operator 等着沉默的 store。"),
    ("leader_hands_over_first", "计划先让 leader 让位，再降级它。否则那个 leader 离不开 joint。"),
    (
        "tombstone_needs_conf_ver_advance",
        "PD 知道有更新的、不含它的配置，tikv-ctl 才把 peer 写成墓碑。否则新的 peer 会被埋在它早已过去的 epoch 上。",
    ),
    (
        "tombstone_refuses_itself",
        "墓碑拒绝给它列出的 peer 或更旧的 peer 的消息。否则被强制埋掉的 peer 会再建立，没有日志也没有票。",
    ),
    (
        "lone_leader_moves",
        "region 唯一的 voter 在 joint 中让位给接替者。否则没人能接手，它的 store 永远走不了。",
    ),
    ("replacement_joins_first", "要迁走的 voter，在接替者加入之后才走。否则一个活着的走了，而另一个正停着。"),
    ("operators_time_out", "太久的 operator 会取消。否则它的 region 得不到别的。"),
    ("limit_counts_own_kind", "operator 只占自己种类的名额。否则手动的命令会让巡检无事可做。"),
    ("small_store_may_fill", "region 少的 store，空闲字节很少才算满。否则磁盘大的小集群里没人接收 peer。"),
    ("destroyed_stays_gone", "声明机器已毁的 store 不再回来。否则 PD 等着它的 peer，记录一直留着。"),
    (
        "record_kept_while_listed",
        "还有 region 列出 peer，Tombstone store 的记录就留着。否则 PD 判断不了那个 peer，永远不替换它。",
    ),
    (
        "force_keeps_what_is_committed",
        "强制的 leader 拥有剩下的 peer 已知提交的每条日志。否则那些日志会被覆盖。",
    ),
    (
        "force_target_first",
        "unsafe recovery 先为可能有合并要提交的 region 强制 leader。否则它的源在自己的 term 里被领导，不再吻合，合并的数据会丢。",
    ),
    (
        "force_spares_sources",
        "store 上的合并目标还没收下源，unsafe recovery 就不销毁那个 peer。否则目标的 peer 永远等它。",
    ),
    (
        "force_rolls_back",
        "目标不带它继续的合并，强制的 leader 可以撤回。否则 region 一直合并中，谁也降级不了。",
    ),
    (
        "demoting_voter_ranks_last",
        "日志相同时，强制 leader 选 voter，不选正在降级的。否则被降级的 leader 变成 learner，还得再升级。",
    ),
    (
        "recovery_drops_regions",
        "unsafe recovery 中 PD 丢掉已知的 region。否则丢失的 store 的上报永远比别人的新。",
    ),
    (
        "recovery_drops_regions_first",
        "PD 在强制 leader 之前就丢掉已知的 region。否则超时或重启结束的恢复，留下的是丢失的 store 的上报。",
    ),
    ("recovery_fills_holes", "剩下的 store 都没有的 key，恢复会建空 region。否则再也没人服务它们。"),
    (
        "change_keeps_majority_heard",
        "leader 拒绝让它听得到的不成多数派的变更。否则还没发现死者的 PD 会让它移除活着的。",
    ),
    ("new_quorum_has_log", "新多数派要先收快照的变更，leader 拒绝。否则快照到达之前什么也提交不了。"),
    ("joint_needs_both_majorities", "joint 的多数派是两半各自的多数派，不是并集的。"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every guard has its text in Chinese, and there is no other text.
    #[test]
    fn every_incident_is_told_in_chinese() {
        for guard in Guard::ALL {
            assert!(of_guard(*guard).ends_with(['。', '）']), "`{}` lacks its Chinese", guard.name());
        }
        assert_eq!(INCIDENTS.len(), Guard::ALL.len());
    }
}
