//! `AskSplit`: a leader asks for the ids of a split, and the placement driver allots them.

use rollcall_impl::{self as imp, Guards, Input, Output, Replica};
use rollcall_traces::{Child, Derive, Epoch, Held, Key, Member, Reason, RegionId, Reply, Returned, StoreId};

use super::{Waiting, World, convert};

/// Allotted ids on their way to the leader that asked.
pub(super) struct AllottedIds {
    pub(super) children: Vec<Child>,
    pub(super) reply: Input,
    to: Member,
    epoch: Epoch,
}

impl<G: Guards, R: Replica> World<G, R> {
    pub(super) fn ask_split(
        &mut self,
        region: RegionId,
        store: StoreId,
        keys: &[Key],
        derive: Derive,
        reply: Reply,
    ) -> Result<Returned, Reason> {
        let node = self.up(store)?;
        let keys = keys.iter().map(convert::to_key).collect();
        let asked = self.ask_for_ids(node, region, (keys, convert::to_derive(derive)), None)?;
        let mut refused = None;
        match reply {
            Reply::Delivered => refused = self.step(node, region, asked.reply).err(),
            Reply::Delayed => {
                let children = asked.children.clone();
                self.held.push(Held::ask_split_response(region, asked.to, asked.epoch, children, derive));
                self.messages.push(Waiting::AskSplitResponse(store, asked.reply));
            }
            Reply::Dropped => {}
        }
        Ok(Returned::Allotted { children: asked.children, refused })
    }

    /// This leader asks, and ids are allotted to it.
    pub(super) fn ask_for_ids(
        &mut self,
        node: usize,
        region: RegionId,
        (keys, derive): (Vec<imp::Key>, imp::Derive),
        ordered_at: Option<imp::Epoch>,
    ) -> Result<AllottedIds, Reason> {
        let outputs = self.step(node, region, Input::AskSplit { region, keys, derive, ordered_at })?;
        let asked = outputs.into_iter().find_map(|output| match output {
            Output::AskSplit { region, keys, derive, to } => Some((region, keys, derive, to)),
            _ => None,
        });
        let (asking, keys, derive, to) = asked.expect("a leader that may ask asks");
        let allotted = self.allot(&asking, &keys, derive)?;
        Ok(AllottedIds {
            children: allotted.iter().map(convert::child).collect(),
            reply: Input::AskSplitResponse { region, epoch: asking.epoch, children: allotted, derive },
            to: convert::member(&to),
            epoch: convert::epoch(asking.epoch),
        })
    }
}
