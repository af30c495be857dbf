//! `tikv-ctl` in local mode: it changes the disk of a store whose process is stopped.
//!
//! Neither the placement driver nor the other replicas learn of it. Follows TiKV
//! `src/server/debug.rs` (`set_region_tombstone`, `set_region_tombstone_by_force`). The peer's data
//! is cleared from the disk at once; TiKV clears it when the store restarts.

use crate::error::{Error, Refusal};
use crate::guard::{Guard, Guards};
use crate::proto::region::{Region, RegionId, StoreId};
use crate::storage::engine::{Engine, PeerRecord, PeerState, Write};

/// Makes the peer of `region` on a stopped store a tombstone.
///
/// `known` is the placement driver's region. It must be newer than the peer's own and must not list
/// the peer. Without it (`--force`) nothing is checked, and the tombstone keeps the peer's own
/// region.
///
/// # Errors
/// [`Error::Refused`] with [`Refusal::RegionNotFound`] where no initialised peer
/// is there, [`Refusal::InvalidConfVer`] or [`Refusal::PeerStillListed`];
/// nothing changed. Where the engine fails.
pub fn tombstone_peer<E: Engine>(
    engine: &mut E,
    guards: impl Guards,
    store: StoreId,
    region: RegionId,
    known: Option<&Region>,
) -> Result<(), Error> {
    let failed = |source| Error::Engine { store, source };
    let refused = |refusal| Error::Refused { region, store, refusal };
    let persisted = engine.load(region).map_err(failed)?;
    let old = persisted.map(|persisted| persisted.record);
    let old = old.filter(|record| matches!(record.state, PeerState::Normal | PeerState::Merging));
    let old = old.ok_or(refused(Refusal::RegionNotFound))?;
    if let Some(known) = known {
        check_removed(guards, store, &old, known).map_err(refused)?;
    }
    let rest = known.cloned().unwrap_or(old.region);
    let record = PeerRecord::new(old.id, PeerState::Tombstone, rest);
    engine.write(vec![Write::Clear(region), Write::Record(record)]).map_err(failed)?;
    engine.sync().map_err(failed)
}

/// Checks that the placement driver knows a newer configuration without the peer.
fn check_removed(
    guards: impl Guards,
    store: StoreId,
    old: &PeerRecord,
    known: &Region,
) -> Result<(), Refusal> {
    if known.epoch.conf_ver <= old.region.epoch.conf_ver && guards.holds(Guard::TombstoneNeedsConfVerAdvance)
    {
        return Err(Refusal::InvalidConfVer);
    }
    if known.member_on(store).is_some_and(|member| member.id == old.id) {
        return Err(Refusal::PeerStillListed);
    }
    Ok(())
}
