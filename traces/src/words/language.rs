//! The languages in which steps and changes are rendered.

use std::fmt::Display;

use super::chinese::Chinese;

/// A language of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Chinese. Names of the code, of TiKV and of PD stay as they are.
    Chinese,
}

impl Language {
    /// The item in words.
    pub fn of<T: Display + Chinese + ?Sized>(self, it: &T) -> String {
        match self {
            Language::English => it.to_string(),
            Language::Chinese => it.in_chinese(),
        }
    }

    /// The separator between parts of a sentence.
    pub(crate) fn comma(self) -> &'static str {
        match self {
            Language::English => ", ",
            Language::Chinese => "，",
        }
    }
}
