//! Sentences with gaps, in English and Chinese.
//!
//! The rules report errors as complete English sentences. These are matched against patterns, so
//! that no rule needs two languages.

/// An English sentence whose gaps are `{}`, and the Chinese one, in which `{1}` is the first gap.
pub(super) type Template = (&'static str, &'static str);

/// The sentence in Chinese, by the first matching template. The text in a gap is translated in the
/// same way, part by part or as a whole; an unknown text stays English.
pub(super) fn by(templates: &[&[Template]], english: &str) -> Option<String> {
    let all = || templates.iter().copied().flatten();
    all().find_map(|(pattern, chinese)| {
        let gaps = gaps(pattern, english)?;
        let filled = (1..).zip(gaps).fold((*chinese).to_string(), |text, (number, gap)| {
            text.replace(&format!("{{{number}}}"), &part(templates, gap))
        });
        Some(filled)
    })
}

fn part(templates: &[&[Template]], english: &str) -> String {
    let parts: Option<Vec<String>> = english.split(", ").map(|part| by(templates, part)).collect();
    match parts {
        Some(parts) if parts.len() > 1 => parts.join("，"),
        _ => by(templates, english).unwrap_or_else(|| english.to_string()),
    }
}

/// The texts in the gaps of a matching sentence.
fn gaps<'a>(pattern: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut pieces = pattern.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut pieces: Vec<&str> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty().then(Vec::new) };
    let mut found = Vec::new();
    for piece in pieces {
        let (gap, behind) = rest.split_once(piece)?;
        found.push(gap);
        rest = behind;
    }
    found.push(rest.strip_suffix(last)?);
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &[Template] = &[
        ("peer {} on store {} {}", "store {2} 上的 peer {1} {3}"),
        ("has data", "还有数据"),
        ("store {} is down", "store {1} 宕机"),
        ("gone: {}", "不在了：{1}"),
    ];

    #[test]
    fn a_sentence_is_read_by_its_shape() {
        let read = |text| by(&[OURS], text);
        assert_eq!(read("peer 2 on store 3 has data").as_deref(), Some("store 3 上的 peer 2 还有数据"));
        assert_eq!(
            read("gone: store 1 is down, store 2 is down").as_deref(),
            Some("不在了：store 1 宕机，store 2 宕机")
        );
        assert_eq!(read("gone: k=v, 7").as_deref(), Some("不在了：k=v, 7"));
        assert_eq!((read("store 3 is up"), read("has data now")), (None, None));
    }
}
