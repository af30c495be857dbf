//! Chinese texts for the details of a state: stores, indexes and epochs of a violation, of a missed
//! goal, and of a stuck reason.

use super::templates::{self, Template};

/// The Chinese for an English text; `None` if no table has it.
pub(super) fn of(english: &str) -> Option<String> {
    templates::by(&[VIOLATIONS, MISSED, STUCK, PARTS], english)
}

/// The texts of the properties.
const VIOLATIONS: &[Template] = &[
    ("region {}: {}", "region {1}：{2}"),
    (
        "peer {} on store {} became leader in term {}, which peer {} on store {} had led",
        "store {2} 上的 peer {1} 在 term {3} 当选，而 store {5} 上的 peer {4} 已在这个 term 当过 leader",
    ),
    (
        "store {} commits the entry of term {} at index {}; another store committed the one of term {}",
        "store {1} 在 index {3} 提交了 term {2} 的日志，而另一个 store 提交的是 term {4} 的",
    ),
    ("the epoch on store {} decreased from {} to {}", "store {1} 上的 epoch 从 {2} 退回 {3}"),
    (
        "store {} reached epoch {}, which is not comparable with {}",
        "store {1} 到了 epoch {2}，它与 {3} 不可比",
    ),
    (
        "store {} has other members or another range under epoch {} than was seen before",
        "store {1} 在 epoch {2} 之下的成员或范围，与此前见过的不同",
    ),
    (
        "store {} went from epoch {} to {}, and neither members nor range changed",
        "store {1} 从 epoch {2} 到了 {3}，而成员和范围都没有变",
    ),
    (
        "store {} went from epoch {} to {}, and their quorums need not intersect",
        "store {1} 从 epoch {2} 到了 {3}，两者的多数派可以不相交",
    ),
    (
        "peer {} was created on store {} by a configuration of epoch {}, where peer {} was destroyed at epoch {}",
        "store {2} 按 epoch {3} 的配置创建了 peer {1}，而那里的 peer {4} 已在 epoch {5} 销毁",
    ),
    (
        "the tombstone of peer {} on store {} has epoch {}, the peer had {}",
        "store {2} 上 peer {1} 的墓碑是 epoch {3}，而那个 peer 已到 {4}",
    ),
    ("peer {} disappeared from store {} and left no tombstone", "peer {1} 从 store {2} 消失，没有留下墓碑"),
    (
        "peer {} on store {} was replaced by peer {} and left no tombstone",
        "store {2} 上的 peer {1} 被 peer {3} 顶替，没有留下墓碑",
    ),
    (
        "it was created by the split of region {} on store {} with {}",
        "它由 region {1} 在 store {2} 上分裂而来，却是{3}",
    ),
    (
        "store {} answered a read of {} as of index {}; when the read began, the write at index {} was known",
        "store {1} 按 index {3} 回答了对 {2} 的读，而读开始时 index {4} 的写已为人所知",
    ),
    (
        "store {} answered a read of {} at version {}; when the read began, a write in region {}, to which a split had given the key, was known",
        "store {1} 按 version {3} 回答了对 {2} 的读，而读开始时 region {4} 里的一次写已为人所知，分裂已把这个 key 给了它",
    ),
    (
        "store {} answered a read of {} with a value or a region that differs from what it holds",
        "store {1} 回答对 {2} 的读时，给出的值或 region 与它所有的不同",
    ),
    ("PD's epoch of it decreased from {} to {}", "PD 里它的 epoch 从 {1} 退回 {2}"),
    ("the term of its leader in PD decreased from {} to {}", "PD 里它的 leader 的 term 从 {1} 退回 {2}"),
    ("store {} was Tombstone, and no longer is", "store {1} 曾是 Tombstone，现在不是了"),
    ("store {} was physically destroyed, and no longer is", "store {1} 的机器已毁，现在却又不是了"),
    (
        "the record of store {} was removed, and the placement driver knew of a member there",
        "store {1} 的记录被删除，而 PD 知道那里有成员",
    ),
    (
        "the placement driver plans to remove the live voter {} from store {}, which leaves no live majority",
        "PD 打算从 store {2} 移除活着的 voter {1}，活着的就不成多数派了",
    ),
    (
        "its leader removes the live voter {} from store {}, which leaves no live majority",
        "它的 leader 从 store {2} 移除活着的 voter {1}，活着的就不成多数派了",
    ),
    (
        "its unfinished operator was replaced, but not by one of a higher priority",
        "它未完成的 operator 被替换，而替换它的优先级并不更高",
    ),
    ("it has an operator, but PD does not know the region", "它有 operator，而 PD 不知道这个 region"),
    (
        "a waiting operator started, although the region has changed since it was created",
        "等待的 operator 开始了，而 region 在它建立之后已经变过",
    ),
    (
        "store {} has applied index {} and shows {} for {}, where index {} left {}",
        "store {1} 已 apply 到 index {2}，{4} 显示 {3}，而 index {5} 留下的是 {6}",
    ),
    (
        "the leader of term {} on store {} does not have the write of {} at index {}, which was acknowledged in term {}",
        "store {2} 上 term {1} 的 leader 没有 index {4} 处对 {3} 的写，它在 term {5} 已被确认",
    ),
    (
        "peer {} on store {} and peer {} on store {} both lead term {}",
        "store {2} 上的 peer {1} 和 store {4} 上的 peer {3} 都是 term {5} 的 leader",
    ),
    (
        "the leader of term {} on store {} has {} at index {}, where store {} knows the entry of term {} to be committed",
        "store {2} 上 term {1} 的 leader 在 index {4} 处{3}，而 store {5} 知道那里已提交 term {6} 的日志",
    ),
    (
        "the leader of term {} on store {} has {} at index {}, where some peer knew the entry of term {} to be committed",
        "store {2} 上 term {1} 的 leader 在 index {4} 处{3}，而那里已提交 term {5} 的日志，有人知道过",
    ),
    (
        "the leader of term {} on store {} has {} at index {}, where {} the entry of term {} to be committed",
        "store {2} 上 term {1} 的 leader 在 index {4} 处{3}，而那里已提交 term {6} 的日志（{5}）",
    ),
    (
        "stores {} and {} have epochs {} and {}, neither ahead",
        "store {1} 和 {2} 的 epoch 是 {3} 和 {4}，互不领先",
    ),
    (
        "stores {} and {} have different regions under epoch {}: {} and {}",
        "store {1} 和 {2} 在同一个 epoch {3} 之下有不同的 region：{4} 和 {5}",
    ),
    (
        "stores {} and {} have {} and {}, which share a key",
        "store {1} 和 {2} 有 {3} 和 {4}，两者共有一个 key",
    ),
    (
        "the leader on store {} has applied index {} and has conf changes at {}",
        "store {1} 上的 leader 已 apply 到 index {2}，而日志在 {3} 处都有成员变更",
    ),
    (
        "the logs of stores {} and {} agree on a later entry and differ at index {}: {} and {}",
        "store {1} 和 {2} 的日志在更后处相同，却在 index {3} 处不同：{4} 和 {5}",
    ),
    (
        "stores {} and {} applied different entries at index {}: {} and {}",
        "store {1} 和 {2} 在 index {3} 处 apply 了不同的日志：{4} 和 {5}",
    ),
    (
        "stores {} and {} both applied index {} and have different {}",
        "store {1} 和 {2} 都 apply 到 index {3}，却有不同的{4}",
    ),
    (
        "store {} is Tombstone and has no member up to conf_ver {}, by what PD knew; PD now has {}",
        "store {1} 是 Tombstone，按 PD 所知到 conf_ver {2} 为止没有成员；PD 现在却有 {3}",
    ),
    (
        "store {} is Tombstone and has no member up to conf_ver {}, by what PD knew; applied is {}",
        "store {1} 是 Tombstone，按 PD 所知到 conf_ver {2} 为止没有成员；已 apply 的却是 {3}",
    ),
    (
        "store {} is Tombstone and has no member up to conf_ver {}, by what PD knew; {} {}",
        "store {1} 是 Tombstone，按 PD 所知到 conf_ver {2} 为止没有成员；{3} {4}",
    ),
    ("PD has epoch {}, which no peer has applied", "PD 有 epoch {1}，而没有 peer apply 到那里"),
    ("PD has epoch {}, store {} has {}, neither ahead", "PD 有 epoch {1}，store {2} 有 {3}，互不领先"),
    ("on store {} {} and {} share a key", "在 store {1} 上 {2} 和 {3} 共有一个 key"),
    ("it is now {} and shares a key with {}", "它现在是 {1}，与 {2} 共有一个 key"),
    ("no region has the keys from the first on", "从头开始的 key 没有 region"),
    ("no region has the keys from the {} on", "从 {1} 开始的 key 没有 region"),
    ("store {} holds {}, and has {}", "store {1} 存着 {2}，而它有的是 {3}"),
    (
        "the index of store {} has [{}, {}) for it, the store has {}",
        "store {1} 的范围索引给它 [{2}, {3})，而 store 有的是 {4}",
    ),
    ("the index of store {} is not in key order at it", "store {1} 的范围索引在它这里不按 key 的顺序"),
    ("the index of store {} does not have its range", "store {1} 的范围索引里没有它的范围"),
    ("store {} keeps no [{}, {}) free for its snapshot", "store {1} 没有为它的快照留出 [{2}, {3})"),
    (
        "store {} keeps [{}, {}) free for a snapshot that it does not have",
        "store {1} 为一个它没有的快照留着 [{2}, {3})",
    ),
    (r#""{}" is pending on store {}, {}"#, "“{1}”暂存在 store {2}，{3}"),
    (
        "store {} has {}, with a peer id or a store twice",
        "store {1} 有 {2}，其中一个 peer id 或 store 出现两次",
    ),
    ("peer id {} is a peer's of region {} too", "peer id {1} 也是 region {2} 的一个 peer 的"),
    ("the tombstone of peer {} on store {} {}", "store {2} 上 peer {1} 的墓碑{3}"),
    ("the uninitialised peer {} on store {} {}", "store {2} 上未初始化的 peer {1} {3}"),
    ("the peer {} on store {} {}", "store {2} 上的 peer {1} {3}"),
];

/// The texts of missed goals.
const MISSED: &[Template] = &[
    ("no store has the keys [{}, {})", "没有 store 有 [{1}, {2}) 的 key"),
    ("peer {} on store {} was merged and still exists", "store {2} 上的 peer {1} 已被合并，却还在"),
    ("it could be led by force; {}", "可以强制选出 leader；{1}"),
    ("no leader: {}", "没有 leader：{1}"),
    ("no leader: ", "没有 leader"),
    ("peer {} on store {} is {} of term {}", "store {2} 上的 peer {1} 是 term {4} 的 {3}"),
    ("the leader on store {} has applied {} of {}", "store {1} 上的 leader 只 apply 到 {2}，日志到 {3}"),
    (
        "the leader on store {} serves, and a read waits on store {}",
        "store {1} 上的 leader 在服务，而 store {2} 上有一个读在等",
    ),
    ("the leader on store {} does not serve: {}", "store {1} 上的 leader 不能服务：{2}"),
    ("member {} is not there", "成员 {1} 不在"),
    ("member {} is {} and has applied {} of {}", "成员 {1} {2}，只 apply 到 {3}，而 leader 到 {4}"),
    ("peer {} on store {} was removed and still exists", "store {2} 上的 peer {1} 已被移除，却还在"),
    ("the transfer to peer {} never ends", "给 peer {1} 的让位一直不结束"),
    ("a conf change meets: {}", "成员变更遇到：{1}"),
    ("its operator never ends: {}", "它的 operator 一直不结束：{1}"),
    ("PD does not know it", "PD 不知道它"),
    ("PD believes {}, led by peer {}", "PD 相信 {1}，leader 是 peer {2}"),
    ("PD finds nothing to do, and {}", "PD 认为无事可做，而{1}"),
    ("PD finds no target, and store {} could take a peer", "PD 找不到目标，而 store {1} 可以接受 peer"),
    ("the patrol comes to no end: {}", "巡检没有尽头：{1}"),
    ("store {}: it is empty, and never Tombstone", "store {1}：它已空，却一直不变成 Tombstone"),
    ("store {}: it may leave although only {} stores remain", "store {1}：只剩 {2} 个 store，它却可以离开"),
    ("store {}: {} could be moved, and is not", "store {1}：{2} 可以迁走，却没有"),
    ("store {}: {} stays, and PD does not say why", "store {1}：{2} 留着，而 PD 没有说为什么"),
    ("it has {} voters", "它有 {1} 个 voter"),
    ("{} is asked for by nobody", "没有人要 {1}"),
    ("{} is dead", "{1} 已死"),
    ("{} is on a store that leaves", "{1} 在下线的 store 上"),
    ("healing does not end within {} steps", "{1} 步之内恢复没有结束"),
    ("healing does not end within {} actions", "{1} 步之内恢复没有结束"),
    ("{}, step {} of {}: {}", "{1}，第 {2} 步，共 {3} 步：{4}"),
    ("transfer leader to store {}", "把 leader 让给 store {1}"),
    ("add learner {}", "加 learner {1}"),
    ("promote learner {}", "learner {1} 升为 voter"),
    ("add peer {}", "加 peer {1}"),
    ("remove peer {}", "移除 peer {1}"),
    ("enter joint (promote {}, demote {})", "进入 joint（升 {1}，降 {2}）"),
    ("leave joint", "离开 joint"),
    ("split at {}", "在 {1} 分裂"),
    ("refused: {}", "被拒绝：{1}"),
    ("done: ordered {}", "完成：下令 {1}"),
    ("done", "完成"),
];

/// The texts of stuck reasons, with the evidence in brackets.
const STUCK: &[Template] = &[
    ("majority lost in region {} ({})", "region {1} 丢了多数派（{2}）"),
    ("no store that reports has a peer of region {} ({})", "会上报的 store 上没有 region {1} 的 peer（{2}）"),
    (
        "the voter of region {} on store {} has a newer entry in place of a committed one ({})",
        "region {1} 在 store {2} 上的 voter 在已提交的日志处有更新的日志（{3}）",
    ),
    (
        "region {} waits for its merge target, region {}, which is not recovered ({})",
        "region {1} 等着合并目标 region {2}，而它没有恢复（{3}）",
    ),
    ("a majority of region {} was tombstoned by hand ({})", "region {1} 的多数派被手动写成了墓碑（{2}）"),
    (
        "the only voter of region {} leads, and a learner knows a newer term ({})",
        "region {1} 唯一的 voter 是 leader，而一个 learner 知道更新的 term（{2}）",
    ),
    (
        "the member of region {} on store {} lost its disk, and there is no PD to replace it ({})",
        "region {1} 在 store {2} 上的成员丢了磁盘，又没有 PD 来替换它（{3}）",
    ),
    (
        "the member of region {} on store {} has the id of a peer that was removed there ({})",
        "region {1} 在 store {2} 上的成员，id 与那里已移除的 peer 相同（{3}）",
    ),
    (
        "the disk of store {} is stalled, with a peer of region {} ({})",
        "store {1} 的磁盘卡死，上面有 region {2} 的 peer（{3}）",
    ),
    (
        "the removed peer of region {} on store {} knows no member to ask ({})",
        "region {1} 在 store {2} 上已移除的 peer 不知道可以问谁（{3}）",
    ),
    (
        "a member of region {} is on store {}, which was given up and still runs ({})",
        "region {1} 的一个成员在 store {2} 上，它已被放弃而仍在运行（{3}）",
    ),
    ("no legal target for region {} ({})", "region {1} 没有合法的目标 store（{2}）"),
    (
        "the leader of region {} is on store {}, whose record PD removed or which was given up ({})",
        "region {1} 的 leader 在 store {2} 上，PD 已删掉它的记录，或它已被放弃（{3}）",
    ),
    ("store {} lost its disk", "store {1} 丢了磁盘"),
    ("store {} is down", "store {1} 宕机"),
    ("store {} has no record in PD", "PD 没有 store {1} 的记录"),
    ("store {} was given up", "store {1} 已被放弃"),
    ("store {} leaves", "store {1} 正在下线"),
    ("store {} has left", "store {1} 已下线"),
    ("store {} has a tombstone of the member", "store {1} 有那个成员的墓碑"),
    ("store {} has a stalled disk", "store {1} 的磁盘卡死"),
    ("store {} has a peer", "store {1} 有一个 peer"),
    ("store {} is full", "store {1} 已满"),
    ("store {} is there", "store {1} 可用"),
];

/// Parts that occur within other texts.
const PARTS: &[Template] = &[
    ("an id that the split does not name", "分裂里没有的 id"),
    ("epoch {} instead of {}", "epoch {1}，本应是 {2}"),
    (
        "members {}, whose stores and roles differ from those of {}",
        "成员 {1}，本应与 {2} 的 store 和角色相同",
    ),
    ("peer ids {} instead of {}", "peer id {1}，本应是 {2}"),
    ("peer {}, although its member there is {}", "peer {1}，而它在那里的成员是 {2}"),
    ("the range [{}, {}) instead of [{}, {})", "范围 [{1}, {2})，本应是 [{3}, {4})"),
    ("the range [{}, {}), which is empty", "范围 [{1}, {2})，其中没有 key"),
    ("{} for key {} instead of {}", "key {2} 的值是 {1}，本应是 {3}"),
    ("nothing", "没有"),
    ("no initialised peer", "没有已初始化的 peer"),
    ("the one of term {}", "是 term {1} 的日志"),
    ("a truncated entry of term {}", "term {1} 的一条已截断的日志"),
    ("store {} knows", "store {1} 知道"),
    ("some peer knew", "有人知道过"),
    ("regions: {} and {}", " region：{1} 和 {2}"),
    ("merges: {} and {}", "合并：{1} 和 {2}"),
    ("data: {} and {}", "数据：{1} 和 {2}"),
    ("PD now has", "PD 现在有"),
    ("applied is", "已 apply 的是"),
    ("which is {}", "而它{1}"),
    ("which has peer {} of it", "而那里已有它的 peer {1}"),
    ("where one for the same peer is pending already", "而那里已暂存着给同一个 peer 的一条"),
    ("still takes part", "还在参与"),
    ("has a term or a vote", "还有 term 或投票"),
    (
        "has an empty region, by which any removed peer could come back",
        "里的 region 是空的，任何已移除的 peer 都能回来",
    ),
    ("has a region", "有 region"),
    ("has a log", "还有日志"),
    ("has a commit or applied index", "还有 commit 或 applied"),
    ("has data", "还有数据"),
    ("lives, and its own region does not list it", "还活着，而它自己的 region 没有列出它"),
    ("uninitialised", "未初始化"),
    ("normal", "正常"),
    ("merging", "合并中"),
    ("tombstone", "是墓碑"),
    ("down", "宕机"),
    ("without its disk", "丢了磁盘"),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rollcall_model::properties::Property;
    use rollcall_traces::{Outcome, Trace, View};

    use super::*;
    use crate::judge::Judge;

    /// The sentences of a source file, without tests and comments; a number fills each gap.
    fn sentences(file: &str) -> Vec<String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
        let source = std::fs::read_to_string(&path).expect(file);
        let source = source.split("#[cfg(test)]").next().unwrap_or_default();
        let code: String = source
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .map(|line| format!("{line}\n"))
            .collect();
        // An escaped quote does not end a string. A continued string continues after its blanks.
        let code = code.replace("\\\"", "\u{1}");
        let texts = code.split('"').skip(1).step_by(2);
        let whole = |text: &str| {
            let mut lines = text.split("\\\n");
            let first = lines.next().unwrap_or_default().to_string();
            lines.fold(first, |text, line| text + line.trim_start()).replace('\u{1}', "\"")
        };
        texts.map(|text| filled(&whole(text))).filter(|text| text.contains(' ')).collect()
    }

    fn filled(text: &str) -> String {
        let (mut filled, mut letters) = (String::new(), text.chars().peekable());
        while let Some(letter) = letters.next() {
            match (letter, letters.peek()) {
                ('{', Some('{')) | ('}', Some('}')) => {
                    letters.next();
                    filled.push(letter);
                }
                ('{', _) => {
                    letters.by_ref().find(|letter| *letter == '}');
                    filled.push('7');
                }
                _ => filled.push(letter),
            }
        }
        filled
    }

    /// Parts from which the sources build sentences. The table has only whole sentences.
    const PIECES: &[&str] = &[
        " ",
        ", ",
        "the tombstone of",
        "the uninitialised",
        "7 peer 7 on store 7 7",
        "the leader on store 7 7",
        "has applied 7 of 7",
        "serves, and a read waits on store 7",
        "member 7 7",
        "is not there",
        "is 7 and has applied 7 of 7",
        "store 7: 7",
        "store 7 7",
    ];

    fn is_chinese(text: &str) -> bool {
        text.chars().any(|letter| ('\u{4e00}'..='\u{9fff}').contains(&letter))
    }

    /// Every text of the properties, goals and stuck reasons has its Chinese.
    #[test]
    fn every_sentence_has_its_chinese() {
        let properties =
            ["clients", "elections", "epochs", "logs", "pd", "ranges", "removals", "stores", "tombstones"];
        let files = properties.iter().map(|name| format!("model/src/properties/{name}.rs"));
        let others = ["model/src/liveness/missed.rs", "model/src/liveness/pd.rs"];
        let breaches = "traces/src/history/breach.rs";
        let mut seen = 0;
        for file in files.chain(others.map(String::from)).chain([breaches.to_string()]) {
            for sentence in sentences(&file).iter().filter(|sentence| !PIECES.contains(&sentence.as_str())) {
                let told = [sentence.clone(), format!("store 7: {sentence}")];
                assert!(
                    told.iter().any(|told| of(told).as_deref().is_some_and(is_chinese)),
                    "{file}: `{sentence}` lacks its Chinese"
                );
                seen += 1;
            }
        }
        for sentence in sentences("model/src/liveness/excuse.rs") {
            let told = match sentence.contains("region") {
                true => format!("{sentence} (store 7 is down)"),
                false => format!("store 7 {sentence}"),
            };
            let is_told = of(&told).as_deref().is_some_and(is_chinese);
            assert!(PIECES.contains(&sentence.as_str()) || is_told, "`{sentence}` lacks its Chinese");
            seen += 1;
        }
        assert!(seen > 90, "{seen}");
    }

    /// Every violation in the museum's traces is completely Chinese.
    #[test]
    fn every_violation_of_the_museum_is_told_in_chinese() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum");
        let mut told = 0;
        for entry in std::fs::read_dir(folder).expect("the museum") {
            let trace = Trace::read(&entry.expect("an entry").path()).expect("a trace");
            let nothing = View::default();
            let mut judge = Judge::new(Property::ALL);
            let mut violations = judge.violations(trace.header.view.as_ref().unwrap_or(&nothing), None);
            for step in &trace.steps {
                let outcome = step.outcome.clone().unwrap_or(Outcome::DONE);
                let view = step.view.as_ref().unwrap_or(&nothing);
                violations.extend(judge.violations(view, Some((&step.action, &outcome))));
            }
            for violation in violations {
                let chinese = of(&violation.what).unwrap_or_else(|| panic!("{violation} lacks its Chinese"));
                for word in [" and ", " the ", " has ", " was ", " is "] {
                    assert!(!chinese.contains(word), "{chinese}");
                }
                told += 1;
            }
        }
        assert!(told > 60, "{told}");
    }

    #[test]
    fn what_is_wrong_is_told_in_chinese() {
        for (english, chinese) in [
            (
                "peer 1 on store 1 and peer 2 on store 2 both lead term 7",
                "store 1 上的 peer 1 和 store 2 上的 peer 2 都是 term 7 的 leader",
            ),
            (
                "region 1: no leader: peer 1 on store 1 is candidate of term 7",
                "region 1：没有 leader：store 1 上的 peer 1 是 term 7 的 candidate",
            ),
            (
                "majority lost in region 1 (store 1 lost its disk, store 2 has a peer)",
                "region 1 丢了多数派（store 1 丢了磁盘，store 2 有一个 peer）",
            ),
            (
                "region 1: the leader on store 2 does not serve: refused: not_leader",
                "region 1：store 2 上的 leader 不能服务：被拒绝：not_leader",
            ),
        ] {
            assert_eq!(of(english).as_deref(), Some(chinese));
        }
    }
}
