//! A connection to an adapter: the handshake, requests and answers, and errors for wrong answers.
//!
//! A fault ends the connection and unwinds with a [`Fault`], as raft-rs panics. The code that
//! drives the step catches both and reports the schedule. Opening the next replica starts the
//! adapter again.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::child::{Adapter, ChildError};
use super::dialect;
use super::wire::{Answer, CAPABILITIES, Done, Handshake, PROTOCOL, Request, Verb};

/// How many lines of the wire a fault shows.
const SHOWN_LINES: usize = 10;
/// How many bytes of each line it shows.
const SHOWN_OF_A_LINE: usize = 400;

/// How to start an adapter and communicate with it. One adapter serves one thread.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The shell command.
    pub command: String,
    /// The time-out of an answer.
    pub timeout: Duration,
    /// A file for every line of the wire.
    pub log: Option<Arc<Mutex<File>>>,
}

impl Recipe {
    /// The default time-out of an answer.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// `command`, with the default time-out and no log.
    pub fn new(command: &str) -> Self {
        Self { command: command.into(), timeout: Self::TIMEOUT, log: None }
    }
}

/// An error of an adapter or its library. A step unwinds with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub words: String,
    /// The last lines of the wire.
    pub wire: Vec<String>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.words)?;
        if !self.wire.is_empty() {
            f.write_str("\nthe last lines of the wire (> asked, < answered):")?;
        }
        self.wire.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// Why there is no valid answer.
#[derive(Debug, thiserror::Error)]
enum LinkError {
    #[error(transparent)]
    Child(#[from] ChildError),
    #[error("answers with a line that is not of protocol {PROTOCOL}: {0}")]
    Nonsense(serde_json::Error),
    #[error("answers question {answered} a second time; the open question is {asked}")]
    Again { asked: u64, answered: u64 },
    #[error("answers question {answered}, which was not asked yet; the open question is {asked}")]
    Ahead { asked: u64, answered: u64 },
    #[error("answers question {asked} with {count} of `ok`, `refused` and `failed`, not with one")]
    NotOne { asked: u64, count: usize },
    #[error("speaks protocol {0}, and this is protocol {PROTOCOL}")]
    Protocol(u64),
    #[error("is of level `{0}`; only `node` and `world` are driven")]
    Level(String),
    #[error("names the capability `{0}`, which does not exist; {known}", known = known(CAPABILITIES))]
    Capability(String),
    #[error("names the dialect `{0}`, which does not exist; {known}", known = dialect::known())]
    Dialect(String),
    #[error("names the design `{0}`, which does not exist; {known}", known = known(dialect::DESIGNS))]
    Design(String),
    #[error("refuses the handshake: {0}")]
    Handshake(String),
}

fn known(listed: &[(&str, &str)]) -> String {
    let names: Vec<&str> = listed.iter().map(|(name, _)| *name).collect();
    format!("known are {}", names.join(", "))
}

/// A valid answer.
#[derive(Debug)]
pub(super) enum Said<T = Done> {
    Done(Box<T>),
    Refused(String),
    Failed(String),
}

/// A connection, shared by the replicas of one thread's stores.
#[derive(Clone)]
pub struct Link(Rc<RefCell<Wire>>);

struct Wire {
    recipe: Recipe,
    adapter: Option<Adapter>,
    /// The number of starts of the adapter. A handle of an earlier start is invalid.
    started: u64,
    seq: u64,
    handles: u64,
    /// Requests whose answers are skipped.
    unread: VecDeque<u64>,
    lines: VecDeque<String>,
    handshake: Rc<Handshake>,
    calls: u64,
}

impl Link {
    /// Starts the adapter and makes the handshake.
    ///
    /// # Errors
    /// If the handshake fails.
    pub fn connect(recipe: &Recipe) -> Result<Self, Fault> {
        let mut wire = Wire {
            recipe: recipe.clone(),
            adapter: None,
            started: 0,
            seq: 0,
            handles: 0,
            unread: VecDeque::new(),
            lines: VecDeque::new(),
            handshake: Rc::default(),
            calls: 0,
        };
        match wire.start() {
            Ok(()) => Ok(Self(Rc::new(RefCell::new(wire)))),
            Err(error) => Err(wire.fault(&error)),
        }
    }

