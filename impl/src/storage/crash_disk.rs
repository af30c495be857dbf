//! A disk in memory whose machine can fail behind any operation, for tests of an engine on redb.
//!
//! It records every operation. After a failure nothing of the unsynced writes is left, or all, or
//! drawn parts with torn writes, as in redb's own crash tests. Left out: damage to what was synced.

use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// An operation on a disk.
#[derive(Clone, Debug)]
enum Operation {
    Write(u64, Arc<[u8]>),
    SetLen(u64),
    Sync,
}

impl Operation {
    /// Takes effect, a write only up to `most` bytes.
    fn take(&self, bytes: &mut Vec<u8>, most: usize) {
        match self {
            Operation::Write(offset, data) => {
                let data = &data[..data.len().min(most)];
                let at = *offset as usize;
                if bytes.len() < at + data.len() {
                    bytes.resize(at + data.len(), 0);
                }
                bytes[at..at + data.len()].copy_from_slice(data);
            }
            Operation::SetLen(len) => bytes.resize(*len as usize, 0),
            Operation::Sync => {}
        }
    }
}

/// A disk in memory that records every operation. Copies are the same disk.
#[derive(Clone, Debug, Default)]
pub struct CrashDisk(Arc<Mutex<Recorded>>);

#[derive(Debug, Default)]
struct Recorded {
    bytes: Vec<u8>,
    operations: Vec<Operation>,
}

impl CrashDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// A disk with this content and no operations.
    pub fn holding(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(Recorded { bytes, operations: vec![] })))
    }

    /// How many operations it has taken.
    pub fn operations(&self) -> usize {
        self.lock().operations.len()
    }

    /// What a failure may leave of it, with parts drawn by this seed.
    pub fn crashes(&self, seed: u64) -> Crashes {
        let drawn = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Crashes { disk: self.clone(), synced: Vec::new(), since: 0, drawn }
    }

    fn lock(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happens(&self, operation: Operation) {
        let mut disk = self.lock();
        operation.take(&mut disk.bytes, usize::MAX);
        disk.operations.push(operation);
    }
}

impl StorageBackend for CrashDisk {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let disk = self.lock();
        let range = offset as usize..offset as usize + out.len();
        let there = disk.bytes.get(range).ok_or(ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(there);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        self.happens(Operation::SetLen(len));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        self.happens(Operation::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        self.happens(Operation::Write(offset, data.into()));
        Ok(())
    }
}

/// What failures behind rising numbers of operations leave of a disk.
pub struct Crashes {
    disk: CrashDisk,
    /// The content up to the last sync that was passed.
    synced: Vec<u8>,
    /// The number of operations up to that sync.
    since: usize,
    drawn: u64,
}

impl Crashes {
    /// What a failure behind this many operations may leave: nothing of the unsynced writes, all of
    /// them, and `parts` times a drawn part. Only the first if nothing is unsynced.
    ///
    /// # Panics
    /// If the disk has taken fewer operations, or the number falls.
    pub fn behind(&mut self, operations: usize, parts: usize) -> Vec<Vec<u8>> {
        let disk = self.disk.clone();
        let disk = disk.lock();
        let passed = &disk.operations[self.since..operations];
        let synced = passed.iter().rposition(|passed| matches!(passed, Operation::Sync));
        let (passed, unsynced) = passed.split_at(synced.map_or(0, |last| last + 1));
        passed.iter().for_each(|operation| operation.take(&mut self.synced, usize::MAX));
        self.since += passed.len();
        let mut left = vec![self.synced.clone()];
        if unsynced.is_empty() {
            return left;
        }
        for part in 0..=parts {
            let mut bytes = self.synced.clone();
            for operation in unsynced {
                // A write may arrive in part, from its beginning on.
                let most = match (part, self.draw(4)) {
                    (0, _) | (_, 0 | 1) => usize::MAX,
                    (_, 2) => 0,
                    _ => 512 * self.draw(9) as usize,
                };
                // The length of a file changes before what is written beyond its old end.
                let is_length = matches!(operation, Operation::SetLen(_));
                operation.take(&mut bytes, if is_length { usize::MAX } else { most });
            }
            left.push(bytes);
        }
        left
    }

    /// xorshift64*.
    fn draw(&mut self, bound: u64) -> u64 {
        self.drawn ^= self.drawn >> 12;
        self.drawn ^= self.drawn << 25;
        self.drawn ^= self.drawn >> 27;
        (self.drawn.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % bound
    }
}
