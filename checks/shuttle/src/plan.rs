//! What happens in a schedule, drawn from its seed.

use std::sync::Arc;

use rollcall_checks::random::Random;
use rollcall_impl::{Epoch, Key, Member, MemberRole, Region, StoreId};

/// The stores. Each begins with a voter of the one region, peer ids as store ids.
pub(crate) const STORES: [StoreId; 3] = [1, 2, 3];
/// The first id that the placement driver allots.
pub(crate) const NEXT_ID: u64 = 100;
/// Where the region is split.
const MIDDLE: &str = "m";

/// Something that happens while clients write.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// The key's peer on that store campaigns.
    Campaign(Key, StoreId),
    /// The leader is asked to hand over to that store.
    Transfer(Key, StoreId),
    /// The region is split at the key.
    Split(Key),
    /// The key's peer on that store is removed, and another one is added there.
    Replace(Key, StoreId),
    /// The first key's region is merged into the second's.
    Merge(Key, Key),
    /// The store crashes at its next write, or at its next sync, and is opened again.
    Crash(StoreId, bool),
}

/// A schedule's course.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) region: Region,
    /// The store that campaigns first.
    pub(crate) first: StoreId,
    pub(crate) steps: Vec<Step>,
    /// How the keys of each client begin.
    pub(crate) clients: [&'static str; 2],
}

/// Text as a key or value.
pub(crate) fn bytes(text: &str) -> Key {
    Arc::from(text.as_bytes())
}

/// The region in which everything begins.
fn region() -> Region {
    let voter = |id: StoreId| Member { id, store: id, role: MemberRole::Voter };
    let epoch = Epoch { conf_ver: 1, version: 1 };
    Region { epoch, peers: STORES.map(voter).to_vec(), ..Region::unknown(1) }
}

impl Plan {
    /// The plan of that seed.
    pub(crate) fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let [left, right] = ["b", "t"];
        let store = |random: &mut Random| *random.choose(&STORES).expect("a store");
        let key = |random: &mut Random| bytes(if random.percent(50) { left } else { right });
        let mut steps = vec![Step::Split(bytes(MIDDLE))];
        if random.percent(50) {
            let (source, target) = if random.percent(50) { (left, right) } else { (right, left) };
            steps.push(Step::Merge(bytes(source), bytes(target)));
        }
        for _ in 0..3 {
            let step = match random.below(6) {
                0 => Step::Campaign(key(&mut random), store(&mut random)),
                1 => Step::Transfer(key(&mut random), store(&mut random)),
                2 | 3 => Step::Replace(key(&mut random), store(&mut random)),
                _ => Step::Crash(store(&mut random), random.percent(50)),
            };
            steps.insert(random.below(steps.len() as u64 + 1) as usize, step);
        }
        Self { region: region(), first: store(&mut random), steps, clients: [left, right] }
    }
}
