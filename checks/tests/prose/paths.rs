//! Paths, links and commands that prose and comments name.

use std::collections::BTreeSet;

use rollcall_checks::cli;
use rollcall_model::scopes;

use super::{files, pages, quoted, read, root};

/// The folders of the project. A path in prose begins with one of them.
const FOLDERS: &[&str] = &["traces/", "model/", "impl/", "checks/", ".ci/"];

/// The paths of the project in a text: each begins with one of its folders, or is a link that is
/// neither on the web nor to an item of Rust. A pattern ends at its placeholder.
fn paths_in(text: &str) -> BTreeSet<String> {
    let is_part = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
    let words = text
        .split(|letter| !is_part(letter))
        .filter(|word| FOLDERS.iter().any(|folder| word.starts_with(folder)));
    let links = text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(link, _)| link));
    let links = links.filter(|link| !link.contains("::") && !link.contains("://") && !link.starts_with('#'));
    let links = links.map(|link| link.split_once('#').map_or(link, |(path, _)| path));
    words.chain(links).map(|path| path.trim_end_matches(['.', '/']).to_string()).collect()
}

#[test]
fn paths_in_prose_are_found() {
    let text = "See `traces/src/lib.rs`, impl/src/. And [this](model/src/guard.rs#L3), [that](https://x.org/a), \
                [here](#there), [item](Self::encode); traces/museum/<guard>.jsonl and not/ours.";
    let expected = ["impl/src", "model/src/guard.rs", "traces/museum", "traces/src/lib.rs"];
    assert_eq!(paths_in(text), expected.map(str::to_string).into());
}

#[test]
fn paths_in_the_pages_exist() {
    let mut gone = Vec::new();
    for page in pages() {
        let text = read(&page);
        let paths = paths_in(&text);
        let folder = page.parent().expect("a folder");
        let is_there = |path: &String| root().join(path).exists() || folder.join(path).exists();
        let missing = paths.iter().filter(|path| !is_there(path));
        gone.extend(missing.map(|path| format!("{}: {path}", page.display())));
    }
    assert!(gone.is_empty(), "pages name what is not there:\n{}", gone.join("\n"));
}

#[test]
fn every_page_is_linked_from_the_index() {
    let index = read(&root().join("docs/README.md"));
    let linked = paths_in(&index);
    for page in files(&root().join("docs"), "md") {
        let name = page.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(name == "README.md" || linked.contains(&name), "docs/README.md does not link {name}");
    }
}

#[test]
fn paths_in_comments_exist() {
    let mut gone = Vec::new();
    for crate_folder in ["traces", "model", "impl", "checks"] {
        for file in files(&root().join(crate_folder), "rs") {
            let text = read(&file);
            let comments: String = text
                .lines()
                .filter_map(|line| line.trim_start().strip_prefix("//"))
                .filter(|comment| !comment.contains('<'))
                .map(|comment| format!("{comment}\n"))
                .collect();
            let missing = paths_in(&comments).into_iter().filter(|path| !root().join(path).exists());
            gone.extend(missing.map(|path| format!("{}: {path}", file.display())));
        }
    }
    assert!(gone.is_empty(), "comments name what is not there:\n{}", gone.join("\n"));
}

/// Files of TiKV and raft-rs that comments and pages name, if we have none of that name.
const OF_OTHERS: &[&str] =
    &["debug.rs", "joint.rs", "peer_storage.rs", "raw_node.rs", "read_only.rs", "storage.rs", "util.rs"];

/// The files that a text names without their folder: `late.rs`.
fn bare_files_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(quoted).filter_map(|name| {
        let file = name.split(' ').next().unwrap_or_default();
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        let stem = file.strip_suffix(".rs")?;
        (stem.len() > 1 && stem.chars().all(is_part)).then_some(file)
    })
}

