//! Chinese texts of properties, goals, stuck reasons, questions and incidents. Names are not
//! translated.

mod concrete;
mod errors;
mod incidents;
mod questions;
mod seen;
mod templates;

use rollcall_model::liveness::Goal;
use rollcall_model::properties::{Property, Violation};
use rollcall_traces::{Language, Verdict, VerdictResult, render};
use serde_json::{Value, json};

pub(super) use errors::{of_error, of_unread};
pub(super) use incidents::of_guard;
pub(super) use questions::{of_question, of_scope};
pub(super) use seen::of_symptom;

/// What a property states.
pub(super) fn of_property(property: Property) -> &'static str {
    match property {
        Property::ElectionSafety => "一个 region 的一个 term 里，最多一个 peer 当选",
        Property::LogMatching => "两份日志若在某个 index 上 term 相同，则到那里为止都相同",
        Property::LeaderCompleteness => "leader 拥有在它的 term 或更早已知提交的每条日志",
        Property::StateMachineSafety => "没有两个 peer 在同一 index 提交不同的日志",
        Property::AppliedAgreement => "applied 相同的两个副本，region 和数据也相同",
        Property::EpochMonotone => "region 在一个 store 上的 epoch 不会后退，越过墓碑也不会",
        Property::EpochComparable => "一个 epoch 只对应一份 region；任意两个 epoch 可比；没有变化就不会增长",
        Property::SingleChange => "leader 的日志里最多一条未 apply 的成员变更，相邻配置的多数派相交",
        Property::NoResurrection => "peer 被销毁过的地方，只有列出新 peer 的更新配置才能再创建",
        Property::CleanTombstone => "被移除的 peer 只留下带着移除时 epoch 的墓碑",
        Property::RangeDisjoint => "一个 store 上没有两个已初始化的 peer 共有一个 key",
        Property::RangeCover => "各 region 的最新范围不重叠地覆盖整个 key 空间",
        Property::SplitLineage => "分裂的各部分相邻、覆盖父 region，并继承 epoch、成员和数据",
        Property::MetaConsistent => {
            "store 的范围索引、peer 的 key、暂存的消息和 peer id 都与它的 region 一致"
        }
        Property::ReadSafety => "读返回它的 peer 所有的，而且不早于读开始时客户端已知的",
        Property::NoLostWrite => "客户端已知的写，在 apply 了它的每个副本和以后的每个 leader 上",
        Property::TombstoneStoreEmpty => {
            "PD 让一个 store 变成 Tombstone 或删掉它的记录时，PD 所知的配置里没有成员在那里"
        }
        Property::NoUnsafeRemoval => "leader 不接受移除或降级一个活着的 voter 而失去活着的多数派的变更",
        Property::NoUnsafePlan => "PD 不做会移除活着的 voter 而失去多数派的 operator",
        Property::OneOperator => "运行中的 operator 只会被更高优先级的替换",
        Property::TombstoneAbsorbing => "Tombstone 或已声明机器已毁的 store，在记录删除之前一直如此",
        Property::PdView => "PD 相信的 region epoch 都有人 apply 过，也不比它知道过的旧",
    }
}

/// Every property by its name, with its text in both languages.
pub(super) fn properties() -> Vec<Value> {
    let named = |property: &Property| json!({ "name": property.name(), "en": property.statement(), "zh": of_property(*property) });
    Property::ALL.iter().map(named).collect()
}

/// Every goal by its name, with its text in both languages.
pub(super) fn goals() -> Vec<Value> {
    let named = |goal: &Goal| json!({ "name": goal.name(), "en": goal.statement(), "zh": of_goal(*goal) });
    Goal::ALL.iter().map(named).collect()
}

/// What a goal demands.
pub(super) fn of_goal(goal: Goal) -> &'static str {
    match goal {
        Goal::LeaderElectable => "region 有能接受写入的 leader",
        Goal::KeysCovered => "每个 key 都在某个剩下的 store 的 region 里",
        Goal::RequestsEnd => "leader 接受的日志都被 apply，没有读在等",
        Goal::MembersCaughtUp => "每个成员都存在、已初始化，并追上 leader",
        Goal::RemovedGone => "最新配置没有列出的 peer 都不在了",
        Goal::TransferEnds => "没有进行中的让位",
        Goal::ChangesPossible => "region 不处于 joint，能接受成员变更",
        Goal::Settles => "即使客户端一直写，恢复也会结束",
        Goal::PdViewCurrent => "PD 知道 region 的 leader，以及 leader 所有的 region",
        Goal::OperatorsEnd => "没有运行中的 operator",
        Goal::ReplicasWhole => "region 的 voter 数正如 PD 所要，都在留下的 store 上",
        Goal::StoreLeaves => "下线的 store 变成 Tombstone",
    }
}

