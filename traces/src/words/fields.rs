//! The differences of two views, in words: whose field it is, which one, and the value on each
//! side.

use serde::Serialize;
use serde_json::Value;

use super::Language;
use crate::diff::Difference;
use crate::region::Key;

/// A difference in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DifferenceWords {
    /// Its peer, as `store/region`; empty if it belongs to no peer.
    pub peer: String,
    /// Whose field it is, and which one.
    pub words: String,
    /// What was expected there.
    pub here: String,
    /// What is there.
    pub there: String,
}

/// The difference in this language.
pub fn difference_in(language: Language, one: &Difference) -> DifferenceWords {
    let parts: Vec<&str> = one.path.split('/').collect();
    let (place, peer, rest) = match parts.as_slice() {
        ["stores", store, "regions", region, rest @ ..] => {
            (format!("store {store}, region {region}"), format!("{store}/{region}"), rest)
        }
        ["stores", store, rest @ ..] => (format!("store {store}"), String::new(), rest),
        ["held", slot, rest @ ..] => (format!("{} {slot}", field(language, "held")), String::new(), rest),
        ["pd", "regions", region, rest @ ..] => (format!("PD, region {region}"), String::new(), rest),
        ["pd", "operators", region, rest @ ..] => {
            (format!("PD, region {region}, {}", field(language, "operator")), String::new(), rest)
        }
        ["pd", "stores", store, rest @ ..] => (format!("PD, store {store}"), String::new(), rest),
        ["pd", rest @ ..] => ("PD".to_string(), String::new(), rest),
        // Of an expectation.
        ["regions", region, rest @ ..] => (format!("region {region}"), String::new(), rest),
        ["peers", region, store, rest @ ..] => {
            (format!("store {store}, region {region}"), format!("{store}/{region}"), rest)
        }
        rest => (String::new(), String::new(), rest),
    };
    let is_key = |name: &str| ["start", "end", "key", "value"].contains(&name);
    let last = rest.last().copied().unwrap_or_default();
    let keyed = is_key(last) || rest.contains(&"data");
    let in_words = |it: Option<&Value>| match it {
        // Peer id 0 means none.
        Some(Value::Number(number)) if number.as_u64() == Some(0) && ["leader", "vote"].contains(&last) => {
            field(language, "nobody")
        }
        it => value(language, it, keyed),
    };
    let words: Vec<String> = rest.iter().map(|part| name_or_key(language, part, rest)).collect();
    DifferenceWords {
        peer,
        words: [place, words.join(" ")]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(": "),
        here: in_words(one.expected.as_ref()),
        there: in_words(one.actual.as_ref()),
    }
}

fn name_or_key(language: Language, part: &str, path: &[&str]) -> String {
    if path.first() == Some(&"data") && part != "data" { key(part) } else { field(language, part) }
}

/// Keys and values are hexadecimal in JSON; printable ones are shown as text.
fn key(hex: &str) -> String {
    serde_json::from_value::<Key>(Value::from(hex)).map_or_else(|_| hex.to_string(), |key| key.to_string())
}

fn value(language: Language, it: Option<&Value>, keyed: bool) -> String {
    let said = |english: &str, chinese: &str| match language {
        Language::English => english.to_string(),
        Language::Chinese => chinese.to_string(),
    };
    match it {
        None | Some(Value::Null) => said("nothing", "没有"),
        Some(Value::Bool(true)) => said("yes", "是"),
        Some(Value::Bool(false)) => said("no", "否"),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(word)) if keyed => key(word),
        Some(Value::String(word)) => field(language, word),
        Some(Value::Array(items)) if items.is_empty() => said("none", "无"),
        Some(Value::Array(items)) => {
            let items: Vec<String> = items.iter().map(|item| value(language, Some(item), false)).collect();
            format!("[{}]", items.join("; "))
        }
        Some(Value::Object(fields)) if fields.is_empty() => said("none", "无"),
        Some(Value::Object(fields)) => {
            let in_words = |(name, it): (&String, &Value)| {
                let keyed = keyed || ["start", "end", "key", "value", "data"].contains(&name.as_str());
                let name = if keyed && name.len() % 2 == 0 && name.bytes().all(|is| is.is_ascii_hexdigit()) {
                    key(name)
                } else {
                    field(language, name)
                };
                let words = value(language, Some(it), keyed);
                if it.is_object() { format!("{name} ({words})") } else { format!("{name} {words}") }
            };
            fields.iter().map(in_words).collect::<Vec<_>>().join(", ")
        }
    }
}

