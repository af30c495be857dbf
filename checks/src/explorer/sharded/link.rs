//! The connection to another process, as timely reads and writes it.
//!
//! timely panics in a thread of its own when a connection breaks, and its workers wait for ever. So a
//! broken connection is kept from it: writes go nowhere, a read never returns, and the workers, which
//! look at the flag, leave. A connection has ended well where timely's last message was whole: a header
//! of length 0. Only then is its end passed on.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use timely::communication::allocator::zero_copy::stream::Stream;

use super::watched::Watched;

/// The connections of one process to all others, by their numbers.
pub struct Processes {
    /// The number of this process.
    pub me: usize,
    /// `None` for this process itself.
    pub connections: Vec<Option<TcpStream>>,
}

pub(super) struct Link {
    connection: TcpStream,
    process: usize,
    watched: Arc<Watched>,
    read: Framing,
}

impl Link {
    pub(super) fn new(connection: TcpStream, process: usize, watched: Arc<Watched>) -> Self {
        Self { connection, process, watched, read: Framing::default() }
    }

    fn broken(&self) -> ! {
        self.watched.lose(self.process);
        loop {
            std::thread::park();
        }
    }
}

impl Read for Link {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.connection.read(bytes) {
            Ok(0) if !bytes.is_empty() && !self.read.is_over => self.broken(),
            Ok(length) => {
                self.read.pass(&bytes[..length]);
                Ok(length)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(_) if self.read.is_over => Ok(0),
            Err(_) => self.broken(),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Whoever breaks off must not seem to have ended well.
        if self.watched.is_broken() {
            return Ok(bytes.len());
        }
        match self.connection.write(bytes) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.watched.lose(self.process);
                Ok(bytes.len())
            }
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream for Link {
    fn try_clone(&self) -> io::Result<Self> {
        let connection = self.connection.try_clone()?;
        Ok(Self::new(connection, self.process, Arc::clone(&self.watched)))
    }

    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.connection.set_nonblocking(nonblocking)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        if !self.watched.is_broken() {
            let _ = self.connection.shutdown(how);
        }
        Ok(())
    }
}

/// timely's header: six numbers of 64 bits, of which the fifth is the length of what follows.
const HEADER: usize = 48;
const LENGTH: std::ops::Range<usize> = 32..40;

/// Follows the messages of a connection.
#[derive(Default)]
struct Framing {
    header: Vec<u8>,
    /// Bytes of this message that are still to come.
    left: usize,
    is_over: bool,
}

impl Framing {
    fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let wanted = if self.left > 0 { self.left } else { HEADER - self.header.len() };
            let (some, rest) = bytes.split_at(wanted.min(bytes.len()));
            bytes = rest;
            if self.left > 0 {
                self.left -= some.len();
                continue;
            }
            self.header.extend_from_slice(some);
            if self.header.len() == HEADER {
                let length = self.header[LENGTH].try_into().expect("eight bytes");
                self.left = u64::from_be_bytes(length) as usize;
                self.is_over = self.left == 0;
                self.header.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use timely::communication::networking::MessageHeader;

    use super::*;

    #[test]
    fn a_header_without_a_length_ends_it_and_zeros_within_a_message_do_not() {
        let header = |length| {
            let mut bytes = Vec::new();
            let header =
                MessageHeader { channel: 1, source: 2, target_lower: 3, target_upper: 4, length, seqno: 5 };
            header.write_to(&mut bytes).expect("into memory");
            bytes
        };
        let whole = [header(100), vec![0; 100], header(48), vec![0; 48], header(0)].concat();
        for pieces in [1, 7, 48, 4096] {
            let mut framing = Framing::default();
            for piece in whole[..whole.len() - 1].chunks(pieces) {
                framing.pass(piece);
                assert!(!framing.is_over);
            }
            framing.pass(&whole[whole.len() - 1..]);
            assert!(framing.is_over, "in pieces of {pieces}");
        }
    }
}
