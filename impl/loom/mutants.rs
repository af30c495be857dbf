//! The sources of the running store with another library's locks, and its mutants: more text
//! replacements. The build scripts of `impl/loom` and `checks/shuttle` write both.

use std::fs;
use std::path::Path;

/// A file, its text, which must occur once, and the replacement.
pub(crate) type Replacement = (&'static str, &'static str, &'static str);

/// A mutant: its module, and what is wrong in it.
pub(crate) const MUTANTS: &[(&str, &[Replacement])] = &[
    ("sound", &[]),
    // The mailbox is released before it is marked as idle: messages in between wait for ever.
    (
        "idle_after_check",
        &[(
            "mailbox",
            "        inner.state = state;\n        released",
            "        drop(inner);\n        self.lock().state = state;\n        released",
        )],
    ),
    // A worker releases the mailbox before it has handled its messages.
    (
        "idle_while_polled",
        &[(
            "mailbox",
            "inner.queue.drain(..count).collect()",
            "{ if count == inner.queue.len() { inner.state = State::Idle; } inner.queue.drain(..count).collect() }",
        )],
    ),
    // A closed mailbox accepts one more message, which is never handled.
    (
        "push_into_closed",
        &[(
            "mailbox",
            "if inner.state == State::Closed {\n            return Pushed::Closed(message);\n        }",
            "",
        )],
    ),
    // The worker is not woken.
    (
        "no_wake_up",
        &[(
            "ready",
            "self.lock().queue.push_back(ready);\n        self.changed.notify_one();",
            "self.lock().queue.push_back(ready);",
        )],
    ),
    // Only one of the workers learns that the queue is stopped.
    ("one_hears_the_stop", &[("ready", "self.changed.notify_all();", "self.changed.notify_one();")]),
    // Removing a closed mailbox also removes its successor.
    ("forgets_another", &[("router", ".is_some_and(|there| Arc::ptr_eq(there, mailbox))", ".is_some()")]),
    // A closed router creates one more mailbox.
    (
        "sends_when_closed",
        &[(
            "router",
            "self.mailboxes.write().expect(\"nothing panics with the mailboxes locked\").is_closed = true;",
            "",
        )],
    ),
    // A group's outputs leave although an earlier group is not durable.
    (
        "releases_out_of_order",
        &[(
            "journal",
            "while let Some(first) = inner.under_way.pop_front_if(|first| first.is_durable) {",
            "let at = inner.under_way.iter().position(|group| group.is_durable);\n        \
             if let Some(first) = at.and_then(|at| inner.under_way.remove(at)) {",
        )],
    ),
    // A step without a write overtakes writes under way.
    (
        "overtakes_the_disk",
        &[(
            "journal",
            "&& inner.waiting.is_empty() && inner.under_way.is_empty()",
            "&& inner.waiting.is_empty()",
        )],
    ),
    // The disk is not woken.
    (
        "disk_not_woken",
        &[(
            "journal",
            "inner.waiting.push(effects);\n        self.changed.notify_one();",
            "inner.waiting.push(effects);",
        )],
    ),
    // The store's lock is released before its batch is in the journal.
    (
        "hands_over_too_late",
        &[
            ("node", "leaving.out.extend(self.journal.append(effects));", "leaving.late.push(effects);"),
            ("node", "    due: Vec<RegionId>,\n", "    due: Vec<RegionId>,\n    late: Vec<Effects>,\n"),
            (
                "node",
                "leaving.due.sort_unstable();",
                "for effects in std::mem::take(&mut leaving.late) {\n            \
                 let out = self.journal.append(effects);\n            \
                 out.into_iter().for_each(|output| self.surroundings.output(output));\n        }\n        \
                 leaving.due.sort_unstable();",
            ),
        ],
    ),
    // The apply stage is not notified of regions that are due.
    ("no_reminder", &[("node", "leaving.due.push(region);", "")]),
    // The target of a merge is not looked at when its source has moved on.
    (
        "forgets_the_target",
        &[(
            "node",
            "for region in [Some(touched), target(touched)].into_iter().flatten() {",
            "let _ = target;\n            for region in [touched] {",
        )],
    ),
    // The surroundings hear of each step that the apply stage tried too early.
    ("reports_what_waits", &[("node", "leaving.unhandled.clear();", "")]),
    // A failed store still takes steps.
    (
        "steps_when_failed",
        &[(
            "node",
            "if core.failed.is_some() {\n            leaving.unhandled",
            "if false {\n            leaving.unhandled",
        )],
    ),
    // Requests without a result are dropped when the store stops.
    (
        "forgets_requests",
        &[("node", "let ended = core.store.abandon_requests();", "let ended: Vec<Output> = vec![];")],
    ),
    // A failed write counts as durable.
    (
        "ignores_the_disk",
        &[(
            "node",
            "Err(source) => self.fail(|store| Error::Engine { store, source }),",
            "Err(_) => self.completed(number),",
        )],
    ),
];

/// The modules of the types that a running store needs; all of them are public.
const MODULES: [&str; 8] = [
    "store::effects",
    "store::input",
    "storage::engine",
    "error",
    "guard",
    "proto::region",
    "raft_rs::replica",
    "raft_rs",
];

/// The source of a module of the running store, mutated, with the locks and threads of `backend`,
/// the crate's own types by their public names, and the store of the module `store`.
///
/// # Panics
/// If a text to be replaced is missing, so that no test remains without its mutation after a change
/// of the sources.
pub(crate) fn source(
    sources: &Path,
    file: &str,
    replacements: &[Replacement],
    backend: &str,
    store: &str,
) -> String {
    let path = sources.join(file).with_extension("rs");
    println!("cargo::rerun-if-changed={}", path.display());
    let mut text = fs::read_to_string(path).expect("a source of the running store");
    for (_, old, new) in replacements.iter().filter(|(of, ..)| *of == file) {
        assert_eq!(text.matches(old).count(), 1, "{file}.rs has {old:?} not once: has the source changed?");
        text = text.replace(old, new);
    }
    text = text.replace("std::sync", &format!("{backend}::sync"));
    for module in MODULES {
        text = text.replace(&format!("crate::{module}::"), "rollcall_impl::");
    }
    text.replace("crate::store::", &format!("crate::{store}::"))
}
