//! The adapter's process: a line out, a line in, never without an end.
//!
//! Both pipes are read and written without blocking and waited for together, so a
//! child that neither reads nor writes costs the time-out and no more. It has a process
//! group of its own, which is ended with it: a script's children are, too. Where nobody is
//! left to end it, its input ends, and by the protocol that ends it.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;

/// No line is longer.
const LONGEST_LINE: usize = 64 << 20;

/// How long who has ended its output may take to end.
const LAST_BREATH: Duration = Duration::from_millis(200);

/// Why there is no line.
#[derive(Debug, Error)]
pub enum ChildError {
    /// It cannot be started.
    #[error("cannot be started: {0}")]
    Start(std::io::Error),
    /// Nothing came in time.
    #[error("has not answered within {seconds} s{half}")]
    TimedOut {
        /// The time.
        seconds: f64,
        /// What came of a line, in words.
        half: String,
    },
    /// It has ended, or its output has.
    #[error("has ended ({ended}){half}")]
    Ended {
        /// How.
        ended: String,
        /// What came of a line, in words.
        half: String,
    },
    /// The line has no end.
    #[error("writes a line of more than {} MiB", LONGEST_LINE >> 20)]
    TooLong,
    /// The line is no text.
    #[error("writes a line that is not UTF-8")]
    NoText,
}

/// A child process with its two pipes. Dropped, it is ended.
pub struct Adapter {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// What was read and not taken.
    read: Vec<u8>,
}

impl Adapter {
    /// Starts `command` by the shell.
    ///
    /// # Errors
    /// Where there is no shell.
    pub fn start(command: &str) -> Result<Self, ChildError> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = shell.spawn().map_err(ChildError::Start)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.expect("it is piped");
        let started = Self { child, input, output, read: Vec::new() };
        started.never_block().map_err(ChildError::Start)?;
        Ok(started)
    }

    fn never_block(&self) -> std::io::Result<()> {
        let input = self.input.as_ref().map(AsFd::as_fd);
        for pipe in input.into_iter().chain([self.output.as_fd()]) {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
        }
        Ok(())
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes a line and waits for one.
    ///
    /// # Errors
    /// Where none comes within `within`. Whoever gets one ends the child.
    pub fn ask(&mut self, line: &[u8], within: Duration) -> Result<String, ChildError> {
        let until = Instant::now() + within;
        let mut written = 0;
        loop {
            if let Some(end) = memchr(&self.read) {
                let mut line: Vec<u8> = self.read.drain(..=end).collect();
                line.pop();
                // What it has not read of the question it did not answer.
                return String::from_utf8(line).map_err(|_| ChildError::NoText);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ChildError::TimedOut { seconds: within.as_secs_f64(), half: self.half() });
            }
            written += self.write(&line[written..]);
            let writes = written < line.len();
            self.wait(writes, left);
            if !self.read_some()? {
                return Err(ChildError::Ended { ended: self.how_it_ended(), half: self.half() });
            }
        }
    }

    /// Writes a line whose answer somebody else will read.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn tell(&mut self, line: &[u8], within: Duration) -> Result<(), ChildError> {
        let until = Instant::now() + within;
        let mut written = 0;
        while written < line.len() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ChildError::TimedOut { seconds: within.as_secs_f64(), half: self.half() });
            }
            written += self.write(&line[written..]);
            if written < line.len() {
                self.wait(true, left);
                if !self.read_some()? {
                    return Err(ChildError::Ended { ended: self.how_it_ended(), half: self.half() });
                }
            }
        }
        Ok(())
    }

    /// How much of it went out. That nobody reads a pipe any more shows on the other one.
    fn write(&mut self, rest: &[u8]) -> usize {
        match self.input.as_mut().map(|input| input.write(rest)) {
            Some(Ok(written)) => written,
            _ => 0,
        }
    }

    fn wait(&self, writes: bool, left: Duration) {
        let mut pipes = vec![PollFd::new(&self.output, PollFlags::IN)];
        if let Some(input) = self.input.as_ref().filter(|_| writes) {
            pipes.push(PollFd::new(input, PollFlags::OUT));
        }
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        // Who is interrupted looks again.
        let _ = poll(&mut pipes, Some(&left));
    }

    /// Whether there may be more.
    fn read_some(&mut self) -> Result<bool, ChildError> {
        if self.read.len() > LONGEST_LINE {
            return Err(ChildError::TooLong);
        }
        let mut part = [0; 1 << 16];
        match self.output.read(&mut part) {
            Ok(0) => Ok(memchr(&self.read).is_some()),
            Ok(count) => {
                self.read.extend_from_slice(&part[..count]);
                Ok(true)
            }
            Err(error) => Ok(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)),
        }
    }

    fn half(&self) -> String {
        if self.read.is_empty() {
            return String::new();
        }
        let text = String::from_utf8_lossy(&self.read);
        let shown: String = text.chars().take(80).collect();
        format!("; half a line came: {shown}")
    }

    fn how_it_ended(&mut self) -> String {
        let until = Instant::now() + LAST_BREATH;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return in_words(status),
                _ if Instant::now() >= until => return "its output is closed".into(),
                _ => std::thread::yield_now(),
            }
        }
    }
}

fn in_words(status: ExitStatus) -> String {
    match status.code() {
        Some(127) => format!("{status}: the shell has not found the command"),
        _ => status.to_string(),
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

impl Drop for Adapter {
    fn drop(&mut self) {
        self.input.take();
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // It may be gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
