//! The handshake: everybody connects to everybody, says what it is about to do, and goes on only when
//! all are about to do the same.
//!
//! One loop waits for whatever comes first: a new connection, a word, the end of one, the time limit
//! or an interruption. Whoever gives up tells the others why.

use std::io::Read;
use std::net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rollcall_model::Rollcall;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt;
use thiserror::Error;

use super::Hosts;
use super::agreeing::{agreed, run_of};
use super::words::{Hello, Unread, Word};
use crate::explorer::{Processes, Seat};
use crate::journal::SharedJournal;

/// How long the loop waits before it tries to connect again.
const PACE: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
/// How long one attempt to connect may take, and a word that has begun to come.
const ATTEMPT: Duration = Duration::from_secs(2);
/// A machine that answers nothing for this long, and then to so many questions, is lost.
const SILENCE: Duration = Duration::from_secs(20);
const QUESTION: Duration = Duration::from_secs(5);
const QUESTIONS: u32 = 4;

/// Why no search began.
#[derive(Debug, Error)]
pub enum MeetingError {
    /// Nobody can connect to this process.
    #[error("{process} cannot listen: {why}")]
    Deaf {
        /// This process.
        process: String,
        /// Why.
        why: String,
    },
    /// A process did not come in time.
    #[error("{process} did not come within {seconds} s{why}")]
    Missing {
        /// The process.
        process: String,
        /// The time limit.
        seconds: u64,
        /// Why, if that is known.
        why: String,
    },
    /// A process is about to do something else.
    #[error("{process} cannot take part: {what}")]
    Differs {
        /// The process.
        process: String,
        /// How.
        what: String,
    },
    /// A process ended without a word.
    #[error("{process} has gone before the search began")]
    Gone {
        /// The process.
        process: String,
    },
    /// A process ended, and said why.
    #[error("{process} has given up: {why}")]
    Stopped {
        /// The process.
        process: String,
        /// What it said.
        why: String,
    },
    /// This process cannot write its journal.
    #[error("{process} cannot write its journal: {why}")]
    NotKept {
        /// This process.
        process: String,
        /// Why.
        why: String,
    },
    /// Somebody interrupted this process.
    #[error("interrupted before the search began")]
    Interrupted,
}

/// Another process, as far as it is known.
#[derive(Default)]
struct Other {
    connection: Option<TcpStream>,
    /// Why the last attempt to connect failed.
    refused: String,
    /// It has said what it is about to do, and that is the same.
    hello: Option<Box<Hello>>,
    is_ready: bool,
}

/// The handshake of one process.
pub struct Meeting<'a> {
    hosts: &'a Hosts,
    me: usize,
    hello: Hello,
    journal: Option<&'a mut SharedJournal>,
    listener: TcpListener,
    others: Vec<Other>,
    /// Those that have connected and not said who they are.
    strangers: Vec<TcpStream>,
    is_ready: bool,
}

impl<'a> Meeting<'a> {
    /// Listens at this process's address. If it keeps a journal, that goes back to where all continue.
    ///
    /// # Errors
    /// If it cannot, for instance because the port is taken.
    ///
    /// # Panics
    /// If there are no more than `me` hosts.
    pub fn begin(
        hosts: &'a Hosts,
        me: usize,
        workers: usize,
        model: &Rollcall,
        journal: Option<&'a mut SharedJournal>,
    ) -> Result<Self, MeetingError> {
        let deaf =
            |why: std::io::Error| MeetingError::Deaf { process: hosts.called(me), why: why.to_string() };
        let listener = TcpListener::bind(&*hosts.0[me]).map_err(deaf)?;
        listener.set_nonblocking(true).map_err(deaf)?;
        let seat = Seat { process: me, processes: hosts.count(), workers };
        let hello = Hello::new(seat, model, journal.as_ref().map(|journal| journal.runs().to_vec()));
        let others = (0..hosts.count()).map(|_| Other::default()).collect();
        Ok(Self { hosts, me, hello, journal, listener, others, strangers: Vec::new(), is_ready: false })
    }

    /// Waits until all are ready.
    ///
    /// # Errors
    /// If somebody does not come within that time, or cannot take part. All that are connected learn it.
    pub fn meet(mut self, within: Duration, interrupt: &AtomicBool) -> Result<Processes, MeetingError> {
        let met = self.wait(within, interrupt);
        if let Err(error) = met {
            self.give_up(&error);
            return Err(error);
        }
        let keep = |(process, other): (usize, Other)| {
            let connection = other.connection?;
            let called = || MeetingError::Gone { process: self.hosts.called(process) };
            Some(lasting(&connection).map(|()| connection).map_err(|_| called()))
        };
        let connections = self.others.into_iter().enumerate().map(|other| keep(other).transpose());
        Ok(Processes { me: self.me, connections: connections.collect::<Result<_, _>>()? })
    }

