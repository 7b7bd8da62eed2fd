//! Many outputs written at once and read one after the other: each lane's bytes wait in one unnamed
//! temporary file, in chunks, until they are copied to where they belong.
//!
//! Memory: a buffer a lane, and 24 bytes for each chunk that was written.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Bytes of a lane that wait in memory before they go to the file.
const CHUNK: usize = 4 << 10;

/// The lanes.
#[derive(Debug)]
pub(crate) struct Spool {
    file: File,
    length: u64,
    lanes: Vec<Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    buffer: Vec<u8>,
    /// Where its chunks are: offset and length.
    chunks: Vec<(u64, usize)>,
}

impl Spool {
    /// No lanes; the file is made in this folder.
    pub(crate) fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)?, length: 0, lanes: Vec::new() })
    }

    /// A new lane.
    pub(crate) fn lane(&mut self) -> usize {
        self.lanes.push(Lane::default());
        self.lanes.len() - 1
    }

    /// Appends to a lane what `write` writes.
    pub(crate) fn write(
        &mut self,
        lane: usize,
        write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let lane = &mut self.lanes[lane];
        write(&mut lane.buffer)?;
        if lane.buffer.len() >= CHUNK {
            self.file.write_all(&lane.buffer)?;
            lane.chunks.push((self.length, lane.buffer.len()));
            self.length += lane.buffer.len() as u64;
            lane.buffer.clear();
        }
        Ok(())
    }

    /// Puts what a lane holds in memory into the file and gives the memory back: nothing more is
    /// written to it soon.
    pub(crate) fn rest(&mut self, lane: usize) -> io::Result<()> {
        let lane = &mut self.lanes[lane];
        if !lane.buffer.is_empty() {
            self.file.write_all(&lane.buffer)?;
            lane.chunks.push((self.length, lane.buffer.len()));
            self.length += lane.buffer.len() as u64;
        }
        lane.buffer = Vec::new();
        Ok(())
    }

    /// Copies what was written to a lane to `out`. Nothing may be written to any lane after it.
    pub(crate) fn copy(&mut self, lane: usize, out: &mut dyn Write) -> io::Result<()> {
        let lane = &self.lanes[lane];
        for (offset, length) in &lane.chunks {
            self.file.seek(SeekFrom::Start(*offset))?;
            let copied = io::copy(&mut (&mut self.file).take(*length as u64), out)?;
            if copied != *length as u64 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        out.write_all(&lane.buffer)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::{CHUNK, Spool};

    #[test]
    fn lanes_come_back_as_they_were_written() {
        let mut spool = Spool::new(&std::env::temp_dir()).unwrap();
        let lanes = [spool.lane(), spool.lane()];
        let mut expected = [Vec::new(), Vec::new()];
        for number in 0..3 * CHUNK {
            let which = number % 7 % 2;
            let text = format!("{number},");
            spool.write(lanes[which], |out| out.write_all(text.as_bytes())).unwrap();
            expected[which].extend_from_slice(text.as_bytes());
            if number == CHUNK {
                spool.rest(lanes[0]).unwrap();
            }
        }
        for (lane, expected) in lanes.into_iter().zip(expected) {
            let mut got = Vec::new();
            spool.copy(lane, &mut got).unwrap();
            assert!(got == expected);
        }
    }
}