/// A field's name, or a part of it, in the reader's language.
fn field(language: Language, name: &str) -> String {
    match (language, FIELDS.iter().find(|(known, _)| *known == name)) {
        (Language::Chinese, Some((_, chinese))) => (*chinese).to_string(),
        // What has no translation is a term of the field.
        (Language::English, Some((term, chinese))) if term == chinese => name.to_string(),
        _ => name.replace('_', " "),
    }
}

/// The dictionary's names in Chinese. Terms of TiKV, PD and raft-rs are not translated.
const FIELDS: &[(&str, &str)] = &[
    ("aborted", "已取消"),
    ("above", "高于"),
    ("acks", "确认"),
    ("add_learner", "加 learner"),
    ("add_peer", "加 peer"),
    ("add_voter", "加 voter"),
    ("append", "append"),
    ("append_response", "append 的回复"),
    ("applied", "applied"),
    ("applied_at", "apply 到"),
    ("ask_split_response", "分裂用的 id"),
    ("asks", "问"),
    ("began", "开始于"),
    ("by_force", "强制"),
    ("campaign", "竞选"),
    ("candidate", "candidate"),
    ("change_peer", "变更成员"),
    ("changes", "变更"),
    ("children", "子 region"),
    ("command", "命令"),
    ("commit", "commit"),
    ("commit_merge", "CommitMerge"),
    ("committed", "已提交"),
    ("compact_log", "压缩日志"),
    ("conf_ver", "conf_ver"),
    ("created_by", "创建者"),
    ("data", "数据"),
    ("demote", "降级"),
    ("demotes", "降级"),
    ("derive", "保留 id 的一边"),
    ("disk_lost", "磁盘丢失"),
    ("done", "已完成"),
    ("down", "宕机"),
    ("durable", "已落盘的部分"),
    ("end", "终点"),
    ("enter_joint", "进入 joint"),
    ("entries", "日志"),
    ("epoch", "epoch"),
    ("exits", "退出"),
    ("failed_stores", "放弃的 store"),
    ("follower", "follower"),
    ("force_leaders", "强制的 leader"),
    ("from", "来自"),
    ("full", "已满"),
    ("granted", "得到的票"),
    ("heartbeat", "心跳"),
    ("held", "路上的消息"),
    ("id", "id"),
    ("index", "index"),
    ("key", "key"),
    ("kind", "种类"),
    ("last", "最后"),
    ("leader", "leader"),
    ("leading", "领导"),
    ("leave_joint", "离开 joint"),
    ("liveness", "心跳情况"),
    ("log", "日志"),
    ("log_since", "日志始于"),
    ("matched", "matched"),
    ("member", "成员"),
    ("members", "成员"),
    ("merge", "合并"),
    ("merged_into", "并入"),
    ("merging", "合并中"),
    ("message", "消息"),
    ("min_index", "最小 index"),
    ("next_id", "下一个 id"),
    ("nobody", "无人"),
    ("normal", "正常"),
    ("operator", "operator"),
    ("operators", "operator"),
    ("order", "顺序"),
    ("peer", "peer"),
    ("peer_id", "peer id"),
    ("peers", "成员"),
    ("pending", "未完成"),
    ("pending_conf_index", "未完成变更的 index"),
    ("pending_messages", "暂存的消息"),
    ("pending_ranges", "等待快照的范围"),
    ("physically_destroyed", "机器已毁"),
    ("plan", "计划"),
    ("plans", "计划"),
    ("position", "位置"),
    ("prepare_merge", "PrepareMerge"),
    ("previous", "前一条"),
    ("promote", "升级"),
    ("promote_learner", "升为 voter"),
    ("purpose", "目的"),
    ("put", "写"),
    ("range", "范围"),
    ("ranges", "范围索引"),
    ("read", "读"),
    ("ready", "就绪"),
    ("recovery", "恢复"),
    ("recovery_step", "恢复的步骤"),
    ("region", "region"),
    ("region_report", "region 上报"),
    ("regions", "region"),
    ("rejected", "拒绝的票"),
    ("relearns", "重新得知"),
    ("remove", "移除"),
    ("remove_peer", "移除 peer"),
    ("replaces_tombstone", "替换墓碑"),
    ("reports", "上报"),
    ("role", "角色"),
    ("rollback_merge", "RollbackMerge"),
    ("sent_snapshot", "发出的快照"),
    ("snapshot", "快照"),
    ("source", "源"),
    ("sources", "源"),
    ("split", "分裂"),
    ("stage", "阶段"),
    ("stale_check", "是否过时的询问"),
    ("start", "起点"),
    ("state", "状态"),
    ("status", "状态"),
    ("step", "步骤"),
    ("steps", "步骤"),
    ("store", "store"),
    ("stores", "store"),
    ("synced_commit", "已落盘的 commit"),
    ("target", "目标"),
    ("term", "term"),
    ("timeout_now", "TimeoutNow"),
    ("to", "给"),
    ("tombstone", "墓碑"),
    ("tombstones", "墓碑"),
    ("transfer", "让位"),
    ("transfer_leader", "让位"),
    ("truncated", "已截断"),
    ("uninitialised", "未初始化"),
    ("up", "运行"),
    ("value", "值"),
    ("version", "version"),
    ("vote", "投票"),
    ("vote_request", "投票请求"),
    ("vote_response", "选票"),
    ("waiting", "等待中"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::file::Trace;

    fn names(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, inner) in fields {
                    if !name.bytes().all(|is| is.is_ascii_hexdigit()) {
                        found.insert(name.clone());
                    }
                    names(inner, found);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| names(item, found)),
            _ => {}
        }
    }

    /// Every field in the museum's traces has a name in Chinese.
    #[test]
    fn every_field_is_named_in_chinese() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("museum");
        let mut found = BTreeSet::new();
        for entry in std::fs::read_dir(folder).expect("the museum") {
            let trace = Trace::read(&entry.expect("an entry").path()).expect("a trace");
            for view in trace.steps.iter().filter_map(|step| step.view.as_ref()) {
                names(&serde_json::to_value(view).expect("JSON"), &mut found);
            }
        }
        found.remove("pd");
        let lacking: Vec<&String> =
            found.iter().filter(|name| !FIELDS.iter().any(|(known, _)| known == name)).collect();
        assert!(found.len() > 60 && lacking.is_empty(), "{lacking:?} of {} lack their Chinese", found.len());
    }

    #[test]
    fn a_difference_is_told_in_words() {
        let one = |path: &str, expected: Value, actual: Option<Value>| Difference {
            path: path.into(),
            expected: Some(expected),
            actual,
        };
        let commit = one("stores/1/regions/2/commit", json!(7), Some(json!(6)));
        let field = difference_in(Language::English, &commit);
        assert_eq!((field.peer.as_str(), field.words.as_str()), ("1/2", "store 1, region 2: commit"));
        assert_eq!((field.here.as_str(), field.there.as_str()), ("7", "6"));
        let data = one("stores/1/regions/1/data", json!({"6b": "61", "00": "61"}), None);
        let field = difference_in(Language::Chinese, &data);
        assert_eq!(field.words, "store 1, region 1: 数据");
        assert_eq!((field.here.as_str(), field.there.as_str()), ("0x00 a, k a", "没有"));
        let entry =
            one("stores/1/regions/1/log/7", json!({"term": 6, "command": {"put": {"key": "6b"}}}), None);
        let field = difference_in(Language::English, &entry);
        assert_eq!(field.words, "store 1, region 1: log 7");
        assert_eq!(field.here, "command (put (key k)), term 6");
        let vote = one("stores/1/regions/1/vote", json!(2), Some(json!(0)));
        assert_eq!(difference_in(Language::English, &vote).there, "nobody");
        let end = one("pd/regions/1/end", json!("6d"), Some(json!("")));
        assert_eq!(difference_in(Language::English, &end).there, "\"\"");
        assert_eq!(difference_in(Language::English, &end).words, "PD, region 1: end");
    }
}
