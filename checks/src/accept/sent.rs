//! Checks a sent message. The sender may send it in its state before or after the event, or it is
//! the reply to the delivered message, or the placement driver's reply.

use rollcall_model::{State, may_ask, may_send};
use rollcall_traces::{Cluster, Event, Happening, Held, Message, Sent};

use super::{Acceptor, Fault};

/// The last id that a message allots; 0 if it allots none.
pub(super) fn last_id(held: &Held) -> u64 {
    let Message::AskSplitResponse { children, .. } = &held.message else { return 0 };
    let ids = children.iter().flat_map(|child| child.peers.iter().chain([&child.region]));
    ids.copied().max().unwrap_or_default()
}

impl Acceptor {
    /// Checks that the sender may send the message before or after the event, or that it replies to
    /// the delivered message.
    pub(super) fn check_sent(
        &self,
        event: &Event,
        before: &State,
        after: &State,
        mut answers: Vec<Held>,
    ) -> Result<(), Fault> {
        let applied = matches!(event.event, Happening::ApplySnapshot { .. });
        let asks = matches!(event.event, Happening::AskMembers { .. });
        for Sent { id, message } in &event.sent {
            if let Some(answer) = answers.iter().position(|answer| answer == message) {
                answers.remove(answer);
                continue;
            }
            let is_reply = matches!(message.message, Message::AppendResponse { .. }) && !applied;
            let may = |state: &State| {
                let seen = self.model.cluster(state);
                match seen.peer(message.from.store, message.region) {
                    _ if message.is_from_pd() => self.may_allot(event, state, message),
                    Some(peer) if asks => may_ask(peer, message.from.store, message),
                    _ if is_reply => Err("it is a reply without a request".to_string()),
                    Some(peer) => may_send(peer, message.from.store, message),
                    None => Err("its sender is not there".into()),
                }
            };
            if let Err(why) = may(after)
                && may(before).is_err()
            {
                return Err(Fault::new(format!("message {id} ({message}) cannot be sent: {why}")));
            }
        }
        if matches!(event.event, Happening::AskSplit { .. }) && event.sent.len() != 1 {
            return Err(Fault::new("the placement driver answers a request for ids once"));
        }
        match answers.first() {
            Some(answer) => Err(Fault::new(format!("the model answers: {answer}"))),
            None => Ok(()),
        }
    }

    /// Whether the placement driver may allot these ids: to a leader that asked, one for each
    /// member that it knows, and none of them allotted before.
    fn may_allot(&self, event: &Event, state: &State, held: &Held) -> Result<(), String> {
        let demand = |holds: bool, what: &str| if holds { Ok(()) } else { Err(what.to_string()) };
        let Message::AskSplitResponse { children, derive } = &held.message else {
            return Err("it allots nothing".into());
        };
        let Happening::AskSplit { region, store, keys, derive: asked } = &event.event else {
            return Err("no leader has asked for ids".into());
        };
        let seen = self.model.cluster(state);
        let leader = seen.peer(*store, *region).filter(|peer| peer.leading.is_some());
        let leader = leader.ok_or("the sender does not lead")?;
        demand(held.region == *region && Some(&held.to) == leader.region.member(leader.id), "another asked")?;
        demand(held.from.store == 0 && held.from.id == 0 && held.term == 0, "a peer sends it")?;
        demand(held.epoch == leader.region.epoch, &format!("the sender has epoch {}", leader.region.epoch))?;
        demand(derive == asked, "it was asked for otherwise")?;
        demand(children.iter().map(|child| &child.key).eq(keys), "it was asked for other keys")?;
        demand(keys.iter().all(|key| leader.region.contains(key)), "a key is outside the region")?;
        let members = leader.region.peers.len();
        demand(
            children.iter().all(|child| child.peers.len() == members),
            &format!("{members} peers need ids"),
        )?;
        let mut last = self.allotted;
        for id in children.iter().flat_map(|child| [&child.region].into_iter().chain(&child.peers)) {
            demand(*id > last, &format!("{id} is not beyond {last}, which was given"))?;
            last = *id;
        }
        Ok(())
    }
}