/// A name that TiKV also has (`apply.rs`) may mean either.
#[test]
fn files_without_a_folder_exist_somewhere() {
    assert_eq!(
        bare_files_in("`late.rs` and `a/b.rs`, `util.rs f`, x.rs").collect::<Vec<_>>(),
        ["late.rs", "util.rs"]
    );
    let sources = ["traces", "model", "impl", "checks"].iter().flat_map(|of| files(&root().join(of), "rs"));
    let sources: Vec<_> = sources.collect();
    let ours = sources.iter().filter_map(|path| path.file_name()?.to_str());
    let known: BTreeSet<&str> = ours.chain(OF_OTHERS.iter().copied()).collect();
    let comments = |text: &str| {
        let lines = text.lines().filter(|line| line.trim_start().starts_with("//"));
        lines.fold(String::new(), |text, line| text + line + "\n")
    };
    let mut texts: Vec<_> = sources.iter().map(|path| (path.clone(), comments(&read(path)))).collect();
    // Other projects' tests are named as in those projects.
    let pages = pages().into_iter().filter(|page| !page.ends_with("peers.md"));
    texts.extend(pages.map(|page| (page.clone(), read(&page))));
    let (mut count, mut gone) = (0, Vec::new());
    for (path, text) in &texts {
        count += bare_files_in(text).count();
        let missing = bare_files_in(text).filter(|file| !known.contains(file));
        gone.extend(missing.map(|file| format!("{}: {file}", path.display())));
    }
    assert!(count > 100, "{count} files are named");
    assert!(gone.is_empty(), "there is no such file:\n{}", gone.join("\n"));
}

/// Every command line of the program in a page: in a code span, or on a line of a code block.
fn commands_in(text: &str) -> Vec<String> {
    let begins = ["rollcall ", "cargo run --release -- ", "cargo run -- "];
    let command = |said: &str| {
        let said = said.trim().trim_start_matches("$ ");
        let words = begins.iter().find_map(|begin| said.strip_prefix(begin))?;
        let end = words.find(['#', '>', '|', '[', '…']).unwrap_or(words.len());
        Some(words[..end].trim().to_string())
    };
    let mut found = Vec::new();
    for (at, part) in text.split("```").enumerate() {
        match at % 2 {
            0 => found.extend(part.lines().flat_map(quoted).filter_map(command)),
            _ => found.extend(part.lines().filter_map(command)),
        }
    }
    found
}

/// What is wrong with a command line: clap refuses it, or it names an unknown scope, guard or file.
/// A word in capitals is a placeholder.
fn wrong_in(command: &str) -> Option<String> {
    let words: Vec<&str> = command.split_whitespace().collect();
    if words == ["--help"] {
        return None;
    }
    if let Err(error) = cli::parses(&words) {
        return Some(error);
    }
    let is_placeholder = |word: &str| word.chars().all(|letter| letter.is_ascii_uppercase() || letter == '|');
    for pair in words.windows(2).filter(|pair| !is_placeholder(pair[1])) {
        let (flag, value) = (pair[0], pair[1]);
        let is_known = match flag {
            "check" if !value.ends_with(".jsonl") => scopes::named(value).is_some(),
            "--without" | "--impl-without" => rollcall_impl::Guard::from_name(value).is_some(),
            _ => true,
        };
        if !is_known {
            return Some(format!("there is no `{value}`"));
        }
    }
    None
}

#[test]
fn commands_in_the_pages_can_be_given() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for page in pages() {
        for command in commands_in(&read(&page)) {
            count += 1;
            wrong.extend(wrong_in(&command).map(|why| format!("{}: `{command}`: {why}", page.display())));
        }
    }
    assert!(count > 60, "{count} commands");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn wrong_commands_are_found() {
    let text =
        "Say `rollcall scopes` or\n```sh\ncargo run --release -- verify --size smoke  # quick\n```\n`verify`";
    assert_eq!(commands_in(text), ["scopes", "verify --size smoke"]);
    assert_eq!(wrong_in("check grow_and_shrink_smoke --without snapshot_once"), None);
    assert_eq!(wrong_in("check SCOPE --without GUARD"), None);
    assert!(wrong_in("verify --sizes smoke").is_some());
    assert!(wrong_in("check grow_and_shrink_smokes").is_some());
    assert!(wrong_in("check grow_and_shrink_smoke --without snapshot_twice").is_some());
}