    /// The adapter's handshake.
    pub fn handshake(&self) -> Rc<Handshake> {
        Rc::clone(&self.0.borrow().handshake)
    }

    /// Whether the handshake has this capability.
    pub fn has(&self, capability: &str) -> bool {
        self.0.borrow().handshake.has.iter().any(|has| has == capability)
    }

    /// How many requests were sent.
    pub fn calls(&self) -> u64 {
        self.0.borrow().calls
    }

    /// The process id of the adapter; `None` if it does not run.
    pub fn process(&self) -> Option<u32> {
        self.0.borrow().adapter.as_ref().map(Adapter::id)
    }

    /// Whether it answers for a whole cluster, not for single replicas.
    pub fn is_of_a_world(&self) -> bool {
        self.0.borrow().handshake.level == "world"
    }

    /// Starts the adapter if it does not run; the number of its start.
    pub(super) fn running(&self) -> u64 {
        let mut wire = self.0.borrow_mut();
        if wire.adapter.is_none()
            && let Err(error) = wire.start()
        {
            let fault = wire.fault(&error);
            unwind(fault);
        }
        wire.started
    }

    /// A handle for a new replica; starts the adapter if it does not run.
    pub(super) fn handle(&self) -> Handle {
        let of = self.running();
        let mut wire = self.0.borrow_mut();
        wire.handles += 1;
        Handle { node: wire.handles, of }
    }

    /// Sends a request and waits for the answer. A fault unwinds.
    pub(super) fn ask(&self, verb: Verb, of: u64) -> Said {
        self.ask_for(verb, of)
    }

    /// The same for another type of answer.
    pub(super) fn ask_for<T: DeserializeOwned>(&self, verb: Verb, of: u64) -> Said<T> {
        let mut wire = self.0.borrow_mut();
        if wire.adapter.is_none() || wire.started != of {
            let words = "the replica is gone: its adapter was ended by an earlier fault".into();
            unwind(Fault { words, wire: Vec::new() });
        }
        match wire.ask(verb) {
            Ok(said) => said,
            Err(error) => {
                let fault = wire.fault(&error);
                unwind(fault)
            }
        }
    }

    /// Closes a replica without waiting for the answer. A fault shows at the next request.
    pub(super) fn close(&self, handle: Handle) {
        // It may be borrowed while a fault unwinds.
        let Ok(mut wire) = self.0.try_borrow_mut() else { return };
        if wire.started == handle.of {
            wire.tell(Verb::Close { node: handle.node });
        }
    }

    /// Unwinds with a fault: the step cannot continue.
    pub(super) fn broken(&self, words: String) -> ! {
        let wire = self.0.borrow();
        let name = wire.name();
        let lines = wire.shown();
        drop(wire);
        unwind(Fault { words: format!("{name} {words}"), wire: lines })
    }
}

impl Fault {
    /// A fault without lines of the wire.
    pub(crate) fn of(words: String) -> Self {
        Self { words, wire: Vec::new() }
    }
}

/// Unwinds without output on standard error: the code that catches it reports it.
pub(crate) fn unwind(fault: Fault) -> ! {
    std::panic::resume_unwind(Box::new(fault))
}

/// A replica's handle, and the start of the adapter that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Handle {
    pub(super) node: u64,
    pub(super) of: u64,
}

