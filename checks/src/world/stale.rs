//! `CheckStalePeer`: a store asks every member that it knows and the placement driver at once. The
//! world delivers one of the questions; the others are lost.

use rollcall_impl::{Guards, Input, Output, Replica};
use rollcall_traces::{Authority, Reason, RegionId, Reply, StoreId};

use super::World;

impl<G: Guards, R: Replica> World<G, R> {
    pub(super) fn check_stale_peer(
        &mut self,
        region: RegionId,
        store: StoreId,
        asks: Authority,
        reply: Reply,
    ) -> Result<(), Reason> {
        let asking = self.up(store)?;
        let outputs = self.step(asking, region, Input::CheckStalePeer { region })?;
        match asks {
            Authority::Member(asked) => {
                let question = outputs.into_iter().find_map(|output| match output {
                    Output::Message(message) if message.to.store == asked => Some(message),
                    _ => None,
                });
                let question = question.ok_or(Reason::NotInConfig)?;
                let receiver = self.up(asked)?;
                self.deliver(receiver, question, reply)?;
                // Its only other effect can be that an older peer is destroyed.
                Err(Reason::NotInitialMessage)
            }
            Authority::PlacementDriver => {
                let asks_pd = outputs.contains(&Output::ValidatePeer { region });
                debug_assert!(asks_pd, "a store asks PD as well");
                let known = self.known(region)?.clone();
                let outputs = self.step(asking, region, Input::ValidatePeer { region, known })?;
                for output in outputs {
                    let Output::Message(word) = output else { continue };
                    match reply {
                        Reply::Delivered => {
                            self.step(asking, region, Input::Message(word))?;
                        }
                        Reply::Delayed => self.hold(word),
                        Reply::Dropped => {}
                    }
                }
                Ok(())
            }
        }
    }
}
