//! Drives a subject by a trace and compares after every step.

use std::fmt;
use std::path::Path;

use serde_json::Value as Json;
use thiserror::Error;

use crate::action::Action;
use crate::diff::{Difference, differences};
use crate::divergence::{Divergence, Sides};
use crate::file::{Expect, Header, Place, Reader, Record, Step, Trace, TraceError};
use crate::outcome::{Outcome, Reason};
use crate::region::{Key, RegionId, StoreId, Value};
use crate::scope::ScopeError;
use crate::subject::Subject;
use crate::view::{Role, StoreStatus, View};

/// What a replay that agreed has compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Replayed {
    /// Steps taken.
    pub steps: u64,
    /// Outcomes compared.
    pub outcomes: u64,
    /// Whole views compared, that of the first state included.
    pub views: u64,
    /// Single expectations checked: keys of stores, leaders, and `conf_ver`s.
    pub expectations: u64,
}

/// A replay that did not reach its end.
#[derive(Debug, Error)]
pub enum ReplayError {
    /// The two sides differ.
    #[error("{0}")]
    Diverged(Box<Divergence>),
    /// An action of a scenario cannot be taken, and the scenario does not say so.
    #[error(
        "{at}: `{action}` cannot be taken: {reason}; correct it, or give the step that outcome if it is meant"
    )]
    Refused {
        /// The step, with its file and line where it came from one.
        at: StepPlace,
        /// The action.
        action: Box<Action>,
        /// Why.
        reason: Reason,
    },
    /// There is nothing to replay.
    #[error("{scenario}: zero steps were replayed; a trace without steps shows nothing")]
    ZeroSteps {
        /// The situation.
        scenario: String,
    },
    /// The scope cannot be begun.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The file is no trace.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

/// Which step, and where it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepPlace {
    /// The situation.
    pub scenario: String,
    /// The step, from 1.
    pub step: u64,
    /// The line of the file, where there is one.
    pub place: Option<Place>,
}

impl fmt::Display for StepPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{place}: step {}", self.step),
            None => write!(f, "{}: step {}", self.scenario, self.step),
        }
    }
}

/// A replay under way.
#[derive(Debug)]
pub struct Replayer<'s, S> {
    subject: &'s mut S,
    scenario: String,
    sides: Sides,
    prefix: Vec<Action>,
    compared: Replayed,
}

impl<'s, S: Subject> Replayer<'s, S> {
    /// Starts the subject over in the header's scope.
    ///
    /// # Errors
    /// Where the scope cannot be begun, or its first view differs from the header's.
    pub fn begin(subject: &'s mut S, header: &Header, sides: Sides) -> Result<Self, ReplayError> {
        subject.reset(&header.scope)?;
        let scenario = header.scenario.clone();
        let mut this = Self { subject, scenario, sides, prefix: Vec::new(), compared: Replayed::default() };
        if let Some(expected) = &header.view {
            this.compared.views += 1;
            let actual = this.subject.view();
            if *expected != actual {
                return Err(this.diverged(None, None, differences(expected, &actual)));
            }
        }
        Ok(this)
    }

    /// Takes one step and compares everything that the step says.
    ///
    /// # Errors
    /// Where the two sides differ, or a step without an outcome is refused.
    pub fn step(&mut self, step: &Step) -> Result<(), ReplayError> {
        self.prefix.push(step.action.clone());
        self.compared.steps += 1;
        let actual = self.subject.apply(&step.action);
        match (&step.outcome, &actual) {
            (None, Outcome::Refused(reason)) => {
                let at =
                    StepPlace { scenario: self.scenario.clone(), step: self.compared.steps, place: None };
                let action = Box::new(step.action.clone());
                return Err(ReplayError::Refused { at, action, reason: *reason });
            }
            (None, Outcome::Done(_)) => {}
            (Some(_), _) => self.compared.outcomes += 1,
        }
        let same_outcome = step.outcome.as_ref().is_none_or(|expected| *expected == actual);
        if same_outcome && step.view.is_none() && step.expect.is_none() {
            return Ok(());
        }
        let view = self.subject.view();
        let mut found = Vec::new();
        if let Some(expected) = &step.view {
            self.compared.views += 1;
            found = differences(expected, &view);
        }
        if let Some(expect) = &step.expect {
            self.compared.expectations += expect.count();
            found.extend(expect.unmet(&view));
        }
        if same_outcome && found.is_empty() {
            return Ok(());
        }
        Err(self.diverged(step.outcome.clone(), Some(actual), found))
    }

    /// What was compared.
    ///
    /// # Errors
    /// Where no step was taken.
    pub fn finish(self) -> Result<Replayed, ReplayError> {
        match self.compared.steps {
            0 => Err(ReplayError::ZeroSteps { scenario: self.scenario }),
            _ => Ok(self.compared),
        }
    }

