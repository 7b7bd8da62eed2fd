//! Going through much of a trace where only the order within each thread matters: a sealed block keeps
//! the events of each thread apart, and to put them in order is half the work of reading it.

use scope_model::{State, Tid};

use crate::sealed::{BlockDecoder, Columns, EndedCall};
use crate::view::Handle;
use crate::{StoreError, Trace};

/// Reads blocks thread by thread. One for each thread that reads: nothing of it is shared.
#[derive(Debug, Default)]
pub struct Scan {
    /// Of a segment.
    decoder: Option<(u32, BlockDecoder)>,
    columns: Columns,
}

impl Scan {
    /// Takes the threads of `state` for which `wanted` holds from the start of a block to its end, one
    /// after the other; `ended` is told their calls that end, those of each thread in their order. The
    /// other threads stay as they are: only of those that are wanted must `state` be right.
    ///
    /// `false`: nothing was done, since the block must be read in order: it has events that concern
    /// other threads than their own (threads and programs that begin or end, losses), or is not sealed.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBlock`]; damage to the block: then `state` is that of no moment.
    pub fn block(
        &mut self,
        trace: &Trace,
        block: usize,
        state: &mut State,
        wanted: impl Fn(Tid) -> bool,
        ended: impl FnMut(EndedCall<'_>),
    ) -> Result<bool, StoreError> {
        let (view, _, local) = trace.locate(block)?;
        let Handle::Sealed(reader) = &view.handle else { return Ok(false) };
        let mut decoder = match self.decoder.take() {
            Some((segment, decoder)) if segment == reader.id() => decoder,
            _ => BlockDecoder::new(trace.dictionary(reader)?),
        };
        decoder.read(reader, local, &mut self.columns)?;
        let apart = !self.columns.has_rare();
        if apart {
            let end = self.columns.times().len();
            decoder.replay((reader, local), &self.columns, end, state, wanted, ended)?;
        }
        self.decoder = Some((reader.id(), decoder));
        Ok(apart)
    }
}
