use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Size, scan};
use crate::guard::{Dropped, Guard, Sound};
use crate::proto::region::{Key, Value};

fn bytes(text: &str) -> Key {
    Arc::from(text.as_bytes())
}

/// Keys of one byte with values of so many.
fn data(values: &[(&str, usize)]) -> BTreeMap<Key, Value> {
    values.iter().map(|(key, length)| (bytes(key), bytes(&"v".repeat(*length)))).collect()
}

#[test]
fn the_split_key_is_where_the_left_part_is_full() {
    let four = data(&[("a", 9), ("b", 9), ("c", 9), ("d", 9)]);
    assert_eq!(scan(&four, 5), (40, Some(bytes("b"))), "never the first key");
    assert_eq!(scan(&four, 10), (40, Some(bytes("b"))));
    assert_eq!(scan(&four, 20), (40, Some(bytes("c"))));
    assert_eq!(scan(&four, 39), (40, Some(bytes("d"))));
    assert_eq!(scan(&four, 40), (40, None));
    assert_eq!(scan(&data(&[("a", 99)]), 10), (100, None), "one key cannot be split");
    assert_eq!(scan(&data(&[("a", 99), ("b", 0)]), 10), (101, Some(bytes("b"))));
    assert_eq!(scan(&data(&[]), 10), (0, None));
}

/// Row 31: an unsigned hint, and more deleted than written.
#[test]
fn the_delta_does_not_pass_below_zero() {
    let mut size = Size::default();
    size.put(&bytes("key"), &bytes("value"), Sound);
    assert_eq!(size.delta, 8);
    for expected in [5, 2, 0, 0] {
        size.delete(&bytes("key"), Sound);
        assert_eq!(size.delta, expected);
    }
    size.delete(&bytes("key"), Dropped(Guard::SizeDeltaSaturates));
    assert_eq!(size.delta, u64::MAX - 2);
    size.put(&bytes("key"), &bytes("value"), Sound);
    assert_eq!(size.delta, u64::MAX);
}
