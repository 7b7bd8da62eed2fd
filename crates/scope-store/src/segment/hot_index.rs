//! Where the blocks of a hot segment are: found by walking the headers, once, as far as is committed.
//!
//! A recorder ends a block whenever it commits, so that blocks on the disk may be small. Readers are
//! shown runs of them: as many as make no more events than one block may have.

use std::sync::Arc;

use super::{BlockReader, SegmentReader};
use crate::blocks::BlockInfo;
use crate::{StoreError, block};

/// A run of blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HotBlock {
    pub(crate) info: BlockInfo,
    /// Where the first block of the run begins.
    pub(crate) offset: u64,
    /// Latest time in the segment up to the end of the run, ns.
    pub(crate) latest_ns: u64,
}

/// The runs of a hot segment.
#[derive(Debug, Default)]
pub(crate) struct HotIndex {
    blocks: Vec<HotBlock>,
    /// Where the walk stopped: bytes and events passed.
    walked: Option<(u64, u64)>,
}

impl HotIndex {
    /// Goes on to the committed length.
    pub(crate) fn extend(
        &mut self,
        segment: &Arc<SegmentReader>,
        committed: u64,
    ) -> Result<(), StoreError> {
        let mut reader = match self.walked {
            Some((offset, _)) if offset >= committed => return Ok(()),
            Some((offset, event)) => {
                BlockReader::resume(Arc::clone(segment), committed, offset, event)
            }
            None => BlockReader::new(Arc::clone(segment), committed),
        };
        while let Some(header) = reader.peek()? {
            let latest_ns = self.blocks.last().map_or(0, |last| last.latest_ns);
            let latest_ns = latest_ns.max(header.last_ns);
            match self.blocks.last_mut() {
                Some(last) if last.info.events + header.events <= block::MAX_EVENTS => {
                    last.info.events += header.events;
                    last.info.first_ns = last.info.first_ns.min(header.first_ns);
                    last.info.last_ns = last.info.last_ns.max(header.last_ns);
                    last.latest_ns = latest_ns;
                }
                _ => self.blocks.push(HotBlock {
                    info: BlockInfo {
                        first_event: header.first_event,
                        events: header.events,
                        first_ns: header.first_ns,
                        last_ns: header.last_ns,
                    },
                    offset: reader.offset(),
                    latest_ns,
                }),
            }
            reader.skip(&header);
            self.walked = Some((reader.offset(), reader.next_event()));
        }
        Ok(())
    }

    /// The runs walked so far.
    pub(crate) fn blocks(&self) -> &[HotBlock] {
        &self.blocks
    }
}
