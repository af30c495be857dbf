//! The adapter's process: writes lines and reads a line, always with a time-out.
//!
//! Both pipes are read and written without blocking and polled together, so a child that neither
//! reads nor writes costs at most the time-out. The child has its own process group, which is
//! killed with it, so a script's children are killed, too. If Rollcall itself is killed, the
//! child's input ends; by the protocol the adapter then exits.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process_group};
use thiserror::Error;

/// How much is read at once, in bytes: most answers are shorter than the first, and no pipe holds
/// more than the second.
const PART: (usize, usize) = (1 << 12, 1 << 16);

/// The longest line in bytes.
const LONGEST_LINE: usize = 64 << 20;

/// How long a child may run after the end of its output.
const LAST_BREATH: Duration = Duration::from_millis(200);

/// Why there is no line.
#[derive(Debug, Error)]
pub enum ChildError {
    /// It cannot be started.
    #[error("cannot be started: {0}")]
    Start(std::io::Error),
    /// No line came within the time-out.
    #[error("has not answered within {seconds} s{half}")]
    TimedOut {
        /// The time-out.
        seconds: f64,
        /// The beginning of the line that did come, as a sentence.
        half: String,
    },
    /// The child has exited, or has closed its output.
    #[error("has ended ({ended}){half}")]
    Ended {
        /// How it ended.
        ended: String,
        /// The beginning of the line that did come, as a sentence.
        half: String,
    },
    /// The line is too long.
    #[error("writes a line of more than {} MiB", LONGEST_LINE >> 20)]
    TooLong,
    /// The line is not UTF-8.
    #[error("writes a line that is not UTF-8")]
    NoText,
}

/// A child process with its two pipes. Dropping it kills the process.
pub struct Adapter {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    /// Bytes that are still to be written.
    unwritten: Vec<u8>,
    /// Bytes that were read and not returned yet.
    read: Vec<u8>,
}

impl Adapter {
    /// Starts `command` with the shell.
    ///
    /// # Errors
    /// If the shell cannot be started.
    pub fn start(command: &str) -> Result<Self, ChildError> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut child = shell.spawn().map_err(ChildError::Start)?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.expect("it is piped");
        let started = Self { child, input, output, unwritten: Vec::new(), read: Vec::new() };
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

    /// Takes a line that is written while the next [`answer`](Self::answer) is waited for.
    pub fn tell(&mut self, line: &str) {
        self.unwritten.extend_from_slice(line.as_bytes());
        self.unwritten.push(b'\n');
    }

    /// Writes what was told and waits for a line.
    ///
    /// # Errors
    /// If no line comes within `within`. The caller should then drop the child.
    pub fn answer(&mut self, within: Duration) -> Result<String, ChildError> {
        let until = Instant::now() + within;
        loop {
            if let Some(end) = memchr(&self.read) {
                let mut line: Vec<u8> = self.read.drain(..=end).collect();
                line.pop();
                // Whatever was not written yet had no part in the answer.
                return String::from_utf8(line).map_err(|_| ChildError::NoText);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ChildError::TimedOut { seconds: within.as_secs_f64(), half: self.half() });
            }
            self.write();
            self.wait(left);
            if !self.read_some()? {
                return Err(ChildError::Ended { ended: self.how_it_ended(), half: self.half() });
            }
        }
    }

    /// Writes as much as the pipe takes. A closed pipe shows when reading from the other.
    fn write(&mut self) {
        if !self.unwritten.is_empty()
            && let Some(Ok(written)) = self.input.as_mut().map(|input| input.write(&self.unwritten))
        {
            self.unwritten.drain(..written);
        }
    }

    fn wait(&self, left: Duration) {
        let mut pipes = vec![PollFd::new(&self.output, PollFlags::IN)];
        if let Some(input) = self.input.as_ref().filter(|_| !self.unwritten.is_empty()) {
            pipes.push(PollFd::new(input, PollFlags::OUT));
        }
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: left.subsec_nanos().into() };
        // After an interrupt the loop polls again.
        let _ = poll(&mut pipes, Some(&left));
    }

    /// Reads what there is; returns whether more may come.
    fn read_some(&mut self) -> Result<bool, ChildError> {
        if self.read.len() > LONGEST_LINE {
            return Err(ChildError::TooLong);
        }
        let known = self.read.len();
        self.read.resize(known + known.clamp(PART.0, PART.1), 0);
        let count = self.output.read(&mut self.read[known..]);
        self.read.truncate(known + *count.as_ref().unwrap_or(&0));
        match count {
            Ok(0) => Ok(memchr(&self.read).is_some()),
            Ok(_) => Ok(true),
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
            // The process group may be gone already.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
