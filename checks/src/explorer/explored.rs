//! What the explorer needs from a model. The defaults come from stateright's `Model`.

use ahash::RandomState;
use rollcall_model::{PartCounts, PartsError, Rollcall, State, Translation};
use rollcall_traces::Action;
use stateright::Model;

/// A model that may compute successors or check states faster than one by one. The results must
/// equal those of [`Model`].
pub trait Explored: Model {
    /// Calls `each` for every successor of `state`, with the index of its action in the list of
    /// offered actions, the action's kind, and the successor. `actions` is scratch space.
    fn expand(
        &self,
        state: &Self::State,
        actions: &mut Vec<Self::Action>,
        kind: impl Fn(&Self::State, &Self::Action) -> usize,
        mut each: impl FnMut(usize, usize, Self::State),
    ) {
        actions.clear();
        self.actions(state, actions);
        for (place, action) in actions.drain(..).enumerate() {
            let kind = kind(state, &action);
            if let Some(successor) = self.next_state(state, action) {
                each(place, kind, successor);
            }
        }
    }

    /// The violated `always` properties: bit n is the nth property. `None` if each must be checked
    /// by itself.
    fn broken(&self, _: &Self::State) -> Option<u64> {
        None
    }

    /// A hash of the row that is equal in every process of one build. The default is right if the row
    /// is the whole state.
    fn fingerprint(&self, row: &[u32]) -> u64 {
        RandomState::with_seeds(0x4528_21e6, 0x38d0_1377, 0xbe54_66cf, 0x34e9_0c6c).hash_one(row)
    }

    /// The fingerprint of `after`, where that of `before` is known.
    fn fingerprint_after(&self, _known: u64, _before: &[u32], after: &[u32]) -> u64 {
        self.fingerprint(after)
    }

    /// Definitions of what the numbers of these rows stand for, for another process that was told of
    /// so much; `None` if that suffices. The default is right if the row is the whole state.
    fn definitions<'r>(
        &self,
        _told: &mut PartCounts,
        _rows: impl IntoIterator<Item = &'r [u32]>,
    ) -> Option<Vec<u8>> {
        None
    }

    /// Takes in definitions of another process, each once, in order.
    ///
    /// # Errors
    /// If they cannot be read, or are not the next ones.
    fn learn(&self, _theirs: &mut Translation, _definitions: &[u8]) -> Result<(), PartsError> {
        Ok(())
    }

    /// Turns a row of another process into one of this process.
    fn translate(&self, _theirs: &Translation, _row: &mut [u32]) {}
}

impl Explored for Rollcall {
    fn expand(
        &self,
        state: &State,
        _: &mut Vec<Action>,
        kind: impl Fn(&State, &Action) -> usize,
        mut each: impl FnMut(usize, usize, State),
    ) {
        Rollcall::expand(self, state, |place, action, successor| each(place, kind(state, action), successor));
    }

    fn broken(&self, state: &State) -> Option<u64> {
        Some(Rollcall::broken(self, state))
    }

    fn fingerprint(&self, row: &[u32]) -> u64 {
        Rollcall::fingerprint(self, row)
    }

    fn fingerprint_after(&self, known: u64, before: &[u32], after: &[u32]) -> u64 {
        Rollcall::fingerprint_after(self, known, before, after)
    }

    fn definitions<'r>(
        &self,
        told: &mut PartCounts,
        rows: impl IntoIterator<Item = &'r [u32]>,
    ) -> Option<Vec<u8>> {
        Rollcall::definitions(self, told, rows)
    }

    fn learn(&self, theirs: &mut Translation, definitions: &[u8]) -> Result<(), PartsError> {
        Rollcall::learn(self, theirs, definitions)
    }

    fn translate(&self, theirs: &Translation, row: &mut [u32]) {
        theirs.translate(row);
    }
}
