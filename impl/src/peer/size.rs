//! A region's size and its split key.
//!
//! Writes update a hint of the bytes written since the last check. The data is scanned only when
//! the hint reaches a part of the split size, because a scan is expensive on a disk. Follows `TK
//! peer_msg_handler.go onSplitRegionCheckTick` (an eighth of the split size) and `TiKV peer.rs
//! split_check_trigger` (a sixteenth) for the time, `TK runner/split_checker.go` and `TV
//! split_check/size.rs` for the key. Left out: several split keys at once, and splits by number of
//! keys.

use std::collections::BTreeMap;

use crate::config::Config;
use crate::guard::{Guard, Guards};
use crate::proto::region::{Key, Value};

/// A peer's knowledge of its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// The bytes of keys and values at the last check; unknown before the first.
    pub(crate) approximate: Option<u64>,
    /// Roughly the bytes written since.
    pub(crate) delta: u64,
}

impl Size {
    /// A value was written.
    pub(crate) fn put(&mut self, key: &Key, value: &Value, guards: impl Guards) {
        if guards.holds(Guard::SizeCountsWrites) {
            self.delta = self.delta.saturating_add(bytes_of(key, value));
        }
    }

    /// A value was removed. Its size is not known without reading it, so only
    /// the key's is counted (`TiKV apply.rs handle_delete`).
    pub(crate) fn delete(&mut self, key: &Key, guards: impl Guards) {
        let gone = key.len() as u64;
        if !guards.holds(Guard::SizeCountsWrites) {
            return;
        }
        self.delta = if guards.holds(Guard::SizeDeltaSaturates) {
            self.delta.saturating_sub(gone)
        } else {
            self.delta.wrapping_sub(gone)
        };
    }

    /// Whether a check is due.
    pub(crate) fn is_due(&self, config: &Config) -> bool {
        self.approximate.is_none() || self.delta >= config.split_check_diff
    }
}

/// All bytes, and the key at which they exceed `split_size`. Never the first key, which may be the
/// region's start.
pub(crate) fn scan(data: &BTreeMap<Key, Value>, split_size: u64) -> (u64, Option<Key>) {
    let (mut total, mut split_key) = (0u64, None);
    for (at, (key, value)) in data.iter().enumerate() {
        total = total.saturating_add(bytes_of(key, value));
        if at > 0 && split_key.is_none() && total > split_size {
            split_key = Some(key.clone());
        }
    }
    (total, split_key)
}

fn bytes_of(key: &Key, value: &Value) -> u64 {
    (key.len() + value.len()) as u64
}

#[cfg(test)]
mod tests;
