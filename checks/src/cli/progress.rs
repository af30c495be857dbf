//! The progress of a scope: one changing line on a terminal, or a line now and then in a pipe.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::out::{errln, grouped};
use crate::explorer;
use crate::verify::Watch;

/// The interval of lines in a pipe.
const LINE_EVERY: Duration = Duration::from_secs(15);
/// The time over which the rate is averaged.
const RATE_OVER: Duration = Duration::from_secs(5);

pub(super) struct Progress {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Prints the progress in `watch` until it is stopped; nothing with `json`.
    pub(super) fn start(name: &str, watch: &Arc<Watch>, json: bool) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        if json {
            return Self { is_over, thread: None, bar: None };
        }
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]") {
                bar.set_style(style);
            }
            bar
        });
        if bar.is_none() {
            errln!("{name}: begun");
        }
        let (over, shown, watch, name) =
            (Arc::clone(&is_over), bar.clone(), Arc::clone(watch), name.to_string());
        let thread = std::thread::spawn(move || {
            let (mut rate, mut written) = (Rate::default(), Instant::now());
            while !over.load(Ordering::Relaxed) {
                let explored = *watch.explored.lock().expect("no thread panics while it holds this lock");
                let rate = rate.of(explored.map_or(0, |explored| explored.states), Instant::now());
                let replayed = watch.replayed.load(Ordering::Relaxed);
                let recovered = watch.recovered.load(Ordering::Relaxed);
                let said = match explored {
                    Some(explored) => Some(words(&explored, rate)),
                    None => afterwards(recovered, replayed),
                };
                let said = said.map(|said| format!("{name}: {said}"));
                match (&shown, said) {
                    (Some(bar), said) => {
                        bar.set_message(said.unwrap_or_else(|| name.clone()));
                        bar.tick();
                    }
                    (None, Some(said)) if written.elapsed() >= LINE_EVERY => {
                        written = Instant::now();
                        errln!("{said}");
                    }
                    _ => {}
                }
                std::thread::park_timeout(Duration::from_millis(100));
            }
        });
        Self { is_over, thread: Some(thread), bar }
    }

    pub(super) fn end(self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread {
            thread.thread().unpark();
            let _ = thread.join();
        }
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

/// States each second, over the last seconds.
#[derive(Default)]
struct Rate {
    since: Option<(u64, Instant)>,
    rate: Option<f64>,
}

impl Rate {
    fn of(&mut self, states: u64, now: Instant) -> Option<f64> {
        let (before, since) = *self.since.get_or_insert((states, now));
        let passed = now.duration_since(since);
        if passed >= RATE_OVER {
            self.rate = (before > 0).then(|| states.saturating_sub(before) as f64 / passed.as_secs_f64());
            self.since = Some((states, now));
        }
        self.rate
    }
}

/// The progress, and the estimate with its basis.
fn words(explored: &explorer::Progress, rate: Option<f64>) -> String {
    let explorer::Progress { states, frontier, depth, expected } = *explored;
    let mut said = format!(
        "{} states explored, {} of them at the frontier, depth {depth}",
        grouped(states),
        grouped(frontier)
    );
    if let Some(rate) = rate {
        said += &format!(", {} a second", grouped(rate as u64));
    }
    said + &match (expected, rate) {
        (None, _) => "; how many are left is unknown while levels grow".to_string(),
        (Some(expected), Some(rate)) if rate > 0.0 => {
            let seconds = (expected - states) as f64 / rate;
            format!(
                "; about {} in all and {} left if levels go on to shrink as the last three did",
                grouped(expected),
                length(seconds as u64)
            )
        }
        (Some(expected), _) => {
            format!("; about {} in all if levels go on to shrink as the last three did", grouped(expected))
        }
    }
}

/// The progress of the phases after exploration; `None` before they begin.
fn afterwards(recovered: u64, replayed: u64) -> Option<String> {
    match (recovered, replayed) {
        (0, 0) => None,
        (_, 0) => Some(format!("{} states healed", grouped(recovered))),
        _ => Some(format!("{} transitions replayed", grouped(replayed))),
    }
}

fn length(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_estimate_is_called_unknown() {
        let grows = explorer::Progress { states: 1_234_567, frontier: 204_200, depth: 12, expected: None };
        let said = words(&grows, Some(98_765.4));
        assert_eq!(
            said,
            "1,234,567 states explored, 204,200 of them at the frontier, depth 12, 98,765 a second; how many are left is unknown while levels grow"
        );
        let shrinks = explorer::Progress { expected: Some(1_834_567), ..grows };
        let said = words(&shrinks, Some(1_000.0));
        assert!(
            said.ends_with(
                "about 1,834,567 in all and 10 min left if levels go on to shrink as the last three did"
            ),
            "{said}"
        );
        assert_eq!(afterwards(0, 0), None);
        assert_eq!(afterwards(2_000_000, 0).as_deref(), Some("2,000,000 states healed"));
        assert_eq!(afterwards(2_000_000, 4_204).as_deref(), Some("4,204 transitions replayed"));
        assert!(words(&shrinks, None).contains("about 1,834,567 in all if"));
    }

    #[test]
    fn a_rate_is_taken_over_seconds_and_not_of_what_a_journal_brought() {
        let (mut rate, begin) = (Rate::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(rate.of(0, at(0)), None);
        assert_eq!(rate.of(900_000, at(6)), None, "nothing was seen before");
        assert_eq!(rate.of(901_000, at(8)), None, "two seconds are few");
        assert_eq!(rate.of(960_000, at(12)), Some(10_000.0));
    }
}
