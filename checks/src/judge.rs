//! Judges the views of a run by properties. It keeps the history between views.

use anyhow::{Result, bail};
use rollcall_model::properties::{Property, Violation};
use rollcall_traces::{ALL_PROPERTIES, Action, History, HistoryParts, Outcome, View};

/// Judges the views of one run.
#[derive(Clone)]
pub struct Judge {
    properties: Vec<Property>,
    seen: Option<(View, History)>,
}

impl Judge {
    /// Judges by these properties.
    pub fn new(properties: &[Property]) -> Self {
        Self { properties: properties.to_vec(), seen: None }
    }

    /// Judges by the properties that a trace names.
    ///
    /// # Errors
    /// If it names an unknown property.
    pub fn named(names: &[String]) -> Result<Self> {
        if names.iter().any(|name| name == ALL_PROPERTIES) {
            return Ok(Self::new(Property::ALL));
        }
        let mut properties = Vec::new();
        for name in names {
            match Property::from_name(name) {
                Some(property) => properties.push(property),
                None => bail!("unknown property `{name}`; `rollcall properties` lists them all"),
            }
        }
        Ok(Self::new(&properties))
    }

    /// The violations in the next view. `taken` is the action that led to it, `None` for the first
    /// view of a run.
    pub fn violations(&mut self, view: &View, taken: Option<(&Action, &Outcome)>) -> Vec<Violation> {
        let history = match (self.seen.take(), taken) {
            (Some((before, mut history)), Some((action, outcome))) => {
                history.fold(&before, action, outcome, view);
                history
            }
            _ => {
                let parts = self
                    .properties
                    .iter()
                    .fold(HistoryParts::NONE, |all, property| all.union(property.parts()));
                History::begin(parts, view)
            }
        };
        let violations =
            self.properties.iter().filter_map(|property| property.check(view, &history).err()).collect();
        self.seen = Some((view.clone(), history));
        violations
    }

    /// The names of the properties that the next view violates.
    pub fn names(&mut self, view: &View, taken: Option<(&Action, &Outcome)>) -> Vec<String> {
        self.violations(view, taken).iter().map(|violation| violation.property.name().to_string()).collect()
    }
}
