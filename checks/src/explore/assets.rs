//! The page's assets, compiled into the program: served file by file, or joined into one.

pub(super) const PAGE: &str = include_str!("../../assets/index.html");
pub(super) const STYLE: &str = include_str!("../../assets/explorer.css");

/// The scripts in loading order.
pub(super) const SCRIPTS: &[(&str, &str)] = &[
    ("/words.js", include_str!("../../assets/words.js")),
    ("/lanes.js", include_str!("../../assets/lanes.js")),
    ("/way.js", include_str!("../../assets/way.js")),
    ("/explorer.js", include_str!("../../assets/explorer.js")),
    ("/beside.js", include_str!("../../assets/beside.js")),
    ("/doors.js", include_str!("../../assets/doors.js")),
    ("/lessons.js", include_str!("../../assets/lessons.js")),
    ("/exercise.js", include_str!("../../assets/exercise.js")),
    ("/hands.js", include_str!("../../assets/hands.js")),
];

const STILL: &str = include_str!("../../assets/still.html");
const STILL_SCRIPT: &str = include_str!("../../assets/still.js");

/// The page of one trace. `data` is JSON. Its content and the title are always shown as text.
pub(super) fn still(title: &str, data: &str) -> String {
    let drawing = SCRIPTS.iter().take(3).map(|(_, script)| *script).chain([STILL_SCRIPT]);
    let scripts: String = drawing.map(|script| format!("<script>\n{script}</script>\n")).collect();
    // In JSON `<` occurs only in strings. Escaped, it cannot end an element.
    let (title, data) = (escaped(title), data.replace('<', "\\u003c"));
    let mut page = String::with_capacity(STILL.len() + scripts.len() + data.len() + STYLE.len());
    for part in STILL.split_inclusive("-->") {
        match part.split_once("<!--").map(|(before, mark)| (before, mark.trim_end_matches("-->"))) {
            Some((before, mark)) => {
                page += before;
                page += match mark {
                    "title" => &title,
                    "style" => STYLE,
                    "data" => &data,
                    "scripts" => &scripts,
                    other => unreachable!("the page has no part `{other}`"),
                };
            }
            None => page += part,
        }
    }
    page
}

/// Escapes text for HTML.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            letter => safe.push(letter),
        }
    }
    safe
}
