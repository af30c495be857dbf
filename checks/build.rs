//! Finds the rules: for every guard and every reason, the files and functions of the model and of
//! the implementation that name it, read from their sources. So the places in a report are never
//! older than the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    // Read at run time, because a build folder may have been made elsewhere.
    let here = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let root = Path::new(&here).join("..");
    let reasons = reasons_of_refusals(&root);
    let mut places: BTreeSet<(String, String, String)> = BTreeSet::new();
    for folder in ["model/src/rules", "model/src/unsound", "model/src/liveness", "impl/src"] {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        for file in sources(&root.join(folder)) {
            let name = file.strip_prefix(&root).expect("it is below the root").display().to_string();
            let text = fs::read_to_string(&file).expect("a source file can be read");
            scan(&text, |token, function| {
                let token = match token.split_once("Refusal::") {
                    Some((of, refusal)) => match reasons.get(&(of.to_string(), refusal.to_string())) {
                        Some(reason) => format!("Reason::{reason}"),
                        None => return,
                    },
                    None => token.to_string(),
                };
                places.insert((token, name.clone(), function.to_string()));
            });
        }
    }
    let properties = root.join("model/src/properties");
    println!("cargo::rerun-if-changed={}", properties.display());
    for file in sources(&properties) {
        let name = file.strip_prefix(&root).expect("it is below the root").display().to_string();
        let text = fs::read_to_string(&file).expect("a source file can be read");
        let functions = text.lines().filter_map(|line| line.strip_prefix("pub fn ")).map(word);
        places.extend(functions.map(|function| (format!("fn::{function}"), name.clone(), function)));
    }
    let mut text = String::from("&[\n");
    for (token, file, function) in places {
        let _ = writeln!(text, "    ({token:?}, {file:?}, {function:?}),");
    }
    text.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    fs::write(out.join("exhibits.rs"), exhibits(&root)).expect("the build's folder can be written");
    fs::write(out.join("places.rs"), text).expect("the build's folder can be written");
    let mut text = String::from("&[\n");
    for (file, of) in [("traces/src/outcome.rs", "Reason"), ("model/src/liveness/excuse.rs", "StuckReason")] {
        println!("cargo::rerun-if-changed={}", root.join(file).display());
        let source = fs::read_to_string(root.join(file)).expect("a source file can be read");
        for (name, words) in variants(&source, of) {
            let _ = writeln!(text, "    ({of:?}, {name:?}, {words:?}),");
        }
    }
    text.push(']');
    fs::write(out.join("meanings.rs"), text).expect("the build's folder can be written");
}

/// The museum's traces by name, compiled into the program.
fn exhibits(root: &Path) -> String {
    let folder = root.join("traces/museum");
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(&folder).expect("the museum is there");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    let mut text = String::from("&[\n");
    for file in files.iter().filter(|file| file.extension().is_some_and(|is| is == "jsonl")) {
        let name = file.file_stem().expect("a name").to_string_lossy();
        let path = file.canonicalize().expect("it is there");
        let _ = writeln!(text, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    text + "]"
}

/// The variants of an enum, in lower case, with their doc comments.
fn variants(source: &str, of: &str) -> Vec<(String, String)> {
    let (mut found, mut words) = (Vec::new(), String::new());
    let lines = source.lines().skip_while(|line| *line != format!("pub enum {of} {{")).skip(1);
    for line in lines.take_while(|line| *line != "}") {
        // A variant's lines are indented by one step.
        let Some(line) = line.strip_prefix("    ").filter(|line| !line.starts_with(' ')) else { continue };
        if let Some(more) = line.strip_prefix("/// ") {
            words += if words.is_empty() { "" } else { " " };
            words += more;
        } else if line.starts_with(|is: char| is.is_uppercase()) {
            found.push((snake(&word(line)), std::mem::take(&mut words)));
        }
    }
    found
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

/// The Rust files below a folder, without tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|is| is == "rs")
            && !["tests.rs", "guard.rs"].iter().any(|other| path.ends_with(other))
        {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The implementation's name of a reason, from the one place that maps them.
fn reasons_of_refusals(root: &Path) -> BTreeMap<(String, String), String> {
    let mut reasons = BTreeMap::new();
    for (file, of) in [("checks/src/world/convert.rs", ""), ("checks/src/world/convert/pd.rs", "Pd")] {
        println!("cargo::rerun-if-changed={}", root.join(file).display());
        let text = fs::read_to_string(root.join(file)).expect("a source file can be read");
        for line in text.lines() {
            let Some((left, right)) = line.split_once("=>") else { continue };
            let Some((_, reason)) = right.split_once("Reason::") else { continue };
            for refusal in left.split('|').filter_map(|one| one.rsplit("::").next()) {
                reasons.insert((of.to_string(), word(refusal)), word(reason));
            }
        }
    }
    reasons
}

fn word(text: &str) -> String {
    text.trim().chars().take_while(|is| is.is_alphanumeric() || *is == '_').collect()
}

/// Calls `each` for every guard and reason that code names, with the function around it.
fn scan(text: &str, mut each: impl FnMut(&str, &str)) {
    let mut function = String::new();
    for line in text.lines() {
        let code = line.trim_start();
        if code.starts_with("#[cfg(test)]") {
            break;
        }
        if code.starts_with("//") {
            continue;
        }
        if let Some((before, rest)) = code.split_once("fn ")
            && before.chars().all(|is| is.is_alphanumeric() || " ()_\"".contains(is))
        {
            function = word(rest);
        }
        for kind in ["Guard::", "Reason::", "Refusal::"] {
            for (at, _) in code.match_indices(kind) {
                let name = word(&code[at + kind.len()..]);
                let is_pd = code[..at].ends_with("Pd");
                // `StuckReason` is another enum.
                if !is_pd && code[..at].ends_with(char::is_alphanumeric) {
                    continue;
                }
                if name.starts_with(|is: char| is.is_uppercase()) {
                    let of = if is_pd { "Pd" } else { "" };
                    each(&format!("{of}{kind}{name}"), &function);
                }
            }
        }
    }
}