/// What is violated, where and how.
pub(super) fn violation(violation: &Violation) -> String {
    let Violation { property, region, what } = violation;
    let place = region.map_or(String::new(), |region| format!("region {region}："));
    let what = concrete::of(what).unwrap_or_else(|| what.clone());
    format!("{}：{}（{place}{what}）", property.name(), of_property(*property))
}

/// A note of a step. Rollcall's own, as in the museum, are told in the reader's language; a
/// person's stay as they are.
pub(super) fn note(language: Language, note: &str) -> String {
    let own = broken(note).or_else(|| of_exhibit(note));
    match (language, own) {
        (Language::English, Some(_)) => without_terms(note),
        (Language::Chinese, Some(chinese)) => without_terms(&chinese),
        (_, None) => note.into(),
    }
}

/// A goal that is missed, without the terms of those who do not lead: healing ends in other terms
/// than those of the state that is shown.
fn without_terms(words: &str) -> String {
    for (marker, start, end) in [(": no leader: ", " of term ", ""), ("没有 leader：", "term ", " 的 ")] {
        let Some(at) = words.find(marker) else { continue };
        let (head, mut rest) = words.split_at(at + marker.len());
        let mut told = head.to_string();
        while let Some((before, behind)) = rest.split_once(start) {
            told.push_str(before);
            let behind = behind.trim_start_matches(|is: char| is.is_ascii_digit());
            rest = behind.strip_prefix(end).unwrap_or(behind);
        }
        return told + rest;
    }
    words.into()
}

/// A violation or a missed goal by its sentence.
fn broken(english: &str) -> Option<String> {
    let (name, what) = english.split_once(": ")?;
    let statement = match Property::from_name(name) {
        Some(property) => of_property(property),
        None => of_goal(Goal::from_name(name)?),
    };
    Some(format!("{name}：{statement}（{}）", concrete::of(what).unwrap_or_else(|| what.into())))
}

/// What an exhibit says of the step that its guard decides.
fn of_exhibit(english: &str) -> Option<String> {
    for (before, between, chinese) in EXHIBITS {
        if let Some((guard, what)) = english.strip_prefix(before).and_then(|rest| rest.split_once(between)) {
            return Some(format!("{}{}", chinese.replace("{}", guard), broken(what)?));
        }
    }
    let only_time = "the guard changes this step; only time is lost";
    (english == only_time).then(|| "guard 改变的是这一步；损失的只是时间".into())
}

/// The beginnings of these notes, around the guard's name.
const EXHIBITS: &[(&str, &str, &str)] = &[
    (
        "the rules with every guard do this here; without ",
        " it is refused, and ",
        "guard 全开时规则在这里这样做；关掉 {} 它就被拒绝，于是 ",
    ),
    (
        "the rules with every guard do this here with another result; without ",
        " ",
        "guard 全开时这一步有别的结果；关掉 {} 之后 ",
    ),
    ("the guard changes this step; without ", " ", "guard 改变的是这一步；关掉 {} 之后 "),
];

/// Why a goal is not owed.
pub(super) fn of_stuck_reason(name: &str) -> Option<&'static str> {
    Some(match name {
        "majority_lost" => "region 最新配置的多数派丢了磁盘",
        "nobody_left" => "多数派已被放弃，会上报的 store 上没有这个 region 的 peer",
        "newer_log_left" => "剩下的一个 voter 在已提交的日志处有更新的日志，因此拒绝别的 peer",
        "target_not_recovered" => "region 等着合并目标，而目标没有恢复",
        "ended_by_hand" => "多数派被手动写成了墓碑",
        "term_unanswered" => "唯一的 voter 是 leader，而一个 learner 知道更新的 term",
        "disk_lost" => "一个成员丢了磁盘，又没有 PD 来替换它",
        "id_taken_again" => "一个成员的 id 与那里已移除的 peer 相同",
        "disk_hangs" => "一个 peer 的磁盘卡死",
        "nobody_to_ask" => "被移除的 peer 不知道可以问谁",
        "given_up" => "一个成员在已放弃而仍在运行的 store 上",
        "no_target" => "没有合法的目标 store",
        "leader_forgotten" => "leader 在 PD 已忘记或放弃的 store 上",
        _ => return None,
    })
}

