//! `AskSplit`: a leader asks for the ids of a split, the placement driver allots them.

use rollcall_impl::{Guards, Input, Output};
use rollcall_traces::{Answer, Derive, Held, Key, PlacementDriver, Reason, RegionId, Returned, StoreId};

use super::{Waiting, World, convert};

impl<G: Guards> World<G> {
    pub(super) fn placement_driver(&self) -> PlacementDriver {
        PlacementDriver { next_id: self.pd.next_id }
    }

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
        let input = Input::AskSplit { region, keys, derive: convert::to_derive(derive) };
        let outputs = self.step(node, region, input)?;
        if self.placement_driver().is_absent() {
            return Err(Reason::NoPlacementDriver);
        }
        let asked = outputs.into_iter().find_map(|output| match output {
            Output::AskSplit { region, keys, derive, to } => Some((region, keys, derive, to)),
            _ => None,
        });
        let (asking, keys, kept, to) = asked.expect("a leader that may ask asks");
        let allotted = self.pd.allot(&asking, &keys);
        self.changed = true;
        let children: Vec<_> = allotted.iter().map(convert::child).collect();
        let reply = Input::SplitAnswer { region, epoch: asking.epoch, children: allotted, derive: kept };
        let mut refused = None;
        match answer {
            Answer::Given => refused = self.step(node, region, reply).err(),
            Answer::Held => {
                let (to, epoch) = (convert::member(&to), convert::epoch(asking.epoch));
                self.held.push(Held::split_answer(region, to, epoch, children.clone(), derive));
                self.messages.push(Waiting::SplitAnswer(store, reply));
            }
            Answer::Lost => {}
        }
        Ok(Returned::Allotted { children, refused })
    }
}
