//! The values that options take, and which options cannot be combined.

use clap::ValueEnum;

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum FamilyArgument {
    ConfChange,
    Split,
    Decommission,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum SizeArgument {
    Smoke,
    Standard,
    Deep,
}

impl From<FamilyArgument> for rollcall_model::scopes::Family {
    fn from(family: FamilyArgument) -> Self {
        match family {
            FamilyArgument::ConfChange => Self::ConfChange,
            FamilyArgument::Split => Self::Split,
            FamilyArgument::Decommission => Self::Decommission,
        }
    }
}

impl From<SizeArgument> for rollcall_model::scopes::Size {
    fn from(size: SizeArgument) -> Self {
        match size {
            SizeArgument::Smoke => Self::Smoke,
            SizeArgument::Standard => Self::Standard,
            SizeArgument::Deep => Self::Deep,
        }
    }
}
/// Refuses options that have no meaning with `--subject`.
pub(super) fn refuse_with_subject(given: &[(bool, &str)]) -> anyhow::Result<()> {
    match given.iter().find(|(is_given, _)| *is_given) {
        Some((_, what)) => anyhow::bail!("--subject cannot be combined with {what}"),
        None => Ok(()),
    }
}

/// Refuses options that have no meaning with `--by properties`.
pub(super) fn refuse_by_properties(given: &[(bool, &str)]) -> anyhow::Result<()> {
    match given.iter().find(|(is_given, _)| *is_given) {
        Some((_, what)) => anyhow::bail!("--by properties cannot be combined with {what}"),
        None => Ok(()),
    }
}
