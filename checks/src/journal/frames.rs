//! The file format of a journal: a sequence of records, each complete or cut off.
//!
//! A record has its kind, the length and checksum of its body, a checksum of those three fields,
//! and its body. A killed process leaves a prefix of what it was writing, so an incomplete last
//! record is cut off. Any other failed checksum is damage. This includes a changed length.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};

/// The first bytes of a journal; the number is the version of its schema.
pub(super) const MAGIC: &[u8] = b"rollcall-journal/1\n";

const HEAD: usize = 13;

/// What is wrong with a file.
#[derive(Debug)]
pub(super) enum Fault {
    /// It is not a journal.
    NotOne,
    /// It is a journal of another schema.
    OtherSchema(String),
    /// A record does not check.
    Damaged(&'static str),
    /// It cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

/// The records of a file, in order.
pub(super) struct Frames<'f> {
    file: BufReader<&'f File>,
    length: u64,
    /// The end of the last complete record, as an offset in bytes.
    whole: u64,
    /// How many records were read.
    records: u64,
}

impl<'f> Frames<'f> {
    /// Reads the magic bytes. If they are incomplete, the file has no records.
    pub(super) fn begin(mut file: &'f File) -> Result<Self, Fault> {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(0))?;
        let mut frames = Self { file: BufReader::new(file), length, whole: 0, records: 0 };
        let mut begin = vec![0; MAGIC.len().min(length as usize)];
        frames.file.read_exact(&mut begin)?;
        if begin == MAGIC {
            frames.whole = begin.len() as u64;
        } else if !MAGIC.starts_with(&begin) {
            let text = String::from_utf8_lossy(&begin);
            let schema = text.lines().next().filter(|line| line.starts_with("rollcall-journal/"));
            return Err(schema.map_or(Fault::NotOne, |line| Fault::OtherSchema(line.into())));
        }
        Ok(frames)
    }

    /// The next record's kind and body; `None` after the last complete one.
    pub(super) fn next(&mut self) -> Result<Option<(u8, Vec<u8>)>, Fault> {
        let left = self.length - self.whole;
        if self.whole == 0 || left < HEAD as u64 {
            return Ok(None);
        }
        let mut head = [0; HEAD];
        self.file.read_exact(&mut head)?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if crc32fast::hash(&head[..9]) != number(9) {
            return Err(Fault::Damaged("the checksum of its head is wrong"));
        }
        let length = number(1);
        if left - (HEAD as u64) < u64::from(length) {
            return Ok(None);
        }
        let mut said = vec![0; length as usize];
        self.file.read_exact(&mut said)?;
        if crc32fast::hash(&said) != number(5) {
            return Err(Fault::Damaged("the checksum of its body is wrong"));
        }
        self.whole += HEAD as u64 + u64::from(length);
        self.records += 1;
        Ok(Some((head[0], said)))
    }

    /// The end of the last complete record. The bytes after it may be cut off.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// How many records were read.
    pub(super) fn records(&self) -> u64 {
        self.records
    }
}

/// Appends one record with one write.
pub(super) fn append(file: &mut impl Write, kind: u8, said: &[&[u8]]) -> io::Result<()> {
    let length: usize = said.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut checksum = crc32fast::Hasher::new();
    said.iter().for_each(|part| checksum.update(part));
    let mut record = Vec::with_capacity(HEAD + length as usize);
    record.push(kind);
    record.extend(length.to_le_bytes());
    record.extend(checksum.finalize().to_le_bytes());
    record.extend(crc32fast::hash(&record).to_le_bytes());
    said.iter().for_each(|part| record.extend_from_slice(part));
    file.write_all(&record)
}
