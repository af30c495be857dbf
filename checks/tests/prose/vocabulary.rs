//! `docs/vocabulary.md` has a row for every action of the dictionary, its names occur in the
//! sources, and the field's words find the rules.

use std::collections::BTreeSet;

use rollcall_traces::actions;

use super::{cells, files, page, quoted, read, root};

#[test]
fn every_action_has_the_name_that_the_field_gives_it() {
    let page = page("vocabulary.md");
    let first = page.lines().filter(|line| line.starts_with("| `")).map(|line| cells(line)[0]);
    let listed: BTreeSet<&str> = first.flat_map(quoted).collect();
    let forms = actions();
    let missing: Vec<&str> =
        forms.iter().map(|form| &*form.name).filter(|name| !listed.contains(name)).collect();
    assert!(
        forms.len() > 30 && missing.is_empty(),
        "docs/vocabulary.md does not say what they are: {missing:?}"
    );
}

#[test]
fn every_name_of_the_vocabulary_is_one_of_the_sources() {
    let page = page("vocabulary.md");
    let (names, _) = page.split_once("\n## Where a rule is\n").expect("the table of rules comes last");
    let rows = names.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ours"));
    let listed: BTreeSet<&str> = rows.map(|line| cells(line)[0]).flat_map(quoted).collect();
    let identifiers: BTreeSet<String> = ["traces/src", "model/src", "checks/src"]
        .iter()
        .flat_map(|folder| files(&root().join(folder), "rs"))
        .flat_map(|file| identifiers_of(&read(&file)))
        .collect();
    let missing: Vec<&&str> = listed.iter().filter(|name| !identifiers.contains(**name)).collect();
    assert!(listed.len() > 60 && missing.is_empty(), "no source has these names: {missing:?}");
}

/// Identifiers in code, and variants as JSON writes them.
fn identifiers_of(text: &str) -> Vec<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let words = text.split(|letter| !is_part(letter)).filter(|word| !word.is_empty());
    words.flat_map(|word| [word.to_owned(), snake(word)]).collect()
}

fn snake(word: &str) -> String {
    let mut snake = String::new();
    for letter in word.chars() {
        if letter.is_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

/// A function of a rule with its documentation.
struct Documented {
    file: String,
    name: String,
    words: String,
}

fn rules() -> Vec<Documented> {
    let mut rules = Vec::new();
    for path in files(&root().join("model/src/rules"), "rs") {
        let file = path.strip_prefix(root()).expect("it is below the root").to_string_lossy().into_owned();
        let mut words = String::new();
        for line in read(&path).lines().map(str::trim) {
            if let Some(more) = line.strip_prefix("///") {
                words = format!("{words} {}", more.trim());
            } else if let Some((_, after)) = line.split_once("fn ").filter(|_| !line.starts_with("//")) {
                let name: String =
                    after.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
                let words = format!("{name} {}", std::mem::take(&mut words)).to_lowercase();
                rules.push(Documented { file: file.clone(), name, words });
            } else if !line.starts_with('#') {
                words.clear();
            }
        }
    }
    rules
}

/// A word that is in more files than this finds nothing.
const FEW: usize = 4;

#[test]
fn the_word_of_the_field_finds_the_rule() {
    let page = page("vocabulary.md");
    let (_, table) = page.split_once("\n## Where a rule is\n").expect("the table of rules");
    let rules = rules();
    let rows: Vec<Vec<&str>> = table.lines().filter(|line| line.contains("? |")).map(cells).collect();
    assert!(rules.len() > 200 && rows.len() >= 10, "{} functions, {} questions", rules.len(), rows.len());
    for row in rows {
        let [question, words, function, file] = row[..] else { panic!("four cells: {row:?}") };
        let (function, file) = (function.trim_matches('`'), file.trim_matches('`'));
        let cell = words;
        let words: Vec<&str> = quoted(cell).collect();
        assert!(!words.is_empty(), "{question} no word");
        for word in words {
            let is_common = cell.contains(&format!("(`{word}`)"));
            let lower = word.to_lowercase();
            let found: Vec<&Documented> = rules.iter().filter(|rule| rule.words.contains(&lower)).collect();
            let names: Vec<&str> = found.iter().map(|rule| &*rule.name).collect();
            assert!(
                found.iter().any(|rule| rule.name == function && rule.file == file),
                "{question} `{word}` does not find {function} in {file}, but {names:?}"
            );
            let few = found.len() <= FEW;
            assert!(few || is_common, "{question} `{word}` finds too much: {names:?}");
            assert!(!few || !is_common, "{question} `{word}` is not common: take it out of its brackets");
            let first =
                first_hit(word, is_common).unwrap_or_else(|| panic!("{question} `{word}` finds nothing"));
            assert_eq!(first, file, "{question} the first hit of `{word}` is elsewhere");
        }
    }
}

/// The file of grep's first hit. A word with a capital, or a common one, is matched with case. A call
/// or import by path (`transfer::transfer_leader`) is skipped, because it names the file of the rule.
fn first_hit(word: &str, is_common: bool) -> Option<String> {
    let ignores_case = !is_common && !word.contains(char::is_uppercase);
    let has = |text: &str| {
        let text = without_paths(text);
        if ignores_case { text.to_lowercase().contains(word) } else { text.contains(word) }
    };
    let mut paths = files(&root().join("model/src/rules"), "rs");
    paths.sort();
    let first = paths.into_iter().find(|path| has(&read(path)))?;
    Some(first.strip_prefix(root()).expect("it is below the root").to_string_lossy().into_owned())
}

/// The text without the names after `::`.
fn without_paths(text: &str) -> String {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    let mut parts = text.split("::");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.chars().next() {
        Some(letter) if letter.is_lowercase() => text + part.trim_start_matches(is_part),
        _ => text + "::" + part,
    })
}

#[test]
fn a_call_by_path_is_no_hit() {
    let text = "use a::{b, c};\nlet x = transfer::ack_transfer_leader(a, Reason::NoTransfer);";
    assert_eq!(without_paths(text), "use a::{b, c};\nlet x = transfer(a, Reason::NoTransfer);");
}
