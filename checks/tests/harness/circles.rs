//! Cycles of files: which files of a crate name each other.

use std::collections::{BTreeMap, BTreeSet};

/// The sets of files that name each other, directly or indirectly, largest first.
///
/// A path in code, in a `use` or elsewhere, counts for the file of the last module in it. A
/// re-exported item counts for the file where it is defined, and so does an item reached through an
/// imported module. Declaring or re-exporting a module (`mod`, `pub use`) does not count. Method
/// calls are not seen: `impl` blocks of one type may be in many files.
pub(crate) fn circles(sources: &[(String, String)]) -> Vec<Vec<String>> {
    let modules: BTreeMap<Vec<String>, &str> =
        sources.iter().map(|(file, _)| (module_of(file), file.as_str())).collect();
    let all = Modules { reexported: reexported(sources, &modules), files: modules };
    let mut named: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, code) in sources {
        let files = all.named_in(&module_of(file), code).into_iter();
        named.insert(file, files.filter(|other| other != file).collect());
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

/// A path as its names.
type Path = Vec<String>;

/// The paths in a file's code, with the trees of `use` expanded.
#[derive(Default)]
struct Paths {
    imported: Vec<Path>,
    reexported: Vec<Path>,
    /// Paths of at least two names.
    inline: Vec<Path>,
}

/// For each module and re-exported name, where it is defined.
fn reexported(
    sources: &[(String, String)],
    modules: &BTreeMap<Path, &str>,
) -> BTreeMap<(Path, String), Path> {
    let mut all = BTreeMap::new();
    for (file, code) in sources {
        let module = module_of(file);
        for path in paths_in(code).reexported {
            if let (Some(full), Some(name)) = (full(modules, &module, &path), path.last()) {
                all.insert((module.clone(), name.clone()), full);
            }
        }
    }
    all
}

struct Modules<'a> {
    files: BTreeMap<Path, &'a str>,
    reexported: BTreeMap<(Path, String), Path>,
}

impl<'a> Modules<'a> {
    fn named_in(&self, module: &[String], code: &str) -> BTreeSet<&'a str> {
        let Paths { imported, inline, .. } = paths_in(code);
        let imported: Vec<Path> =
            imported.iter().filter_map(|path| full(&self.files, module, path)).collect();
        let mut files = BTreeSet::new();
        for path in &imported {
            let behind =
                inline.iter().filter(|inner| self.files.contains_key(path) && inner.first() == path.last());
            let behind: Vec<_> = behind
                .filter_map(|inner| self.file_of(path.iter().chain(&inner[1..]).cloned().collect()))
                .collect();
            // A module that is imported only for its items is not named by itself.
            if behind.is_empty() {
                files.extend(self.file_of(path.clone()));
            }
            files.extend(behind);
        }
        let own = inline.iter().filter_map(|path| full(&self.files, module, path));
        files.extend(own.filter_map(|path| self.file_of(path)));
        files
    }

    /// The file of the last module in the path, or of the module that it re-exports.
    fn file_of(&self, mut path: Path) -> Option<&'a str> {
        for _ in 0..path.len() + 4 {
            let length = (0..=path.len()).rev().find(|length| self.files.contains_key(&path[..*length]))?;
            let Some(name) = path.get(length) else { return self.files.get(&path).copied() };
            let Some(there) = self.reexported.get(&(path[..length].to_vec(), name.clone())) else {
                return self.files.get(&path[..length]).copied();
            };
            path = there.iter().chain(&path[length + 1..]).cloned().collect();
        }
        None
    }
}

fn paths_in(code: &str) -> Paths {
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    // `pub(in crate::x)` restricts visibility and is no use of `x`.
    let code = lines.collect::<Vec<_>>().join("\n").replace("pub(in crate::", "pub(in ");
    let (mut paths, mut rest) = (Paths::default(), String::new());
    for statement in code.split_inclusive(';') {
        let begins = statement.find("use ").filter(|begin| {
            statement[..*begin].chars().next_back().is_none_or(char::is_whitespace)
                && statement.ends_with(';')
                && !statement[*begin..].contains('=')
        });
        match begins {
            Some(begin) => {
                let before = statement[..begin].trim_end();
                let last = before.rsplit(char::is_whitespace).next().unwrap_or_default();
                let to = if last.starts_with("pub") { &mut paths.reexported } else { &mut paths.imported };
                expand("", statement[begin + 4..].trim_end_matches(';'), to);
                rest.push_str(&statement[..begin]);
            }
            None => rest.push_str(statement),
        }
    }
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = rest.split(|c: char| !is_part(c)).filter(|word| word.contains("::"));
    paths.inline.extend(words.map(|word| word.split("::").map(str::to_string).collect()));
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

/// The full path in the crate. It may begin at the crate, at the module or at one of its children.
fn full(modules: &BTreeMap<Path, &str>, at: &[String], path: &[String]) -> Option<Path> {
    let (mut full, mut rest) = match path.first()?.as_str() {
        "crate" => (Vec::new(), &path[1..]),
        "self" | "super" => (at.to_vec(), path),
        child => {
            let below: Path = at.iter().cloned().chain([child.to_string()]).collect();
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
    full.extend_from_slice(rest.strip_suffix(&["self".to_string()]).unwrap_or(rest));
    Some(full)
}
