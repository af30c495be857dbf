//! A recorded run as a list of events for a terminal.

use std::fmt::Write;

use super::title_line;
use crate::peer::PeerState;
use crate::run::{Event, Facts, PeerFacts, Run};

/// The run's header, then every event with the messages that were sent and the peer afterwards.
pub fn run(run: &Run) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_run(&mut text, run);
    text
}

fn write_run(text: &mut String, run: &Run) -> std::fmt::Result {
    let (header, happens) = (&run.header, &run.header.parameters);
    writeln!(text, "{}, recorded of the implementation from seed {}", header.scenario, header.seed)?;
    writeln!(text, "  {}", title_line(&header.scope))?;
    let mut with: Vec<&str> = Vec::new();
    with.extend(happens.unreliable.then_some("messages are lost and come twice"));
    with.extend(happens.crash.then_some("stores crash"));
    with.extend(happens.partitions.then_some("the network is parted"));
    with.extend(happens.conf_change.then_some("members come and go"));
    with.extend(happens.split.map(|_| "regions are split"));
    let with = if with.is_empty() { "nothing goes wrong".into() } else { with.join(", ") };
    writeln!(text, "  {} clients; {with}; faults stop after {} events\n", happens.clients, happens.events)?;
    let digits = run.events.len().to_string().len().max(3);
    for event in &run.events {
        write_event(text, event, digits)?;
    }
    writeln!(text, "\nverdict: a run states none; `rollcall accept` asks the model")
}

fn write_event(text: &mut String, event: &Event, digits: usize) -> std::fmt::Result {
    let indent = digits + 3;
    writeln!(text, "{:>digits$} {}", event.index, event.event)?;
    for sent in &event.sent {
        writeln!(text, "{:indent$}sends {}: {}", "", sent.id, sent.message)?;
    }
    for Facts { store, region, peer } in &event.facts {
        write!(text, "{:indent$}store {store}, region {region}: ", "")?;
        match peer {
            None => writeln!(text, "nobody")?,
            Some(peer) => write_peer(text, peer)?,
        }
    }
    Ok(())
}

fn write_peer(text: &mut String, peer: &PeerFacts) -> std::fmt::Result {
    let PeerFacts { id, state, role, term, log, commit, applied, meta, .. } = peer;
    if *state != PeerState::Normal {
        return writeln!(text, "peer {id} is {state} in term {term}, {}", meta.epoch);
    }
    let last = log.kept + log.entries.len() as u64;
    writeln!(
        text,
        "peer {id}, {role} of term {term}, has {last}, commits {commit}, has applied {applied}, {}",
        meta.epoch
    )
}
