//! A segment being written.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use scope_model::Event;

use super::{HEADER_SIZE, SegmentHeader, encode_mark, path};
use crate::block::{self, BlockHeader, Encoding};
use crate::manifest::ClosedSegment;
use crate::mmap::SegmentMap;
use crate::{StoreError, event_codec};

/// The segment a writer fills: committed blocks, then one open block.
#[derive(Debug)]
pub(crate) struct SegmentWriter {
    file: File,
    path: PathBuf,
    header: SegmentHeader,
    map: SegmentMap,
    /// Events in committed blocks.
    committed_events: u64,
    /// Events in the open block.
    open_events: u32,
    /// Earliest and latest time of the open block.
    open_ns: (u64, u64),
    /// Earliest and latest time of the committed blocks.
    committed_ns: Option<(u64, u64)>,
}

impl SegmentWriter {
    /// Creates the file of a segment, with its space reserved on the disk.
    pub(crate) fn create(
        trace: &Path,
        header: SegmentHeader,
        bytes: u32,
    ) -> Result<Self, StoreError> {
        let path = path(trace, header.id);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(StoreError::io("create", &path, bytes.into()))?;
        let map = reserve(&file, bytes.into())
            .and_then(|()| file.write_all_at(&header.encode(), 0))
            .and_then(|()| SegmentMap::new(&file, bytes as usize));
        match map {
            Ok(map) => Ok(Self {
                file,
                path,
                header,
                map,
                committed_events: 0,
                open_events: 0,
                open_ns: (u64::MAX, 0),
                committed_ns: None,
            }),
            Err(source) => {
                // Its space may be what the manifest needs.
                let _ = std::fs::remove_file(&path);
                Err(StoreError::io("create", &path, bytes.into())(source))
            }
        }
    }

    /// Which segment it is.
    pub(crate) fn header(&self) -> SegmentHeader {
        self.header
    }

    /// Events appended, committed or not.
    pub(crate) fn events(&self) -> u64 {
        self.committed_events + u64::from(self.open_events)
    }

    /// Bytes committed.
    pub(crate) fn committed_bytes(&self) -> u64 {
        self.map.committed() as u64
    }

    /// Appends as many events as fit, committing each full block; returns how many.
    pub(crate) fn append(&mut self, events: &[Event]) -> usize {
        let mut appended = 0;
        while appended < events.len() {
            if self.open_events == block::MAX_EVENTS {
                self.commit();
            }
            let used = block::HEADER_SIZE + self.open_events as usize * event_codec::SIZE;
            let space = self.map.uncommitted();
            let room = space.len().saturating_sub(used) / event_codec::SIZE;
            let wanted =
                (events.len() - appended).min((block::MAX_EVENTS - self.open_events) as usize);
            let count = wanted.min(room);
            if count == 0 {
                break;
            }
            let (records, _) = space[used..].as_chunks_mut::<{ event_codec::SIZE }>();
            let (mut first_ns, mut last_ns) = self.open_ns;
            for (event, record) in events[appended..appended + count].iter().zip(records) {
                event_codec::encode(event, record);
                first_ns = first_ns.min(event.time_ns);
                last_ns = last_ns.max(event.time_ns);
            }
            self.open_ns = (first_ns, last_ns);
            // At most `MAX_EVENTS`.
            self.open_events += count as u32;
            appended += count;
        }
        appended
    }

    /// Closes the open block and gives it to the readers.
    pub(crate) fn commit(&mut self) {
        if self.open_events == 0 {
            return;
        }
        let payload_bytes = self.open_events as usize * event_codec::SIZE;
        let (first_ns, last_ns) = self.open_ns;
        let space = self.map.uncommitted();
        let (head, payload) = space.split_at_mut(block::HEADER_SIZE);
        let header = BlockHeader {
            encoding: Encoding::Records,
            payload_bytes: payload_bytes as u32,
            events: self.open_events,
            first_event: self.header.first_event + self.committed_events,
            first_ns,
            last_ns,
            payload_crc: crc32fast::hash(&payload[..payload_bytes]),
        };
        if let Some(head) = head.first_chunk_mut() {
            header.encode(head);
        }
        let committed = self.map.committed() + block::HEADER_SIZE + payload_bytes;
        self.committed_events += u64::from(self.open_events);
        let (first, last) = self.committed_ns.unwrap_or((u64::MAX, 0));
        self.committed_ns = Some((first.min(first_ns), last.max(last_ns)));
        self.open_events = 0;
        self.open_ns = (u64::MAX, 0);
        // The mapping is no longer than the `u32` it was created with.
        self.map.commit(committed, encode_mark(self.header.id, committed as u32));
    }

    /// Commits, gives back the space that is not used, and says what is in the segment.
    pub(crate) fn close(mut self) -> Result<ClosedSegment, StoreError> {
        self.commit();
        let bytes = self.committed_bytes();
        let (first_ns, last_ns) = self.committed_ns.unwrap_or((0, 0));
        let closed =
            ClosedSegment { bytes, events: self.committed_events, blocks: 0, first_ns, last_ns };
        // Unmapped first: nothing may be mapped beyond the file's end.
        drop(self.map);
        self.file.set_len(bytes).map_err(StoreError::io("trim", &self.path, 0))?;
        Ok(closed)
    }

    /// Whether a segment of so many bytes can hold any event.
    pub(crate) const fn is_large_enough(bytes: u32) -> bool {
        bytes as usize >= HEADER_SIZE + block::HEADER_SIZE + event_codec::SIZE
    }
}

/// Creates a file that only takes `bytes` of the disk.
pub(crate) fn reserve_file(path: &Path, bytes: u64) -> Result<(), StoreError> {
    File::create_new(path)
        .and_then(|file| reserve(&file, bytes))
        .map_err(StoreError::io("create", path, bytes))
}

/// Makes a file `bytes` long with every byte backed by the disk.
fn reserve(file: &File, bytes: u64) -> std::io::Result<()> {
    loop {
        match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, bytes) {
            Ok(()) => return Ok(()),
            Err(Errno::INTR) => {}
            // File systems without reservation: written zeros take the space as well.
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let zeros = vec![0; 1 << 20];
    let mut at = 0;
    while at < bytes {
        let count = zeros.len().min(usize::try_from(bytes - at).unwrap_or(usize::MAX));
        file.write_all_at(&zeros[..count], at)?;
        at += count as u64;
    }
    file.sync_data()
}
