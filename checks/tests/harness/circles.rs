//! Circles of files: who names whom within one crate's sources.

use std::collections::{BTreeMap, BTreeSet};

/// The sets of files that name each other, directly or round about, largest first.
///
/// A path in code, in a `use` or not, counts for the file of the module that it goes
/// through last. Whoever only declares or re-exports a module (`mod`, `pub use`) does not name
/// it. Methods are not seen: `impl` blocks of one type may stand in many files.
pub(crate) fn circles(sources: &[(String, String)]) -> Vec<Vec<String>> {
    let modules: BTreeMap<Vec<String>, &str> =
        sources.iter().map(|(file, _)| (module_of(file), file.as_str())).collect();
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, code) in sources {
        let module = module_of(file);
        let paths = paths_in(code).into_iter();
        let files = paths.filter_map(|path| file_of(&modules, &module, &path)).filter(|other| other != file);
        named.insert(file, files.collect());
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> =
        named.keys().map(|file| (*file, reached_from(file, &named))).collect();
    let mut found: BTreeSet<Vec<String>> = BTreeSet::new();
    for (file, reaches) in &reached {
        let circle: Vec<String> = reaches
            .iter()
            .filter(|other| reached[*other].contains(file))
            .map(|other| (*other).to_string())
            .collect();
        if circle.len() > 1 {
            found.insert(circle);
        }
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|circle| std::cmp::Reverse(circle.len()));
    found
}

fn reached_from<'a>(file: &'a str, named: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let (mut reached, mut next) = (BTreeSet::new(), vec![file]);
    while let Some(file) = next.pop() {
        next.extend(named[file].iter().filter(|other| reached.insert(**other)));
    }
    reached
}

/// `raft_rs/copy.rs` is `raft_rs::copy`; `lib.rs` and `main.rs` are the root.
fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if matches!(path, "lib" | "main") {
        return Vec::new();
    }
    path.split('/').map(str::to_string).collect()
}

/// Every path of at least two names in code, the trees of `use` taken apart.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let (mut paths, mut rest) = (Vec::new(), String::new());
    for (at, statement) in code.split_inclusive(';').enumerate() {
        let begins = statement.find("use ").filter(|begin| {
            statement[..*begin].chars().next_back().is_none_or(char::is_whitespace)
                && statement.ends_with(';')
                && !statement[*begin..].contains('=')
        });
        match begins {
            Some(begin) => {
                if !statement[..begin].trim_end().ends_with("pub") || at == 0 {
                    expand("", statement[begin + 4..].trim_end_matches(';'), &mut paths);
                }
                rest.push_str(&statement[..begin]);
            }
            None => rest.push_str(statement),
        }
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = rest.split(|c: char| !is_part(c)).filter(|word| word.contains("::"));
    paths.extend(words.map(|word| word.split("::").map(str::to_string).collect()));
    paths
}

fn expand(before: &str, tree: &str, paths: &mut Vec<Vec<String>>) {
    let Some((prefix, inside)) = tree.split_once('{') else {
        let path = format!("{before}{}", tree.split(" as ").next().unwrap_or_default());
        paths.push(path.split("::").map(|name| name.trim().to_string()).collect());
        return;
    };
    let before = format!("{before}{}", prefix.trim());
    let inside = inside.trim().strip_suffix('}').unwrap_or(inside);
    let (mut depth, mut part) = (0, String::new());
    for letter in inside.chars().chain([',']) {
        match letter {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                if !part.trim().is_empty() {
                    expand(&before, part.trim(), paths);
                }
                part.clear();
                continue;
            }
            _ => {}
        }
        part.push(letter);
    }
}

/// The file of the last module on the way, for a path that begins at the crate, at the
/// module or at one of its children.
fn file_of<'a>(modules: &BTreeMap<Vec<String>, &'a str>, at: &[String], path: &[String]) -> Option<&'a str> {
    let (mut full, mut rest) = match path.first()?.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" | "super" => (at.to_vec(), path),
        child => {
            let below: Vec<String> = at.iter().cloned().chain([child.to_string()]).collect();
            if !modules.contains_key(&below) {
                return None;
            }
            (at.to_vec(), path)
        }
    };
    while let Some((first, others)) = rest.split_first() {
        match first.as_str() {
            "self" => {}
            "super" => drop(full.pop()),
            _ => break,
        }
        rest = others;
    }
    full.extend_from_slice(rest);
    (0..=full.len()).rev().find_map(|length| modules.get(&full[..length]).copied())
}
