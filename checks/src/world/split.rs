//! `AskSplit`: a leader asks for the ids of a split, the placement driver allots them.

use rollcall_impl::{self as imp, Guards, Input, Output, Replica};
use rollcall_traces::{Answer, Child, Derive, Epoch, Held, Key, Member, Reason, RegionId, Returned, StoreId};

use super::{Waiting, World, convert};

/// Ids that were allotted, on their way to who asked.
pub(super) struct Asked {
    pub(super) children: Vec<Child>,
    pub(super) answer: Input,
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
        answer: Answer,
    ) -> Result<Returned, Reason> {
        let node = self.up(store)?;
        let keys = keys.iter().map(convert::to_key).collect();
        let asked = self.ask_for_ids(node, region, keys, convert::to_derive(derive))?;
        let mut refused = None;
        match answer {
            Answer::Given => refused = self.step(node, region, asked.answer).err(),
            Answer::Held => {
                let children = asked.children.clone();
                self.held.push(Held::split_answer(region, asked.to, asked.epoch, children, derive));
                self.messages.push(Waiting::SplitAnswer(store, asked.answer));
            }
            Answer::Lost => {}
        }
        Ok(Returned::Allotted { children: asked.children, refused })
    }

    /// The leader in that place asks, and ids are allotted to it.
    pub(super) fn ask_for_ids(
        &mut self,
        node: usize,
        region: RegionId,
        keys: Vec<imp::Key>,
        derive: imp::Derive,
    ) -> Result<Asked, Reason> {
        let outputs = self.step(node, region, Input::AskSplit { region, keys, derive })?;
        let asked = outputs.into_iter().find_map(|output| match output {
            Output::AskSplit { region, keys, derive, to } => Some((region, keys, derive, to)),
            _ => None,
        });
        let (asking, keys, derive, to) = asked.expect("a leader that may ask asks");
        let allotted = self.allot(&asking, &keys, derive)?;
        Ok(Asked {
            children: allotted.iter().map(convert::child).collect(),
            answer: Input::SplitAnswer { region, epoch: asking.epoch, children: allotted, derive },
            to: convert::member(&to),
            epoch: convert::epoch(asking.epoch),
        })
    }
}