    fn diverged(
        &mut self,
        expected: Option<Outcome>,
        actual: Option<Outcome>,
        differences: Vec<Difference>,
    ) -> ReplayError {
        ReplayError::Diverged(Box::new(Divergence {
            scenario: self.scenario.clone(),
            sides: self.sides.clone(),
            step: self.compared.steps,
            action: self.prefix.last().cloned(),
            expected,
            actual,
            differences,
            guards: Vec::new(),
            prefix: std::mem::take(&mut self.prefix),
            command: None,
        }))
    }
}

/// Replays a trace or scenario from memory.
///
/// # Errors
/// Where the two sides differ, an action cannot be taken, the scope cannot be
/// begun, or there is no step.
pub fn replay<S: Subject>(subject: &mut S, trace: &Trace, sides: Sides) -> Result<Replayed, ReplayError> {
    let mut replayer = Replayer::begin(subject, &trace.header, sides)?;
    for step in &trace.steps {
        replayer.step(step)?;
    }
    replayer.finish()
}

/// Replays a trace or scenario from its file, with one step in memory.
///
/// # Errors
/// As [`replay`], and where the file cannot be read.
pub fn replay_file<S: Subject>(subject: &mut S, path: &Path, sides: Sides) -> Result<Replayed, ReplayError> {
    let mut reader = Reader::open(path)?;
    let mut replayer = Replayer::begin(subject, reader.header(), sides)?;
    while let Some(record) = reader.next() {
        if let Record::Step(step) = record? {
            replayer.step(&step).map_err(|error| placed(error, &reader))?;
        }
    }
    replayer.finish()
}

/// Adds the line to an action that cannot be taken.
fn placed<R: std::io::BufRead>(mut error: ReplayError, reader: &Reader<R>) -> ReplayError {
    if let ReplayError::Refused { at, .. } = &mut error {
        at.place = Some(reader.place_of("action"));
    }
    error
}

impl Expect {
    /// How many single things are expected.
    pub fn count(&self) -> u64 {
        let keys: usize = self.data.values().map(|keys| keys.len()).sum();
        (keys + self.leader.len()) as u64 + u64::from(self.conf_ver_at_least.is_some())
    }

    /// What of it `view` does not show, as `stores/<id>/holds/<key>`,
    /// `regions/<id>/leader` (a store) and `regions/<id>/conf_ver_at_least`.
    pub fn unmet(&self, view: &View) -> Vec<Difference> {
        let json = |value: &Value| serde_json::to_value(value).expect("a value is a string of hex");
        let mut unmet = Vec::new();
        for (&store, keys) in &self.data {
            for (key, expected) in keys {
                let actual = held_by(view, store, key);
                if expected.as_ref() != actual {
                    let path = format!("stores/{store}/holds/{key}");
                    let (expected, actual) = (expected.as_ref().map(json), actual.map(json));
                    unmet.push(Difference { path, expected, actual });
                }
            }
        }
        for (&region, &store) in &self.leader {
            let actual = leads(view, region);
            if actual != Some(store) {
                let path = format!("regions/{region}/leader");
                unmet.push(Difference { path, expected: Some(store.into()), actual: actual.map(Json::from) });
            }
        }
        if let Some(least) = self.conf_ver_at_least {
            let newest = newest_conf_ver(view);
            let path = |region: &str| format!("regions/{region}/conf_ver_at_least");
            let expected = Some(Json::from(least));
            if newest.is_empty() {
                unmet.push(Difference { path: path("any"), expected: expected.clone(), actual: None });
            }
            for (region, conf_ver) in newest.into_iter().filter(|(_, conf_ver)| *conf_ver < least) {
                let actual = Some(Json::from(conf_ver));
                unmet.push(Difference {
                    path: path(&region.to_string()),
                    expected: expected.clone(),
                    actual,
                });
            }
        }
        unmet
    }
}

/// What `store` holds of `key` in an initialised peer whose range has the key.
fn held_by<'v>(view: &'v View, store: StoreId, key: &Key) -> Option<&'v Value> {
    let peers = view.stores.get(&store)?.peers.values();
    peers
        .filter(|peer| peer.is_initialised() && peer.region.contains(key))
        .find_map(|peer| peer.data.get(key))
}

/// The store of the leader of the newest term, if that term has one that runs.
fn leads(view: &View, region: RegionId) -> Option<StoreId> {
    let peers = || {
        view.stores
            .iter()
            .filter(|(_, store)| store.status == StoreStatus::Up)
            .filter_map(move |(id, store)| Some((*id, store.peers.get(&region)?)))
    };
    let newest = peers().map(|(_, peer)| peer.term).max()?;
    peers().find(|(_, peer)| peer.role == Role::Leader && peer.term == newest).map(|(store, _)| store)
}

fn newest_conf_ver(view: &View) -> std::collections::BTreeMap<u64, u64> {
    let mut newest = std::collections::BTreeMap::new();
    for (region, peer) in view.stores.values().flat_map(|store| &store.peers) {
        if peer.is_initialised() {
            let conf_ver: &mut u64 = newest.entry(*region).or_default();
            *conf_ver = (*conf_ver).max(peer.region.epoch.conf_ver);
        }
    }
    newest
}
