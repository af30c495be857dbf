//! The guards: rules that somebody once left out, by name.
//!
//! A sound store has them all, and the compiler removes the question. A store
//! built with [`Dropped`] lacks one and exists for the museum and for tests.
//! The model has the same names. Guards that only an implementation can show
//! are listed in [`Guard::is_implementation_only`].

use std::fmt;

/// Who decides the rule in the sound store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decider {
    /// raft-rs; the store undoes it at its message or proposal boundary.
    Raft,
    /// The store itself.
    Store,
}

/// Which rules hold.
pub trait Guards: Copy {
    /// Whether `guard` holds.
    fn holds(&self, guard: Guard) -> bool;
}

/// Every rule holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sound;

impl Guards for Sound {
    #[inline(always)]
    fn holds(&self, _: Guard) -> bool {
        true
    }
}

/// Every rule but one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped(pub Guard);

impl Guards for Dropped {
    #[inline]
    fn holds(&self, guard: Guard) -> bool {
        self.0 != guard
    }
}

macro_rules! guards {
    ($($(#[doc = $incident:literal])+ $variant:ident $name:literal $decider:ident,)+) => {
        /// One rule that can be dropped, with the incident that made it one.
        /// Row numbers are those of the catalogue of failures.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Guard {
            $($(#[doc = $incident])+ $variant,)+
        }

        impl Guard {
            /// Every guard whose dropping this crate implements.
            pub const ALL: &'static [Guard] = &[$(Guard::$variant),+];

            /// Its name, the same as in the model.
            pub fn name(self) -> &'static str {
                match self {
                    $(Guard::$variant => $name,)+
                }
            }

            /// The incident, in a line.
            pub fn incident(self) -> &'static str {
                match self {
                    $(Guard::$variant => concat!($($incident),+).trim_ascii(),)+
                }
            }

            /// Who decides it in the sound store.
            pub fn decider(self) -> Decider {
                match self {
                    $(Guard::$variant => Decider::$decider,)+
                }
            }
        }
    };
}

guards! {
    /// One of two voters is removed directly; the survivor can never win (row 15, tikv#10595).
    DemoteBeforeRemoval "demote_before_removal" Store,
    /// The log is sliced below its first index after a compaction (row 27).
    LogBoundsChecked "log_bounds_checked" Store,
}

impl Guard {
    /// The guard of this name.
    pub fn from_name(name: &str) -> Option<Guard> {
        Guard::ALL.iter().copied().find(|guard| guard.name() == name)
    }

    /// It lies below the grain of the model: only a named test here can show it.
    pub fn is_implementation_only(self) -> bool {
        matches!(self, Guard::LogBoundsChecked)
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
