//! `traces`: writes a scope as files, and leaves existing files alone.

use super::Folder;

const SCOPE: &str = "two_voters_to_one_smoke";

#[test]
fn a_written_schedule_replays() {
    let folder = Folder::new();
    let ran = folder.run(&["traces", SCOPE, "--out", "out", "--cover", "actions"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(ran.stdout.contains("kinds of action that the scope takes"), "{}", ran.stdout);
    let ran = folder.run(&["replay", "out"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.stdout, ran.stderr);
}

#[test]
fn left_out_actions_are_counted() {
    let folder = Folder::new();
    let ran = folder.run(&["traces", SCOPE, "--out", "out", "--most", "2", "--format", "itf"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("out: 2 of "), "{}", ran.stdout);
    let written: Vec<_> = std::fs::read_dir(folder.path().join("out")).expect("the folder").collect();
    assert_eq!(written.len(), 2);
}

#[test]
fn a_folder_with_something_in_it_is_left_alone() {
    let folder = Folder::new();
    folder.write("mine", "");
    let ran = folder.run(&["traces", SCOPE, "--out", "."]);
    assert_eq!((ran.code, folder.files()), (Some(2), vec!["mine".to_string()]));
    assert!(ran.stderr.contains("not empty"), "{}", ran.stderr);
    let ran = folder.run(&["traces", "two_voters_to_on_smoke", "--out", "out"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains(SCOPE), "{}", ran.stderr);
}