    fn wait(&mut self, within: Duration, interrupt: &AtomicBool) -> Result<(), MeetingError> {
        let until = Instant::now() + within;
        loop {
            self.connect();
            self.accept();
            self.listen()?;
            if !self.is_ready && self.others().all(|(_, other)| other.hello.is_some()) {
                self.go_back()?;
                self.is_ready = true;
                self.say_to_all(&Word::Ready);
            }
            if self.is_ready && self.others().all(|(_, other)| other.is_ready) {
                return Ok(());
            }
            if interrupt.load(Ordering::Relaxed) {
                return Err(MeetingError::Interrupted);
            }
            if Instant::now() >= until {
                return Err(self.missing(within));
            }
            self.sleep();
        }
    }

    /// Brings the journal to where all continue. Nobody searches before all have done so: else one
    /// might write a barrier of a run that another has not noted yet.
    fn go_back(&mut self) -> Result<(), MeetingError> {
        let Some(journal) = self.journal.as_deref_mut() else { return Ok(()) };
        let all = self.others.iter().map(|other| other.hello.as_deref().unwrap_or(&self.hello));
        let runs: Vec<_> = all.clone().map(|hello| hello.runs.as_deref().unwrap_or(&[])).collect();
        let differs = |(process, what)| MeetingError::Differs { process: self.hosts.called(process), what };
        let back = agreed(&runs).map_err(differs)?;
        let run = run_of(all.map(|hello| hello.nonce));
        journal.go_back(back, run).map_err(|why| MeetingError::NotKept {
            process: self.hosts.called(self.me),
            why: why.to_string(),
        })
    }

    fn others(&self) -> impl Iterator<Item = (usize, &Other)> {
        self.others.iter().enumerate().filter(|(process, _)| *process != self.me)
    }

    fn missing(&self, within: Duration) -> MeetingError {
        let first = self.others().find(|(_, other)| other.hello.is_none() || !other.is_ready);
        let (process, other) = first.expect("somebody is missing");
        let why = match &*other.refused {
            "" => String::new(),
            why => format!(": {why}"),
        };
        MeetingError::Missing { process: self.hosts.called(process), seconds: within.as_secs(), why }
    }

    /// Connects to those before this process that are there by now.
    fn connect(&mut self) {
        for process in
            (0..self.me).filter(|process| self.others[*process].connection.is_none()).collect::<Vec<_>>()
        {
            match self.reach(process) {
                Ok(connection) => {
                    self.others[process].connection = Some(connection);
                    self.others[process].refused.clear();
                }
                Err(error) => self.others[process].refused = error.to_string(),
            }
        }
    }

