//! `TestOneSplit3B` at its own size: a region grows and splits while one store is partitioned; that
//! store then catches up.

use rollcall_traces::{Command, Key, Outcome, Reason, Value};

use super::clients::Way;
use super::ending::{Lost, RECOVERY};
use super::requests::{Reply, Ticket};
use super::schedule::Schedule;

/// The partitioned store.
const CUT_OFF: u64 = 5;

/// Ticks after which a write is sent again.
const PATIENCE: u64 = 30;

fn otherwise(what: &str) -> Lost {
    Lost::Otherwise(what.into())
}

/// `text("k", 2)` is `k2`.
fn text(letter: &str, number: u64) -> Key {
    Key::from(format!("{letter}{number}").as_str())
}

impl Schedule {
    /// The steps of the test. The partition lasts for at least `events` events.
    pub(super) fn one_split(&mut self, events: u64) -> Result<(), Lost> {
        self.must_put([1, 2])?;
        if self.region_of(1).is_none() || self.region_of(1) != self.region_of(2) {
            return Err(otherwise("k1 and k2 are not in one region at first"));
        }
        self.partition([CUT_OFF]);
        self.must_put(100..200)?;
        self.until("no split was reported", |schedule| {
            schedule.events() >= events && schedule.region_of(1) != schedule.region_of(2)
        })?;
        if (100..200).any(|number| self.cut_off_has(number)) {
            return Err(otherwise("the partitioned store has a key that was written meanwhile"));
        }
        self.partition([]);
        self.look_at_parts()?;
        self.refuse_right_key()?;
        self.until("the partitioned store does not catch up", |schedule| {
            (100..200).all(|number| schedule.cut_off_has(number))
        })?;
        self.until("the cluster does not settle", |schedule| schedule.network.settled(None).is_ok())
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<(), Lost> {
        let until = self.network.now + RECOVERY;
        while !holds(self) {
            if self.network.now >= until && self.events() >= self.header.parameters.events {
                return Err(otherwise(what));
            }
            self.tick()?;
        }
        Ok(())
    }

    fn events(&self) -> u64 {
        self.network.events.len() as u64
    }

    /// Writes the keys one after another, each until it is acknowledged.
    fn must_put(&mut self, numbers: impl IntoIterator<Item = u64>) -> Result<(), Lost> {
        for number in numbers {
            let command = Command::Put { key: text("k", number), value: text("v", number) };
            let until = self.network.now + RECOVERY;
            let (mut way, mut asked): (Way, Option<(Ticket, u64)>) = Default::default();
            loop {
                if let Some((ticket, since)) = asked {
                    let reply = self.network.requests.fetch(ticket);
                    if let Some(Reply::Applied) = reply {
                        break;
                    }
                    if reply.is_some() || self.network.now > since + PATIENCE {
                        self.network.requests.forget(ticket);
                        // The store that was asked may be partitioned.
                        (way, asked) = Default::default();
                    }
                }
                if asked.is_none() {
                    let ticket = way.write(&mut self.network, &command);
                    asked = ticket.map(|ticket| (ticket, self.network.now));
                }
                if self.network.now > until {
                    return Err(Lost::Otherwise(format!("the write of k{number} is never acknowledged")));
                }
                self.tick()?;
            }
            self.acknowledged += 1;
        }
        Ok(())
    }

    fn region_of(&self, number: u64) -> Option<&rollcall_impl::Region> {
        let route = self.network.pd.route(text("k", number).as_bytes())?;
        Some(&route.region)
    }

    /// Checks that the two regions are adjacent and cover the original range.
    fn look_at_parts(&self) -> Result<(), Lost> {
        let (Some(left), Some(right)) = (self.region_of(1), self.region_of(2)) else {
            return Err(otherwise("a part of the key space has no region"));
        };
        let covers = left.start.is_empty() && left.end == right.start && right.end.is_empty();
        let is_divided = !left.contains(b"k2") && !right.contains(b"k1") && left.id != right.id;
        if covers && is_divided {
            Ok(())
        } else {
            Err(otherwise("the regions are not adjacent, or do not cover the range"))
        }
    }

    /// The left region must refuse a key of the right one, asked under its current epoch. It is
    /// asked once it has a leader.
    fn refuse_right_key(&mut self) -> Result<(), Lost> {
        let until = self.network.now + RECOVERY;
        while self.network.now < until {
            if let Some((at, region, _)) = Way::default().to(&self.network, &text("k", 1)) {
                match self.network.read(at, region, Some(text("k", 2))) {
                    Err(Outcome::Refused(Reason::KeyNotInRegion)) => return Ok(()),
                    Err(Outcome::Refused(Reason::NotLeader)) => {}
                    other => {
                        return Err(Lost::Otherwise(format!(
                            "the left region must refuse k2, and answers {other:?}"
                        )));
                    }
                }
            }
            self.tick()?;
        }
        Err(otherwise("the left region has no leader"))
    }

    fn cut_off_has(&self, number: u64) -> bool {
        let (key, expected): (Key, Value) = (text("k", number), text("v", number));
        let store = &self.network.nodes[self.network.index_of(CUT_OFF)].store;
        let mut peers = store.regions().filter_map(|region| store.peer(region));
        peers.any(|peer| {
            peer.region().contains(key.as_bytes())
                && peer.data().get(key.as_bytes()).is_some_and(|value| **value == *expected.as_bytes())
        })
    }
}
