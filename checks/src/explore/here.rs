//! Errors on the page. The terminal's name a command that lists what there is; a reader of the page
//! has its keys.

use rollcall_traces::Language;

/// The terminal's words, and the page's in English and in Chinese.
const DOORS: &[(&str, &str, &str)] = &[
    ("`rollcall scopes`", "Find (/)", "查找（/）"),
    ("`rollcall guards`", "the choice of a guard (g)", "guard 的选择（g）"),
    ("`rollcall learn`", "Lessons (p)", "课程（p）"),
    ("`rollcall properties`", "the choice of a property (N)", "性质的选择（N）"),
    (
        "`rollcall actions`",
        "the page lists those of this state (j, x), and `rollcall actions`",
        "本页列出此刻的（j、x），`rollcall actions` ",
    ),
];

/// The error, with the page's own way to what it names.
pub(super) fn on_the_page(language: Language, error: &str) -> String {
    DOORS.iter().fold(error.to_string(), |error, (terminal, english, chinese)| {
        let here = match language {
            Language::English => english,
            Language::Chinese => chinese,
        };
        // A space beside a Latin word is none beside a Chinese bracket.
        match (language, here.ends_with('）')) {
            (Language::Chinese, true) => error.replace(&format!("{terminal} "), here),
            _ => error,
        }
        .replace(terminal, here)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::chinese;
    use crate::{learn, lookup};

    #[test]
    fn an_error_names_the_keys_of_the_page() {
        let scope = lookup::plan("nowhere").expect_err("there is none").to_string();
        let guard = lookup::guard("nothing").expect_err("there is none").to_string();
        let lesson = learn::Lesson::numbered(13).err().expect("there is none");
        for (error, english, chinese) in [
            (
                scope,
                "unknown scope `nowhere`; Find (/) lists them all",
                "没有叫 `nowhere` 的 scope；查找（/）列出全部",
            ),
            (
                guard,
                "unknown guard `nothing`; the choice of a guard (g) lists them all",
                "没有叫 `nothing` 的 guard；guard 的选择（g）列出全部",
            ),
            (
                lesson,
                "there is no lesson 13; they are numbered 1 to 12, and Lessons (p) lists them",
                "没有第 13 课；课程是第 1 到第 12 课，课程（p）列出它们",
            ),
        ] {
            assert_eq!(on_the_page(Language::English, &error), english);
            assert_eq!(on_the_page(Language::Chinese, &chinese::of_error(&error)), chinese);
        }
    }
}
