//! What a symptom means, in Chinese, by the symptom's first pattern.

use crate::symptoms::Symptom;

/// What it means.
pub(crate) fn of_symptom(symptom: &Symptom) -> Option<&'static str> {
    MEANINGS.iter().find(|(said, _)| symptom.said.first() == Some(said)).map(|(_, words)| *words)
}

const MEANINGS: &[(&str, &str)] = &[
    ("meta corruption detected", "store 的范围索引与它的 region 不一致，销毁 peer 时 store 会 panic。"),
    (
        "have peer: id",
        "被移除的 peer 仍是成员（TinyKV `MustNonePeer`）：变更被跳过，或在没有客户端等待的地方没有生效。",
    ),
    ("request timeout", "没有回答：许多规则都会这样（row 28）。先看有没有 leader，再看 leader 在等什么。"),
    ("slice bounds out of range", "压缩或重启之后，在第一个 index 之前切了日志。"),
    (
        "unmatched conf version",
        "epoch 的变化多于或少于一次变更：重复的变更提高了它，或宕机后重放了变更。两次心跳之间有两次变更，TinyKV 的 scheduler 也这样报。",
    ),
    ("raft proposal dropped", "leader 拒绝提议：它正在让位，或有未完成的变更。"),
    (
        "cannot build operator for region with no leader",
        "PD 不知道 region 的 leader，建不了 operator（row 41）。多数派丢了，或 leader 上报的 epoch 被 PD 当成过时的。",
    ),
    (
        "invalid conf_ver",
        "PD 知道有更新的、不含它的配置，tikv-ctl 才把 peer 写成墓碑（row 37）。先在 PD 里移除它。",
    ),
    ("the peer is still in target peers", "PD 仍把那个 peer 列为成员，tikv-ctl 拒绝把它写成墓碑。"),
    ("while lock file", "tikv-ctl 要改运行中的 store 的磁盘。先停掉 store。"),
    (
        "缩容不掉",
        "store 下线不完。看每个 peer 有没有 store 可去，每个 region 有没有 PD 相信的 leader，有没有剩下 joint、operator 或多余的 learner。",
    ),
    (
        "failed to add operator, maybe already have one",
        "region 已有 operator。它完成、超时或被手动取消之后，才接受别的。",
    ),
    (
        "epoch not match",
        "请求的 epoch 不是 region 的。如果一直这样，就是 leader 跳过了别人已 apply 的分裂或变更，或合并后的 version 没有高于两者。",
    ),
    (
        "region is stale",
        "PD 把上报当成过时的：发送者落后于 PD 所知，它追上之前 PD 不相信任何 leader（row 35）。",
    ),
    ("can not remove store", "剩下的 store 放不下副本，PD 拒绝 `store delete`（row 39）。"),
    ("larger than max", "raft 消息超过传输上限，又原样重发（row 50）。"),
    ("find no peer for store", "store 已从 region 移除，却 apply 它的分裂（row 25）。"),
    ("lastindex 0 < appliedindex", "新 peer 见到前任销毁之后写下的东西（row 20）。"),
    ("tombstone peer", "移除之前的消息到达墓碑。这是噪声，或说明墓碑带着旧 epoch（rows 17、26）。"),
    (
        "two leaders",
        "两个 peer 服务同一个 region：在同一个 term 是因为一个 peer 投了两次，在两个 term 是因为多数派不相交。",
    ),
    ("no leader", "选不出 leader：最新配置的多数派丢了，或剩下的 peer 不知道那个配置。"),
    ("region already has peer in store", "region 在那个 store 上已有 peer。learner 也算。"),
    ("no operator step is built", "PD 无事可做，或没有能保住多数派的计划。"),
    (
        "lost the store, maybe you are recovering",
        "region 列出一个没有记录的 store，PD 的检查器放弃了（rows 45、51）。",
    ),
    ("joint state", "joint 由 leader、下一个 leader 或巡检来离开。正被降级的 leader 先让位。"),
    ("io hang", "磁盘卡死的 leader 有 apply 不了的变更。它可以让位给已经 apply 的 peer。"),
    ("down-peer", "region 活着的 voter 太少。巡检会加一个，或升级已有的 learner。"),
    ("pending-peer", "一个成员没有追上：它从未建立，快照被拒绝，或缺少的日志已截断。"),
    ("key not in region", "key 在 region 之外：中间发生了分裂，或没有 key 的读按空 key 来判（row 29）。"),
    ("stale read", "读漏掉已确认的写：leader 已被废黜，或还没 apply 那次写。"),
    ("lost write", "已确认的写，不在以后的 leader 上，或不在 apply 了它的 index 的副本上。"),
    ("tombstone again", "没有 region 列出 store 上的 peer，它才变成 Tombstone，记录也才能删除。"),
    ("region too big", "region 变大却不分裂：大小的估计没有跟上写（row 31）。"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::symptoms::SYMPTOMS;

    #[test]
    fn every_symptom_is_explained_in_chinese() {
        for symptom in SYMPTOMS {
            let chinese =
                of_symptom(symptom).unwrap_or_else(|| panic!("{:?} lacks its Chinese", symptom.said));
            assert!(chinese.ends_with('。'), "{chinese}");
        }
        assert_eq!(MEANINGS.len(), SYMPTOMS.len());
    }
}
