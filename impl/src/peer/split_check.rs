//! When a leader asks for a split because its region is too big; `size.rs` measures it.

use crate::guard::Guards;
use crate::peer::Peer;
use crate::peer::size::{Size, scan};
use crate::raft_rs::replica::Replica;
use crate::store::input::Output;
use crate::store::step::StepContext;

impl<R: Replica> Peer<R> {
    /// Checks the region's size if enough was written since the last check, and asks for a split if
    /// it is too big.
    pub(crate) fn check_size<G: Guards>(&mut self, step: &mut StepContext<'_, G>) {
        if !self.is_leader() || self.is_by_force() || self.storage().is_merging() {
            return;
        }
        if !self.size.is_due(&self.config) {
            return;
        }
        let (total, key) = scan(&self.node.storage().data, self.config.split_size);
        let key = key.filter(|_| total > self.config.max_size);
        // Until the split is applied the size is unknown, so if PD's response is lost, the next
        // check asks again.
        self.size = Size { approximate: key.is_none().then_some(total), delta: 0 };
        if let Some(key) = key {
            step.out.push(Output::AskSplit {
                region: self.storage().region().clone(),
                keys: vec![key],
                derive: self.config.split_derive,
                to: self.myself(),
            });
        }
    }
}
