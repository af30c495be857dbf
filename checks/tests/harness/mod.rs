//! Runs generated tests with the arguments of `cargo test`: any number of filters, where
//! `libtest_mimic` takes one.

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

/// Options that take a value.
const WITH_VALUE: &[&str] = &["--test-threads", "--skip", "--logfile", "--color", "--format"];

/// Runs the trials whose names match any of the filters.
pub(crate) fn run(trials: Vec<Trial>) -> ExitCode {
    let (mut options, mut filters) = (Vec::new(), Vec::new());
    let mut words = std::env::args();
    options.extend(words.next());
    while let Some(word) = words.next() {
        if !word.starts_with('-') {
            filters.push(word);
            continue;
        }
        let has_value = WITH_VALUE.contains(&word.as_str());
        options.push(word);
        if has_value {
            options.extend(words.next());
        }
    }
    let arguments = Arguments::from_iter(options);
    let is_exact = arguments.exact;
    let is_asked = |trial: &Trial| {
        let is = |filter: &String| {
            if is_exact { trial.name() == filter } else { trial.name().contains(filter.as_str()) }
        };
        filters.is_empty() || filters.iter().any(is)
    };
    libtest_mimic::run(&arguments, trials.into_iter().filter(is_asked).collect()).exit_code()
}
