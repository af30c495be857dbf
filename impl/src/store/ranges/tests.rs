use std::sync::Arc;

use super::Ranges;
use crate::proto::region::{Key, KeyRange};

fn range(start: &str, end: &str) -> KeyRange {
    let key = |text: &str| -> Key { Arc::from(text.as_bytes()) };
    KeyRange { start: key(start), end: key(end) }
}

/// Regions 1 `[b,d)` and 2 `[f,)`.
fn ranges() -> Ranges {
    let mut ranges = Ranges::default();
    ranges.set(2, range("f", ""));
    ranges.set(1, range("a", "z"));
    ranges.set(1, range("b", "d"));
    ranges
}

#[test]
fn each_region_has_one_entry_in_key_order() {
    let mut ranges = ranges();
    assert!(ranges.iter().map(|entry| entry.region).eq([1, 2]));
    ranges.set(1, range("x", "y"));
    assert!(ranges.iter().map(|entry| entry.region).eq([2, 1]));
    ranges.remove(1);
    ranges.remove(1);
    assert!(ranges.iter().map(|entry| entry.region).eq([2]));
    ranges.remove(2);
    assert_eq!(ranges.iter().count(), 0);
}

#[test]
fn neighbours_do_not_overlap() {
    let ranges = ranges();
    for (start, end, expected) in [
        ("", "b", false),
        ("", "ba", true),
        ("d", "f", false),
        ("c", "d", true),
        ("cz", "e", true),
        ("e", "g", true),
        ("a", "", true),
        ("z", "", true),
        ("", "", true),
    ] {
        assert_eq!(ranges.overlap(3, &range(start, end)), expected, "[{start},{end})");
    }
    // A region does not overlap itself.
    assert!(!ranges.overlap(1, &range("a", "e")));
    assert!(ranges.overlap(1, &range("a", "g")));
}

#[test]
fn snapshots_that_wait_stand_apart() {
    let mut ranges = ranges();
    ranges.set_pending(3, Some(range("d", "f")));
    assert!(!ranges.overlap(4, &range("d", "f")));
    assert!(ranges.overlap_pending(4, &range("e", "g")));
    assert!(!ranges.overlap_pending(3, &range("e", "g")));
    assert!(!ranges.overlap_pending(4, &range("b", "d")));
    ranges.set_pending(3, None);
    assert!(!ranges.overlap_pending(4, &range("d", "f")));
}
