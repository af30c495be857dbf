//! The question of each scope in Chinese, by the scope's name without its size.

use rollcall_model::scopes;

/// The question in Chinese, if it is the question of one of Rollcall's scopes.
pub(crate) fn of_question(name: &str, question: &str) -> Option<&'static str> {
    let plan = scopes::named(name).filter(|plan| plan.scope.question == question)?;
    of_scope(&plan.scope.name)
}

/// The question of one of Rollcall's own scopes.
pub(crate) fn of_scope(name: &str) -> Option<&'static str> {
    let family = name.strip_suffix("_smoke").unwrap_or(name);
    QUESTIONS.iter().find(|(known, _)| *known == family).map(|(_, question)| *question)
}

const QUESTIONS: &[(&str, &str)] = &[
    ("grow_and_shrink", "一个 voter 加入又离开：region 能挺过一次选举和一次宕机吗？"),
    ("replace_one_by_one", "learner 加入并升级，旧 voter 降级后离开：如果 leader 在中途换人，会怎样？"),
    ("replace_by_joint", "一次 joint 变更用一个 voter 换下另一个：如果新的那个在中途当了 leader，会怎样？"),
    ("swap_two_by_joint", "一次 joint 变更换掉三个 voter 中的两个：旧多数派和新多数派会作出不同的决定吗？"),
    ("replace_a_lost_store", "一块磁盘丢了：不管别人收到过它的什么，它的 voter 都会被补上吗？"),
    (
        "leader_removed_after_handover",
        "leader 让给了一个正被提议移除的 voter：它 apply 自己的移除时会做什么？",
    ),
    ("two_voters_to_one", "两个 voter 中的一个降级后移除：回复丢失会让剩下的一个没有多数派吗？"),
    (
        "three_voters_to_one",
        "三个 voter 移除两个，这两个都知道，或都不知道：一个和两个会各选出一个 leader 吗（etcd-io/raft#456）？",
    ),
    ("one_of_two_is_lost", "两个 voter 中的一个丢了磁盘：只有它此前已降级，region 才能继续吗？"),
    ("old_term_leader", "迟到的选票选出了旧 term 的 leader：它提议的变更有害吗？"),
    ("promoted_while_it_needs_a_snapshot", "learner 的快照还没到就升级了：谁还能当选、能提交？"),
    ("joins_again_with_the_same_id", "peer 被移除，它的 store 又加入：旧 peer 的残留会妨碍新 peer 吗？"),
    ("joins_again_with_a_new_id", "peer 被移除，它的 store 又加入：旧 peer 的残留会妨碍新 peer 吗？"),
    ("transfer_against_a_change", "有变更未完成时让位：谁可以竞选，谁会卡住？"),
    ("leaders_disk_hangs", "加 learner 时 leader 的磁盘卡死，心跳却照发：别的 peer 能当 leader 吗？"),
    ("old_term_entries", "日志里有旧 term 的条目：会只靠数副本就提交其中一条吗（Figure 8）？"),
    ("reads_across_leaders", "客户端从一个 leader 读，另一个正在当选，成员也在变：读到的会过时吗？"),
    (
        "voter_restarts_before_its_snapshot",
        "直接加入的 voter 在快照到达之前投了票又重启：它还记得自己的票吗？",
    ),
    ("power_fails_between_changes", "断电了，单独写下的 commit index 丢了：这时谁可以竞选？"),
    (
        "sole_voter_persists_late",
        "唯一的 voter 在自己的 term 落盘之前就当上 leader，然后宕机：它会在同一个 term 当两次 leader 吗？",
    ),
    ("power_fails_before_persistence", "写入比它的步骤晚落盘，中间断电了：有承诺会丢吗？"),
    ("demoted_while_it_needs_a_snapshot", "两个 voter 正在降级，一个丢了，另一个需要快照：joint 能离开吗？"),
    (
        "timeout_now_comes_late",
        "让位已经取消，它的 TimeoutNow 在一次变更之后才到：收到的人会按旧配置竞选吗？",
    ),
    ("compacted_behind_an_election", "新 term 的 leader 压缩了旧 term 写的日志：各份日志在那里还一致吗？"),
    (
        "learner_removed_while_cut_off",
        "移除了两个 learner，其中一个一直收不到移除：它能从先走的那个那里知道该问谁吗？",
    ),
    (
        "heartbeats_without_entries",
        "leader 只发心跳不发日志：心跳里的 term 或 commit index 会超出日志所有的吗？",
    ),
    (
        "removed_while_a_voter_is_down",
        "一个 voter 宕机而 PD 还没发现：leader 会移除一个活着的 voter，从而丢掉多数派吗？",
    ),
    (
        "one_of_four_goes",
        "移除四个 voter 中的一个，谁都可能先得知，还丢了一块磁盘：剩下的多数派能选出 leader 吗？",
    ),
    ("new_quorum_needs_a_snapshot", "新 voter 在等快照，另一个 voter 被移除：有多数派拥有日志吗？"),
    (
        "swap_two_entry_by_entry",
        "一次 joint 变更逐条地换掉三个 voter 中的两个，中途旧的或新的 voter 当选：旧多数派和新多数派会作出不同的决定吗？",
    ),
    (
        "three_elections_and_two_crashes",
        "加入第四个 voter 时，任何 peer 都可以竞选，一共三次，任何两个进程会停，一个回复会丢：会有两个 peer 在同一个 term 当 leader，或者已提交的变更丢失吗？",
    ),
    ("split_against_an_add", "分裂用的 id 还在路上，一个 peer 加入了：过时的 id 能分裂 region 吗？"),
    (
        "split_after_a_promotion",
        "learner 升级，然后 region 分裂：不管谁是 leader，每个副本都 apply 了两者吗？",
    ),
    ("split_against_a_remove", "region 分裂时移除一个 peer：它从两部分都消失，还是都没有？"),
    (
        "child_snapshot_under_way",
        "慢的 store 收到父 region 的旧快照和子 region 的新快照：范围归哪个 region？",
    ),
    (
        "child_removed_before_its_birth",
        "子 region 的 learner 在它的 store apply 分裂之前就被移除：分裂会把它带回来吗？",
    ),
    ("split_and_leader_change", "region 分裂时另一个 leader 当选：哪一部分由谁领导，会丢写吗？"),
    ("split_and_crash", "分裂刚完成，leader 的 store 就停了：两部分都能恢复吗？"),
    ("split_on_two_peers", "两个 peer 的 region 分裂，回复丢失：哪一部分会失去 leader 或写吗？"),
    ("batch_split", "一次把一个 region 分成三个：不管父 region 在哪一边，每个 store 上都有全部的部分吗？"),
    ("split_in_joint_state", "joint 中的 region 分裂：它的子 region 能离开 joint 吗？"),
    ("child_split_again", "第一次分裂还没在每个 store 上 apply，子 region 又分裂：各部分以什么顺序建立？"),
    ("first_messages_pending", "投票请求和 append 先于创建接收者的分裂到达 store：它们会怎样？"),
    ("reads_across_a_split", "客户端读的 key 正移到另一个 region：读到的会过时，或来自错误的 region 吗？"),
    (
        "merge_and_leader_change",
        "region 并入邻居，它的一个副本落后，两边都可能换 leader：每个副本最后都在同一个 region，写都还在吗？",
    ),
    ("merge_behind_a_compaction", "region 压缩日志并开始合并，一个副本落后：它还能得到缺少的日志吗？"),
    ("merges_crossed", "两个邻居开始互相合并：其中一个会撤回，两个绝不会都提交吗？"),
    (
        "store_sleeps_through_a_merge",
        "合并完成、目标压缩日志之后，一个 store 才回来：它的源 peer 会得知合并，并为快照让出范围吗？",
    ),
    (
        "removed_learner_blocks_a_child",
        "store 失联时移除了它的 learner，而它要得到子 region 的 peer：范围最后会空出来吗？",
    ),
    (
        "learner_of_a_child_removed_before_it_is_born",
        "有 learner 的 region 分裂，子 region 的 learner 被移除，它的 store 这时才 apply 分裂：peer 会走吗？",
    ),
    (
        "uninitialised_peer_behind_a_merge",
        "peer 建立了，没有快照，又被移除，它的 region 合并了：谁告诉它已被移除？",
    ),
    (
        "merge_behind_a_snapshot",
        "一个副本收了快照，另一个比快照落后，region 开始合并：目标的任何 leader 都能补上缺少的日志吗？",
    ),
    ("merged_twice", "目标分裂，合并撤回，又重新开始：第二次合并收下一切吗？"),
    (
        "child_takes_its_parent_in",
        "父 region 并入它的子 region，一个还没 apply 分裂的 store 听说了：那里的父 peer 会等子 peer 吗？",
    ),
    ("snapshot_behind_a_rollback", "合并中的副本收到撤回之后的快照：它会重新服务、会当 leader 吗？"),
    ("merges_in_a_row", "一个 region 并入邻居，邻居又并入第三个：第一个会回来，还是一起去？"),
    (
        "split_and_merged_back",
        "region 分裂，子 region 又并回来，一个副本两者都没收到，leader 也换了：每个副本最后都在一个 region，写都还在吗？",
    ),
    (
        "one_store_leaves",
        "有 follower 的 store 下线，变成 Tombstone 之前随时可能换 leader：它总会变成 Tombstone，而且只在空了之后吗？",
    ),
    (
        "process_ends_while_a_store_leaves",
        "store 下线途中一个进程停了，也许是接替者正在收快照：迁移会从停下的地方继续吗？",
    ),
    (
        "crash_while_a_store_leaves",
        "leader 的进程中途停了，另一个 peer 当了 leader：operator 会从停下的地方继续吗？",
    ),
    ("leaders_store_leaves", "leader 所在的 store 下线：不管让位成不成功，leader 都在降级之前让位吗？"),
    (
        "stalled_leaders_store_leaves",
        "leader 所在的 store 下线，PD 加 learner 时它的磁盘卡死：能让位给可以服务的 peer 吗？",
    ),
    ("split_racing_a_decommission", "peer 迁移时 region 分裂：上面有子 region 的 store 能离开吗？"),
    ("late_report_and_late_order", "上报或命令迟到：PD 的认识会后退，leader 会执行已不要的命令吗？"),
    (
        "two_stores_of_a_region_leave",
        "一个 region 的所有 store 同时下线：peer 会一个接一个地迁走，而且总有多数派吗？",
    ),
    ("decommission_cancelled", "peer 迁到一半，下线被取消：每个 region 又会有全部副本吗？"),
    ("no_legal_target", "可选的目标一个太满，另一个没有心跳或已丢失：PD 怎么回答，管理员还能做什么？"),
    (
        "leaving_store_stopped",
        "peer 还没迁走，下线的 store 就停了或丢了磁盘：peer 会被补上，store 会变成 Tombstone 吗？",
    ),
    ("pd_restarted", "下线期间 PD 重启：它会把一个重启后还没人上报其 region 的 store 变成 Tombstone 吗？"),
    (
        "administrator_against_the_patrol",
        "一个 peer 已死，管理员手动移除 peer，巡检也在工作：多数派能活下来吗？",
    ),
    ("down_peer_and_a_learner", "接替者还是 learner 时 store 丢了：learner 会顶上吗？"),
    ("one_replica", "region 唯一的 peer 在下线的 store 上：替换期间谁是 leader？"),
    (
        "tombstone_by_hand",
        "在停止的 store 上用 tikv-ctl 把 peer 写成墓碑，PD 同意、PD 落后或强制：会失去什么？",
    ),
    ("forced_by_hand", "三个 voter 丢了两块磁盘：用剩下的一个，unsafe recovery 能做什么，什么会被拒绝？"),
    (
        "forced_behind_a_learner",
        "三个 voter 丢了两个，剩下的落后于一个 learner，或有一条更新 term 的日志：恢复会保住 learner 已知提交的吗？",
    ),
    (
        "forced_with_a_merge_to_commit",
        "两个 region 剩下的 peer 在目标日志里有 CommitMerge，源可能缺 PrepareMerge：源的 id 更小，合并的数据还保得住吗？",
    ),
    (
        "forced_with_a_merge_into_the_lower_id",
        "目标的 id 更小，剩下的 peer 还缺源的一次写：开始了的合并保得住吗？",
    ),
    ("forced_while_merging", "region 正在合并，目标还没提交，两者都失去多数派：两者都能继续吗？"),
    ("forced_in_a_joint_state", "joint 的 region 剩下的 peer 正在降级或升级：joint 能离开吗，谁当 leader？"),
    (
        "forced_behind_a_split",
        "两个 store 分裂了 region、上报后丢失，第三个还没 apply 分裂：unsafe recovery 之后 PD 相信第三个吗？",
    ),
    ("forced_and_interrupted", "恢复可能超时，剩下的 store 在各阶段之间重启，计划迟到：region 能继续吗？"),
    (
        "report_comes_late",
        "store 为恢复所做的上报丢了，或迟到，在这一步或以后：PD 会等待，而不把一份上报当成另一份吗？",
    ),
    (
        "plan_for_a_hole_comes_late",
        "一次恢复的计划为没人有的 key 建 region，到达时下一次恢复已建或正要建：这些 key 在那个 store 上只属于一个 region 吗？",
    ),
    (
        "plan_to_destroy_comes_late",
        "恢复销毁了一个范围已归更新 region 的 peer，peer 走了之后计划又来一次：墓碑和更新的 region 都保持原样吗？",
    ),
    (
        "broken_off_behind_a_split",
        "PD 知道一次剩下的 store 都没有的分裂，恢复超时或 PD 重启：PD 相信剩下的 store 吗？",
    ),
    (
        "given_up_once_more",
        "恢复期间 PD 重启或放弃，一份计划丢了，同样的 store 又开始恢复：region 能继续，PD 知道它吗？",
    ),
    (
        "forced_with_two_left",
        "五个 voter 剩两个，一个落后，一个在恢复的各阶段之间重启：日志长的当 leader，另一个跟随吗？",
    ),
    (
        "forced_with_a_merge_and_two_left",
        "五个 store 剩两个，目标日志里都有 CommitMerge：最后 apply 的 store 还有源吗？",
    ),
    (
        "change_known_to_the_other_who_is_left",
        "四个 voter 剩两个；日志长的知道三个成员的配置，它们正是多数派，另一个知道更新的：PD 的恢复会结束吗？",
    ),
    (
        "merge_into_what_nobody_can_lead",
        "一个 region 要并入另一个，而那个在剩下的里没人能被强制当 leader：它会被留着等待吗，为什么？",
    ),
    ("target_full_by_share", "唯一的目标按占比算已满，按字节还有空间：peer 会迁过去吗？"),
    (
        "patrol_limited",
        "巡检一次只能有一个 operator，两个 region 要离开一个 store，管理员又加了第三个：每个都轮得到吗？",
    ),
    (
        "operators_wait",
        "两个 region 要离开一个 store，第二个 operator 等第一个，还可能过期：每个都轮得到吗？",
    ),
    (
        "operator_outrun_while_it_waits",
        "region 的 operator 在等别的，它的成员却变了：轮到时 operator 会结束吗？",
    ),
    (
        "two_of_three_replicas_leave",
        "region 的两个 store 同时下线，一个丢了磁盘：两个都能离开，另一个上活着的 voter 会留到接替者能投票吗？",
    ),
    (
        "two_of_five_die_unnoticed",
        "要三个 voter 而有五个，两个宕机而 PD 还没发现：巡检会移除一个活着的，毁掉多数派吗？",
    ),
    (
        "stopped_while_two_stores_leave",
        "region 的两个 store 同时下线，一个停了一阵：另一个上活着的 voter 会留到接替者能投票吗？",
    ),
    (
        "crash_and_election_while_a_store_leaves",
        "第四个副本顶替三个中要走的一个，这时 leader 的进程停了，另一个 peer 当了 leader：store 能离开吗？",
    ),
    (
        "new_store_joins",
        "新 store 登记了：PD 这时才允许另一个离开，并且只在新 store 有心跳之后把 peer 迁过去吗？",
    ),
    (
        "voter_added_at_once",
        "不经 learner 直接加 voter：新 voter 还没有日志，或在有之前就死了，region 能继续吗？",
    ),
    ("order_repeated", "命令丢了或迟到，PD 再发一次：它恰好执行一次吗？"),
    (
        "learner_waits_for_its_snapshot",
        "缺一个 voter，它的 learner 的快照比 operator 的期限还慢：PD 会等，还是 learner 来来去去？",
    ),
    (
        "learner_beside_a_spare_one",
        "管理员移除了迁到一半的 peer，剩下两个 learner，一个在最后的 store 上：会有一个成为 voter 吗？",
    ),
    (
        "merge_racing_a_decommission",
        "PD 正把两个邻居的 peer 迁出下线的 store，它们合并了：store 能离开，PD 知道合并后的 region 吗？",
    ),
    (
        "target_led_by_who_lags",
        "PD 知道一次合并，目标的下一个 leader 还没 apply：它会追上，然后 PD 相信它吗？",
    ),
    (
        "stale_peer_asks_pd",
        "store 失联时移除了它的 learner，learner 去问 PD：PD 的回答会结束它，而且只在更新的变更没有列出它时吗？",
    ),
    (
        "crash_and_election_over_a_whole_move",
        "三个副本中 leader 的进程停了，另一个当了 leader，都可能在变成 Tombstone 之前的任何时刻：store 能离开，而且只在空了之后吗？",
    ),
    (
        "divided_and_led_by_the_leaving_store",
        "peer 迁移时 region 分裂，下线的 store 可能领导任一部分，也可能停下：它能带着子 region 离开吗，PD 会得知吗？",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every scope has its question in Chinese, and scopes of one name have the same question.
    #[test]
    fn every_question_is_asked_in_chinese() {
        let plans = scopes::all();
        for plan in &plans {
            let scope = &plan.scope;
            let chinese = of_question(&scope.name, &scope.question);
            let chinese = chinese.unwrap_or_else(|| panic!("`{}` has no question in Chinese", scope.name));
            assert!(chinese.ends_with('？'), "{}: {chinese}", scope.name);
        }
        for (name, _) in QUESTIONS {
            let of_it = plans.iter().filter(|plan| {
                plan.scope.name == *name || plan.scope.name.strip_suffix("_smoke") == Some(name)
            });
            let asked: std::collections::BTreeSet<&str> =
                of_it.map(|plan| plan.scope.question.as_str()).collect();
            assert_eq!(asked.len(), 1, "`{name}` is no scope, or its sizes ask different things: {asked:?}");
        }
        assert_eq!(of_question("merges_in_a_row_smoke", "another question"), None);
    }
}