    fn reach(&self, process: usize) -> std::io::Result<TcpStream> {
        let mut last = std::io::ErrorKind::AddrNotAvailable.into();
        for address in self.hosts.0[process].to_socket_addrs()? {
            let connected = TcpStream::connect_timeout(&address, ATTEMPT).and_then(|it| self.greet(it));
            match connected {
                Ok(connection) => return Ok(connection),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn greet(&self, mut connection: TcpStream) -> std::io::Result<TcpStream> {
        connection.set_nonblocking(false)?;
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(ATTEMPT))?;
        connection.set_write_timeout(Some(ATTEMPT))?;
        Word::Hello(Box::new(self.hello.clone())).write(&mut connection)?;
        Ok(connection)
    }

    fn accept(&mut self) {
        while let Ok((connection, _)) = self.listener.accept() {
            // Whoever is gone again was nobody.
            self.strangers.extend(self.greet(connection));
        }
    }

    /// Reads what has come.
    fn listen(&mut self) -> Result<(), MeetingError> {
        let has_come = readable(self.strangers.iter(), Timespec { tv_sec: 0, tv_nsec: 0 });
        let strangers = std::mem::take(&mut self.strangers);
        for (stranger, has_come) in strangers.into_iter().zip(has_come) {
            match has_come {
                true => self.meet_stranger(stranger)?,
                false => self.strangers.push(stranger),
            }
        }
        for process in 0..self.others.len() {
            let other = &self.others[process];
            // What comes behind this is the search.
            let Some(connection) = other.connection.as_ref().filter(|_| !other.is_ready) else { continue };
            if readable([connection].into_iter(), Timespec { tv_sec: 0, tv_nsec: 0 })[0] {
                self.hear(process)?;
            }
        }
        Ok(())
    }

    /// Somebody after this process, or somebody who has nothing to do with it and is let go.
    fn meet_stranger(&mut self, mut stranger: TcpStream) -> Result<(), MeetingError> {
        let from = stranger.peer_addr().map_or_else(|_| "somewhere".into(), |address| address.to_string());
        let hello = match Word::read(&mut stranger) {
            Ok(Word::Hello(hello)) => hello,
            Err(Unread::OtherVersion) => {
                let what = "it is another version of rollcall".into();
                let process = format!("a process at {from}");
                self.strangers.push(stranger);
                return Err(MeetingError::Differs { process, what });
            }
            _ => return Ok(()),
        };
        let process = hello.process;
        let what = match () {
            () if process >= self.others.len() => None,
            () if process <= self.me => Some("its number belongs before this one".to_string()),
            () if self.others[process].connection.is_some() => Some("it is here already".to_string()),
            () => None,
        };
        if let Some(what) = what {
            // The one that is here has come first, and may go on.
            let why = format!("process {process} cannot take part: {what}");
            self.let_go(stranger, &Word::Stop(why));
            return Ok(());
        }
        if let Some(what) = self.hello.differs(&hello) {
            let process = match process < self.others.len() {
                true => self.hosts.called(process),
                false => format!("process {process} at {from}"),
            };
            self.strangers.push(stranger);
            return Err(MeetingError::Differs { process, what });
        }
        self.others[process].connection = Some(stranger);
        self.others[process].hello = Some(hello);
        Ok(())
    }

    /// Hears a word of a process that is connected.
    fn hear(&mut self, process: usize) -> Result<(), MeetingError> {
        let called = self.hosts.called(process);
        let other = &mut self.others[process];
        let connection = other.connection.as_mut().expect("it is connected");
        let differs = |what: String| Err(MeetingError::Differs { process: called.clone(), what });
        match Word::read(connection) {
            Ok(Word::Hello(hello)) => {
                if let Some(what) = self.hello.differs(&hello) {
                    return differs(what);
                }
                if hello.process != process {
                    return differs(format!("its number is {}; the files of hosts differ", hello.process));
                }
                other.hello = Some(hello);
            }
            Ok(Word::Ready) => other.is_ready = true,
            Ok(Word::Stop(why)) => return Err(MeetingError::Stopped { process: called, why }),
            Err(Unread::OtherVersion) => return differs("it is another version of rollcall".into()),
            Err(Unread::Foreign) => return differs("something else answers there".into()),
            Err(Unread::Io) => return Err(MeetingError::Gone { process: called }),
        }
        Ok(())
    }

    fn say_to_all(&mut self, word: &Word) {
        for connection in self.others.iter_mut().filter_map(|other| other.connection.as_mut()) {
            // Who does not hear it is gone, and its end is heard.
            let _ = word.write(connection);
        }
    }

    /// Tells everybody why this process ends.
    fn give_up(&mut self, error: &MeetingError) {
        let why = Word::Stop(error.to_string());
        let connected = self.others.iter_mut().filter_map(|other| other.connection.take());
        let all: Vec<TcpStream> = connected.chain(std::mem::take(&mut self.strangers)).collect();
        all.into_iter().for_each(|connection| self.let_go(connection, &why));
    }

    /// Says a last word. What the other has said meanwhile is read, or it would be answered by a reset,
    /// which overtakes the word.
    fn let_go(&self, mut connection: TcpStream, word: &Word) {
        let said = word.write(&mut connection).and_then(|()| connection.shutdown(Shutdown::Write));
        let _ = said.and_then(|()| connection.set_read_timeout(Some(ATTEMPT / 4)));
        let _ = connection.take(1 << 20).read_to_end(&mut Vec::new());
    }

    /// Waits for whatever comes, but not long.
    fn sleep(&self) {
        let waiting = self.others.iter().filter(|other| !other.is_ready);
        let connections = waiting.filter_map(|other| other.connection.as_ref()).chain(&self.strangers);
        let mut all: Vec<PollFd<'_>> = connections.map(|it| PollFd::new(it, PollFlags::IN)).collect();
        all.push(PollFd::new(&self.listener, PollFlags::IN));
        let _ = poll(&mut all, Some(&PACE));
    }
}

/// Of each connection, whether there is something to read: a word, or its end.
fn readable<'a>(connections: impl Iterator<Item = &'a TcpStream>, within: Timespec) -> Vec<bool> {
    let mut all: Vec<PollFd<'a>> =
        connections.map(|it| PollFd::from_borrowed_fd(it.as_fd(), PollFlags::IN)).collect();
    let _ = poll(&mut all, Some(&within));
    all.iter().map(|it| !it.revents().is_empty()).collect()
}

/// Nothing bounds the time of a read or write any more, but a machine that is gone is noticed.
fn lasting(connection: &TcpStream) -> std::io::Result<()> {
    connection.set_read_timeout(None)?;
    connection.set_write_timeout(None)?;
    sockopt::set_socket_keepalive(connection, true)?;
    sockopt::set_tcp_keepidle(connection, SILENCE)?;
    sockopt::set_tcp_keepintvl(connection, QUESTION)?;
    sockopt::set_tcp_keepcnt(connection, QUESTIONS)?;
    // What was sent and never acknowledged keeps the questions above from being asked.
    #[cfg(target_os = "linux")]
    sockopt::set_tcp_user_timeout(connection, (SILENCE + QUESTION * QUESTIONS).as_millis() as u32)?;
    Ok(())
}