/// Why a goal is not owed, in the reader's language.
pub(super) fn stuck_reason(language: Language, name: &str, words: String) -> String {
    match (language, of_stuck_reason(name)) {
        (Language::Chinese, Some(chinese)) => {
            let because = concrete::of(&words).unwrap_or(words);
            format!("{name}：{chinese}。{because}")
        }
        _ => words,
    }
}

/// A goal that is missed, in the reader's language.
pub(super) fn missed(language: Language, missed: String) -> String {
    let (name, what) = missed.split_once(": ").unwrap_or((&missed, ""));
    match (language, Goal::from_name(name)) {
        (Language::Chinese, Some(goal)) => {
            let what = concrete::of(what).unwrap_or_else(|| what.to_string());
            without_terms(&format!("{name}：{}（{what}）", of_goal(goal)))
        }
        _ => without_terms(&missed),
    }
}

/// A file's own verdict.
pub(super) fn verdict(language: Language, verdict: &Verdict) -> String {
    let at = match verdict.at {
        None => String::new(),
        Some(0) => "在最初的状态".into(),
        Some(at) => format!("在第 {at} 步"),
    };
    let property = verdict.property.as_deref().unwrap_or("某条性质");
    match (language, verdict.result) {
        (Language::English, _) => render::verdict_words(verdict),
        (Language::Chinese, VerdictResult::Holds) => "成立".into(),
        (Language::Chinese, VerdictResult::Violated) => format!("{at}违反 {property}"),
        (Language::Chinese, VerdictResult::Diverged) => format!("两边{at}不一致"),
    }
}

#[cfg(test)]
mod tests {
    use rollcall_model::liveness::StuckReason;

    use super::*;

    #[test]
    fn a_missed_goal_and_what_is_not_owed_are_told_in_chinese() {
        let words = "leader_electable: region 1: no leader: peer 1 on store 1 is follower of term 6";
        let chinese = "leader_electable：region 有能接受写入的 leader（region 1：没有 leader：store 1 上的 peer 1 是 follower）";
        assert_eq!(missed(Language::Chinese, words.into()), chinese);
        assert_eq!(note(Language::Chinese, words), chinese);
        let english = "leader_electable: region 1: no leader: peer 1 on store 1 is follower";
        assert_eq!(missed(Language::English, words.into()), english);
        assert_eq!(note(Language::English, words), english);
        let told = stuck_reason(
            Language::Chinese,
            "no_target",
            "no legal target for region 1 (store 1 leaves, store 3 is full)".into(),
        );
        assert_eq!(
            told,
            "no_target：没有合法的目标 store。region 1 没有合法的目标 store（store 1 正在下线，store 3 已满）"
        );
    }

    /// Every note in the museum is one of Rollcall's own.
    #[test]
    fn every_note_of_an_exhibit_is_told_in_chinese() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces/museum");
        let mut told = 0;
        for entry in std::fs::read_dir(folder).expect("the museum") {
            let text = std::fs::read_to_string(entry.expect("an entry").path()).expect("a trace");
            for line in text.lines().filter(|line| line.contains("\"note\":")) {
                let step: Value = serde_json::from_str(line).expect("a step");
                let english = step["note"].as_str().expect("a note");
                let chinese = note(Language::Chinese, english);
                let starts = chinese.split_once('：').map_or(chinese.as_str(), |(start, _)| start);
                assert!(chinese != english && !starts.contains(": "), "{english}: {chinese}");
                told += 1;
            }
        }
        assert!(told > 80, "{told}");
        assert_eq!(note(Language::Chinese, "store 1 is to lead"), "store 1 is to lead");
    }

    #[test]
    fn every_stuck_reason_is_told_in_chinese() {
        for name in StuckReason::NAMES {
            assert!(of_stuck_reason(name).is_some(), "`{name}` lacks its Chinese");
        }
    }
}