impl Wire {
    fn start(&mut self) -> Result<(), LinkError> {
        self.unread.clear();
        self.started += 1;
        self.adapter = Some(Adapter::start(&self.recipe.command)?);
        let hello = Verb::Hello { protocol: PROTOCOL, rollcall: env!("CARGO_PKG_VERSION").into() };
        let handshake = match self.ask::<Handshake>(hello)? {
            Said::Done(handshake) => *handshake,
            Said::Refused(words) | Said::Failed(words) => return Err(LinkError::Handshake(words)),
        };
        if handshake.protocol != PROTOCOL {
            return Err(LinkError::Protocol(handshake.protocol));
        }
        if !["node", "world"].contains(&handshake.level.as_str()) {
            return Err(LinkError::Level(handshake.level));
        }
        let unknown = |has: &&String| CAPABILITIES.iter().all(|(name, _)| name != has);
        if let Some(unknown) = handshake.has.iter().find(unknown) {
            return Err(LinkError::Capability(unknown.clone()));
        }
        if let Some(unknown) = handshake.dialect.iter().find(|name| dialect::named(name).is_none()) {
            return Err(LinkError::Dialect(unknown.clone()));
        }
        if let Some(unknown) = handshake.by_design.iter().find(|name| !dialect::is_design(name)) {
            return Err(LinkError::Design(unknown.clone()));
        }
        self.handshake = Rc::new(handshake);
        Ok(())
    }

    fn ask<T: DeserializeOwned>(&mut self, verb: Verb) -> Result<Said<T>, LinkError> {
        let asked = self.question(verb);
        loop {
            let timeout = self.recipe.timeout;
            let said = self.running_adapter().answer(timeout)?;
            self.note('<', &said);
            if let Some(unread) = self.unread.front().copied() {
                let answer: Answer<serde_json::Value> =
                    serde_json::from_str(&said).map_err(LinkError::Nonsense)?;
                in_turn(unread, answer.seq)?;
                self.unread.pop_front();
                continue;
            }
            let answer: Answer<T> = serde_json::from_str(&said).map_err(LinkError::Nonsense)?;
            in_turn(asked, answer.seq)?;
            return match (answer.ok, answer.refused, answer.failed) {
                (Some(done), None, None) => Ok(Said::Done(Box::new(done))),
                (None, Some(words), None) => Ok(Said::Refused(words)),
                (None, None, Some(words)) => Ok(Said::Failed(words)),
                (ok, refused, failed) => {
                    let count = [ok.is_some(), refused.is_some(), failed.is_some()];
                    let count = count.into_iter().filter(|there| *there).count();
                    Err(LinkError::NotOne { asked, count })
                }
            };
        }
    }

    /// Sends a request with the next one.
    fn tell(&mut self, verb: Verb) {
        if self.adapter.is_some() {
            let asked = self.question(verb);
            self.unread.push_back(asked);
        }
    }

    fn running_adapter(&mut self) -> &mut Adapter {
        self.adapter.as_mut().expect("the adapter runs while a request is sent")
    }

    /// Hands a request to the adapter; returns its number.
    fn question(&mut self, verb: Verb) -> u64 {
        self.seq += 1;
        self.calls += 1;
        let request = Request { seq: self.seq, verb };
        let line = serde_json::to_string(&request).expect("a question has no key that is no text");
        self.note('>', &line);
        self.running_adapter().tell(&line);
        self.seq
    }

    fn note(&mut self, way: char, line: &str) {
        if let Some(log) = &self.recipe.log
            && let Ok(mut log) = log.lock()
        {
            // A failed log does not stop the replay.
            let _ = writeln!(log, "{way} {line}");
        }
        let full = self.lines.len() == SHOWN_LINES;
        let mut shown = if full { self.lines.pop_front() } else { None }.unwrap_or_default();
        shown.clear();
        shown.push(way);
        shown.push(' ');
        shown += &line[..line.floor_char_boundary(SHOWN_OF_A_LINE)];
        if line.len() > SHOWN_OF_A_LINE {
            shown += " …";
        }
        self.lines.push_back(shown);
    }

    fn shown(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }

    fn name(&self) -> String {
        match self.handshake.name.as_str() {
            "" => format!("the adapter `{}`", self.recipe.command),
            name => format!("{name}'s adapter"),
        }
    }

    /// Ends the adapter, because its later output would belong to no request.
    fn fault(&mut self, error: &LinkError) -> Fault {
        self.adapter = None;
        Fault { words: format!("{} {error}", self.name()), wire: self.shown() }
    }
}

fn in_turn(asked: u64, answered: u64) -> Result<(), LinkError> {
    match answered.cmp(&asked) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(LinkError::Again { asked, answered }),
        std::cmp::Ordering::Greater => Err(LinkError::Ahead { asked, answered }),
    }
}
