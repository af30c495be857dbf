//! Chinese texts for errors in a link or a file.

use super::templates::{self, Template};

/// The error in Chinese. An unknown error is quoted in English.
pub(in crate::explore) fn of_error(english: &str) -> String {
    templates::by(&[ERRORS, FILES, JSON], english).unwrap_or_else(|| format!("这里打不开：{english}"))
}

/// Why an action cannot be read, in Chinese.
pub(in crate::explore) fn of_unread(english: &str) -> String {
    templates::by(&[ERRORS, JSON], english).unwrap_or_else(|| english.to_string())
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

/// What is wrong with a trace or a scenario.
const FILES: &[Template] = &[
    (
        "{}: the {} is longer than {} bytes, the most that is read; is it a trace?",
        "{1}：{2}超过 {3} 字节，读不了这么长；它是 trace 吗？",
    ),
    ("{}: there is no field `{}` here; {}", "{1}：这里没有字段 `{2}`；{3}"),
    ("there is no {} `{}` here; {}", "这里没有 {1} `{2}`；{3}"),
    ("there is no record `{}`, only {}", "没有记录 `{1}`，只有 {2}"),
    ("`header`, `step` and `verdict`", "`header`、`step` 和 `verdict`"),
    ("did you mean `{}`?", "是不是 `{1}`？"),
    ("it has no fields", "它没有字段"),
    ("there are {}", "有 {1}"),
    ("not given", "没有写"),
    (
        "{}: a second header; two traces were put into one file: split them",
        "{1}：第二个 header；一个文件里有两份 trace，请分开",
    ),
    (
        "{}: a `{}` after the verdict; the verdict must be the last record",
        "{1}：verdict 之后还有 `{2}`；verdict 必须是最后一条记录",
    ),
    (
        "{}: step {} where step {} belongs; a step is missing or out of place",
        "{1}：这里应该是第 {3} 步，却是第 {2} 步；少了一步，或放错了地方",
    ),
    ("{}: store {} is not among the scope's stores {}", "{1}：store {2} 不在 scope 的 store {3} 之中"),
    ("{}: the number {} is not below {}", "{1}：数字 {2} 不小于 {3}"),
    (
        "{}: only a replay on the model can fill in a settle: replay the scenario with `--out`",
        "{1}：settle 要由模型来展开：用 `--out` 重放这个 scenario",
    ),
    (
        "{}: `{}` cannot be taken: {}; correct it, or give the step that outcome if it is meant",
        "{1}：`{2}` 不能执行：{3}；请改正，或者把这个结果写进那一步",
    ),
    ("{}: step {}", "{1}：第 {2} 步"),
    (
        "{}: scope `{}`: step {} of its setup is refused: {}; correct the setup",
        "{1}：scope `{2}` 的 setup 第 {3} 步被拒绝：{4}；请改正",
    ),
    (
        "scope `{}`: step {} of its setup is refused: {}; correct the setup",
        "scope `{1}` 的 setup 第 {2} 步被拒绝：{3}；请改正",
    ),
    ("{}: scope `{}`: {}", "{1}：scope `{2}`：{3}"),
    (
        "region {} has a peer on store {}, which is not among its stores",
        "region {1} 有 peer 在 store {2} 上，而它不在 scope 里",
    ),
    ("it has no region", "没有 region"),
    ("it has no round size", "没有 rounds"),
    ("a store is named twice", "同一个 store 写了两次"),
    ("a region is named twice", "同一个 region 写了两次"),
    ("region {}: an id is 0, and ids begin at 1", "region {1}：有个 id 是 0，而 id 从 1 开始"),
    ("region {} ends before it begins", "region {1} 的终点在起点之前"),
    ("regions {} and {} overlap", "region {1} 和 {2} 重叠"),
    ("region {} has no peer", "region {1} 没有 peer"),
    ("region {} names a store or a peer id twice", "region {1} 把一个 store 或 peer id 写了两次"),
    ("a {} id is 0, and ids begin at 1", "有个 {1} id 是 0，而 id 从 1 开始"),
    ("the last line is not complete", "最后一行不完整"),
    (
        "a recorded trace needs a verdict, and none follows step {}",
        "录制的 trace 要以 verdict 结尾，而第 {1} 步之后没有",
    ),
    (
        "the verdict names a step that does not exist; the last is {}",
        "verdict 指的步骤不存在；最后一步是 {1}",
    ),
    ("nothing is expected; leave `expect` out, or say what", "`expect` 是空的；去掉它，或写上要什么"),
    ("what heals is not stuck: expect one of the two", "`heals` 和 `stuck` 只能要一个"),
    (
        "nothing is left to settle here, and the step before expects something: expect it there",
        "这里没有可以 settle 的，而前一步已有 expect：请写在那里",
    ),
    ("this does not settle", "这里 settle 不完"),
    ("a record is a JSON object", "一条记录是一个 JSON 对象"),
    ("name", "名字"),
    ("field", "字段"),
    ("line", "一行"),
    ("file", "文件"),
];

/// What is wrong with a JSON text, in the words of its reader.
const JSON: &[Template] = &[
    ("EOF while parsing {} at line {} column {}", "没有写完（第 {2} 行第 {3} 列）"),
    ("EOF while parsing {}", "没有写完"),
    ("{} at line {} column {}", "{1}（第 {2} 行第 {3} 列）"),
    ("expected value", "这里应该是一个值"),
    ("expected ident", "这里的词不认识"),
    ("expected {}", "这里应该是 {1}"),
    ("key must be a string", "键必须是字符串"),
    ("trailing characters", "后面还有多余的字符"),
    ("trailing comma", "多了一个逗号"),
    ("invalid number", "数字不对"),
    ("invalid escape", "转义不对"),
    ("string or map", "字符串或对象"),
    ("sequence", "列表"),
    ("a sequence", "列表"),
    ("a string", "字符串"),
    ("string {}", "字符串 {1}"),
    ("integer {}", "整数 {1}"),
    ("boolean {}", "布尔值 {1}"),
    ("null", "空值"),
    ("map", "对象"),
    ("invalid length {}, expected {}", "长度不对：是 {1}，应该是 {2}"),
    ("struct {} with {} elements", "`{1}`，{2} 个字段"),
    ("struct {}", "对象 `{1}`"),
    ("enum {}", "`{1}` 的一种"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::server::trace_of;

    /// Every way in which a file is broken is told without an English word.
    #[test]
    fn a_broken_file_is_told_in_chinese() {
        let path = |name: &str| std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../traces").join(name);
        let read = |name: &str| std::fs::read_to_string(path(name)).expect("a file");
        let (scenario, trace) =
            (read("scenarios/basic-conf-change.jsonl"), read("museum/commit_own_term.jsonl"));
        let campaign = r#"{"campaign":{"region":1,"store":1}}"#;
        let with = |from: &str, to: &str| scenario.replacen(from, to, 1);
        let header = |rest: &str| {
            format!(r#"{{"record":"header","schema":"rollcall-trace/1","scenario":"a",{rest}}}"#)
        };
        let step = trace.lines().nth(1).expect("a step");
        let broken = [
            String::new(),
            "hello".into(),
            r#"{"a":1,}"#.into(),
            "[1]".into(),
            r#"{"record":"header","schema":"rollcall-trace/99"}"#.into(),
            r#"{"record":"header"}"#.into(),
            r#"{"record":"step"}"#.into(),
            r#"{"count":1,"regions":[]}"#.into(),
            header(r#""scope":{"name":"a","stores":[1],"regions":[]}"#),
            header(r#""foo":1,"scope":{"name":"a","stores":[1],"regions":[]}"#),
            header(r#""scope":[]"#),
            scenario.chars().take(2000).collect(),
            trace.chars().take(trace.len() - 300).collect(),
            trace.lines().take(3).map(|line| format!("{line}\n")).collect(),
            format!("{scenario}{scenario}"),
            format!("{trace}{step}\n"),
            with(r#""index":2"#, r#""index":7"#),
            with("\"campaign\"", "\"campain\""),
            with("\"note\":", "\"nte\":"),
            with(campaign, r#"{"campaign":{"region":1,"store":77}}"#),
            with(campaign, r#"{"campaign":{"region":"x","store":1}}"#),
            with(campaign, r#"{"apply":{"region":1,"store":1}}"#),
            with("\"store\":1}", "\"store\":99999999999999999}"),
            with("\"stores\":[1,2", "\"stores\":[1,1,2"),
            with("\"id\":1,\"start\"", "\"id\":0,\"start\""),
            with("\"record\":\"step\",\"index\":1", "\"record\":\"stop\",\"index\":1"),
        ];
        let mut english_left = Vec::new();
        for text in broken {
            let english = trace_of("文件", &text).expect_err("it is broken");
            let chinese = of_error(&english);
            // Code and names stay as they are.
            let outside: String = chinese.split('`').step_by(2).collect();
            let is_name = |word: &str| {
                ["JSON", "header", "trace", "scope", "store", "region", "peer", "id", "verdict"]
                    .contains(&word)
                    || word.contains('_')
            };
            let words = outside.split(|is: char| !is.is_ascii_alphabetic() && is != '_');
            let left: Vec<&str> = words.filter(|word| word.len() > 1 && !is_name(word)).collect();
            if !left.is_empty() {
                english_left.push(format!("{chinese}: {left:?}"));
            }
        }
        assert!(english_left.is_empty(), "{english_left:#?}");
    }

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
