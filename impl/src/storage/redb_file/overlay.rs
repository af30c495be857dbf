//! A copy-on-write view of a file: writes are kept in memory and dropped.
//!
//! redb repairs a file while it opens and checks it. A file that may have to be refused is opened
//! through this view first.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Error, ErrorKind};
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

const BLOCK: u64 = 4096;

/// A file that is locked and read, and never written.
#[derive(Debug)]
pub(super) struct Overlay {
    below: FileBackend,
    /// How many bytes are read from the file.
    of_file: u64,
    above: Mutex<Above>,
}

#[derive(Debug)]
struct Above {
    len: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl Overlay {
    pub(super) fn new(file: File) -> Result<Self, redb::DatabaseError> {
        let below = FileBackend::new(file)?;
        let of_file = below.len().map_err(redb::StorageError::from)?;
        let above = Mutex::new(Above { len: of_file, blocks: BTreeMap::new() });
        Ok(Self { below, of_file, above })
    }

    fn block(&self, above: &Above, at: u64) -> Result<Vec<u8>, Error> {
        if let Some(block) = above.blocks.get(&at) {
            return Ok(block.clone());
        }
        let mut block = vec![0; BLOCK as usize];
        let known = self.of_file.saturating_sub(at * BLOCK).min(BLOCK) as usize;
        if known > 0 {
            self.below.read(at * BLOCK, &mut block[..known])?;
        }
        Ok(block)
    }
}

impl StorageBackend for Overlay {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.above.lock().unwrap_or_else(PoisonError::into_inner).len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), Error> {
        let above = self.above.lock().unwrap_or_else(PoisonError::into_inner);
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > above.len) {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let mut done = 0;
        while done < out.len() {
            let at = offset + done as u64;
            let block = self.block(&above, at / BLOCK)?;
            let part = &block[(at % BLOCK) as usize..];
            let many = part.len().min(out.len() - done);
            out[done..done + many].copy_from_slice(&part[..many]);
            done += many;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        let mut above = self.above.lock().unwrap_or_else(PoisonError::into_inner);
        if len < above.len {
            // Bytes that were cut off read as zeros if the length grows again.
            for at in len / BLOCK..above.len.div_ceil(BLOCK) {
                let mut block = self.block(&above, at)?;
                block[(len.saturating_sub(at * BLOCK).min(BLOCK)) as usize..].fill(0);
                above.blocks.insert(at, block);
            }
        }
        above.len = len;
        Ok(())
    }

    fn sync_data(&self) -> Result<(), Error> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut above = self.above.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = 0;
        while done < data.len() {
            let at = offset + done as u64;
            let mut block = self.block(&above, at / BLOCK)?;
            let part = &mut block[(at % BLOCK) as usize..];
            let many = part.len().min(data.len() - done);
            part[..many].copy_from_slice(&data[done..done + many]);
            above.blocks.insert(at / BLOCK, block);
            done += many;
        }
        above.len = above.len.max(offset + data.len() as u64);
        Ok(())
    }

    fn close(&self) -> Result<(), Error> {
        self.below.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.below.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.below.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// Three blocks of ones.
    fn ones() -> (tempfile::NamedTempFile, Overlay) {
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        file.write_all(&[1; 3 * BLOCK as usize]).expect("it is written");
        let overlay = Overlay::new(file.reopen().expect("it is open")).expect("nobody has locked it");
        (file, overlay)
    }

    fn all(overlay: &Overlay) -> Vec<u8> {
        let mut read = vec![9; overlay.len().expect("a length") as usize];
        overlay.read(0, &mut read).expect("it is read");
        read
    }

    #[test]
    fn what_is_written_is_read_and_the_file_stays_as_it_is() {
        let (file, overlay) = ones();
        overlay.write(BLOCK - 2, &[7; 4]).expect("it is written");
        let mut expected = vec![1; 3 * BLOCK as usize];
        expected[BLOCK as usize - 2..BLOCK as usize + 2].fill(7);
        assert_eq!(all(&overlay), expected);
        assert_eq!(std::fs::read(file.path()).expect("it is read"), [1; 3 * BLOCK as usize]);
        let beyond = overlay.read(3 * BLOCK - 1, &mut [0; 2]).map_err(|error| error.kind());
        assert_eq!(beyond, Err(ErrorKind::UnexpectedEof));
    }

    #[test]
    fn what_was_cut_off_reads_as_zeros() {
        for cut in [BLOCK + 100, 2 * BLOCK, 3 * BLOCK - 1] {
            let (_file, overlay) = ones();
            overlay.set_len(cut).expect("it is cut");
            assert_eq!(all(&overlay), vec![1; cut as usize]);
            overlay.set_len(3 * BLOCK).expect("it grows");
            let mut expected = vec![1; 3 * BLOCK as usize];
            expected[cut as usize..].fill(0);
            assert!(all(&overlay) == expected, "cut at {cut}");
        }
    }
}
