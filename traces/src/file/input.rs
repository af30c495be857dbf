//! The source of a trace: a file, or standard input under the name `-`.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use super::{FilePosition, TraceError};

/// The longest line in bytes. The longest that Rollcall writes has some thousands.
pub const LINE_LIMIT: u64 = 16 << 20;
/// The longest file in bytes. A file that is read is held in memory.
pub const FILE_LIMIT: u64 = 256 << 20;

/// A file that is being read, or standard input.
pub struct Input(Box<dyn BufRead + Send>);

impl Input {
    /// Opens the file (`-` is standard input), and returns it with its name for errors.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    pub(super) fn open(path: &Path) -> Result<(Self, String), TraceError> {
        if path == Path::new("-") {
            return Ok((Self(Box::new(BufReader::new(std::io::stdin()))), "standard input".into()));
        }
        let file = path.display().to_string();
        match File::open(path) {
            Ok(input) => Ok((Self(Box::new(BufReader::new(input))), file)),
            Err(source) => {
                Err(TraceError::Unreadable { at: FilePosition { file, line: 1, column: 1 }, source })
            }
        }
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Input")
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> std::io::Result<&[u8]> {
        self.0.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.0.consume(amount);
    }
}
