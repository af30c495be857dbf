//! Chinese texts for errors in a link or a file.

use super::templates::{self, Template};

/// The error in Chinese. An unknown error is quoted in English.
pub(in crate::explore) fn of_error(english: &str) -> String {
    templates::by(&[ERRORS], english).unwrap_or_else(|| format!("这里打不开：{english}"))
}

/// Why an action cannot be read, in Chinese.
pub(in crate::explore) fn of_unread(english: &str) -> String {
    templates::by(&[ERRORS], english).unwrap_or_else(|| english.to_string())
}

const ERRORS: &[Template] = &[
    (
        "unknown {} `{}`; did you mean `{}`? `{}` lists them all",
        "没有叫 `{2}` 的 {1}；是不是 `{3}`？`{4}` 列出全部",
    ),
    ("unknown {} `{}`; `{}` lists them all", "没有叫 `{2}` 的 {1}；`{3}` 列出全部"),
    (
        "guard `{}` has no form in the model; only the implementation can drop it",
        "模型里没有 guard `{1}`，只有实现能关掉它",
    ),
    ("this server was given no `{}`; drop the file again", "这个服务没有收到过 `{1}`；请再打开一次那个文件"),
    (
        "there is no lesson {}; they are numbered 1 to {}, and `{}` lists them",
        "没有第 {1} 课；课程是第 1 到第 {2} 课，`{3}` 列出它们",
    ),
    (
        "the museum has no exhibit `{}`; did you mean `{}`? m lists them all",
        "博物馆里没有展品 `{1}`；是不是 `{2}`？按 m 列出全部",
    ),
    ("the museum has no exhibit `{}`; m lists them all", "博物馆里没有展品 `{1}`；按 m 列出全部"),
    ("an exhibit is asked for by its name", "展品要按名字来问"),
    ("a symptom is asked for by its words", "症状要按文字来问"),
    ("a lesson is asked for by its number", "课程要按编号来问"),
    ("there is no page {}", "没有 {1} 这一页"),
    ("there is no scope `{}`", "没有 scope `{1}`"),
    ("there is no guard `{}` in the model", "模型里没有 guard `{1}`"),
    ("the link cannot be read: {}", "这个链接读不了：{1}"),
    ("this link cannot be answered: {}", "这个链接无法回答：{1}"),
    (
        "there is no second column `{}`; it is `model`, `impl` or `sound`",
        "没有第二栏 `{1}`；它是 `model`、`impl` 或 `sound`",
    ),
    ("{} actions are too many; a link has at most {}", "{1} 个动作太多，一个链接最多 {2} 个"),
    ("action {}, `{}`, cannot be read: {}", "第 {1} 个动作 `{2}` 读不懂：{3}"),
    (
        "no action has this name; did you mean `{}`? `{}` lists them all",
        "没有叫这个名字的动作；是不是 `{1}`？`{2}` 列出全部",
    ),
    (
        "no action has this name; the nearest is `{}`, and `{}` lists them all",
        "没有叫这个名字的动作；最接近的是 `{1}`，`{2}` 列出全部",
    ),
    ("`{}` has the fields {}: {}", "`{1}` 的字段是 {2}：{3}"),
    ("`{}` has no fields: {}", "`{1}` 没有字段：{2}"),
    ("it is no action: {}", "它不是动作：{1}"),
    ("it is no JSON: {}", "它不是 JSON：{1}"),
    ("`{}` is left over behind its end", "结尾之后还剩下 `{1}`"),
    ("it ends where `{}` is missing", "到结尾还缺 `{1}`"),
    ("`{}` is missing before `{}`", "`{2}` 之前缺 `{1}`"),
    ("it nests too deep", "嵌套太深"),
    ("{} is too large", "{1} 太大"),
    ("it says `{}` twice", "`{1}` 写了两次"),
    ("a quoted word has no end", "引号没有结束"),
    ("it ends where a word is missing", "到结尾还缺一个词"),
    ("a word is missing before `{}`", "`{1}` 之前缺一个词"),
    ("unknown field `{}`, expected {}", "没有字段 `{1}`，应该是 {2}"),
    ("unknown field `{}`", "没有字段 `{1}`"),
    ("missing field `{}`", "缺少字段 `{1}`"),
    ("unknown variant `{}`, expected {}", "没有 `{1}`，应该是 {2}"),
    ("unknown variant `{}`", "没有 `{1}`"),
    ("invalid type: {}, expected {}", "类型不对：是 {1}，应该是 {2}"),
    (
        "{}: it has no steps; a trace without steps shows nothing",
        "{1}：里面没有步骤；没有步骤的 trace 什么也不显示",
    ),
    ("{}: schema is {}, and this reads `{}`; {}", "{1}：文件的版本是 {2}，这里读的是 `{3}`"),
    ("{}: the file is empty; a trace begins with a header", "{1}：文件是空的；trace 以 header 开头"),
    ("{}: not JSON: {}", "{1}：不是 JSON：{2}"),
    ("{}: no valid record: {}", "{1}：不是有效的记录：{2}"),
    (
        "{}: no header: the first record is `{}`; a trace begins with a header",
        "{1}：没有 header：第一条记录是 `{2}`；trace 以 header 开头",
    ),
    ("{}: cut short: {}; record or copy it again", "{1}：文件被截断：{2}；请重新录制或复制"),
    ("this server answers to {}", "这个服务只回答 {1}"),
    ("line {}: {}", "第 {1} 行：{2}"),
    ("the file is larger than {} bytes", "文件超过 {1} 字节"),
    ("the file is no text in UTF-8", "文件不是 UTF-8 文本"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_in_chinese() {
        for (english, chinese) in [
            (
                "unknown scope `nowhere`; `rollcall scopes` lists them all",
                "没有叫 `nowhere` 的 scope；`rollcall scopes` 列出全部",
            ),
            (
                "action 2, `boom`, cannot be read: no action has this name; the nearest is `vote`, and `rollcall actions` lists them all",
                "第 2 个动作 `boom` 读不懂：没有叫这个名字的动作；最接近的是 `vote`，`rollcall actions` 列出全部",
            ),
            ("something new", "这里打不开：something new"),
        ] {
            assert_eq!(of_error(english), chinese);
        }
    }
}
