//! What was at a moment in the middle of a block, without decoding all of the block: the state of all
//! threads, the events of one thread, and times.
//!
//! A sealed block keeps the events of each thread apart, so that a state needs no event put in its
//! place, and a thread's events need no other's. Where an event may concern other threads than its
//! own, and in hot segments, the block is decoded as a whole.

use std::sync::Arc;

use scope_model::{Event, EventKind, Pid, State, Tid};

use crate::blocks::Block;
use crate::sealed::{BlockDecoder, CheckpointGroup, Columns, SealedReader};
use crate::view::Handle;
use crate::{StoreError, Trace};

/// A thread's way through a block.
#[derive(Clone, Debug, Default)]
pub struct ThreadEvents {
    /// Before the first event of the block: the thread alone, if it was there, and what was lost of
    /// threads unknown.
    pub before: State,
    /// The events of the block that concern the thread, each with its number: see [`concerns`].
    pub events: Vec<(u64, Event)>,
}

/// Whether the state of a thread depends on an event: its own, a gap of unknown threads, and a new
/// program, which ends the other threads of its process.
#[must_use]
pub fn concerns(event: &Event, tid: Tid) -> bool {
    event.tid == tid
        || match event.kind {
            EventKind::Gap { .. } => event.tid == Tid(0),
            EventKind::Exec { .. } => event.pid != Pid(0),
            _ => false,
        }
}

/// A block in whichever form is at hand.
enum Form<'a> {
    Whole(Arc<Block>),
    Columns { reader: &'a SealedReader, local: usize, columns: Arc<Columns> },
}

impl Trace {
    /// The state of all threads before the event at place `within` of a block.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBlock`]; damage to the block or its checkpoint.
    pub fn state_in(&self, block: usize, within: usize) -> Result<State, StoreError> {
        let mut state = self.state_at_start(block)?;
        if within == 0 {
            return Ok(state);
        }
        match self.form(block)? {
            Form::Columns { reader, local, columns } if !columns.has_rare() => {
                let within = within.min(columns.times().len());
                self.with_decoder(reader, |decoder| {
                    decoder.replay((reader, local), &columns, within, &mut state, |_| true, |_| {})
                })?;
            }
            form => {
                let whole = self.whole(block, form)?;
                let numbers = whole.info().first_event..;
                for (event, number) in whole.events().iter().take(within).zip(numbers) {
                    state.apply(number, event);
                }
            }
        }
        Ok(state)
    }

    /// A thread's way through a block.
    ///
    /// # Errors
    ///
    /// As [`Trace::state_in`].
    pub fn thread_in(&self, block: usize, tid: Tid) -> Result<ThreadEvents, StoreError> {
        let before = self.checkpoint_of(block, tid)?;
        let first_event = self.block_info(block)?.first_event;
        let number = |place: usize| first_event.saturating_add(place as u64);
        let events = match self.form(block)? {
            Form::Columns { reader, local, columns } if !columns.has_rare() => {
                let thread = before.thread(tid);
                let own = self.with_decoder(reader, |decoder| {
                    decoder.events_of((reader, local), &columns, tid, thread)
                })?;
                own.into_iter().map(|(place, event)| (number(place.into()), event)).collect()
            }
            form => {
                let whole = self.whole(block, form)?;
                let concerning = |(_, event): &(usize, &Event)| concerns(event, tid);
                let events = whole.events().iter().enumerate().filter(concerning);
                events.map(|(place, event)| (number(place), *event)).collect()
            }
        };
        Ok(ThreadEvents { before, events })
    }

    /// One thread before the first event of a block, if it is there, and what was lost of threads
    /// unknown; as [`Trace::checkpoint`] otherwise.
    ///
    /// # Errors
    ///
    /// As [`Trace::checkpoint`].
    pub fn checkpoint_of(&self, block: usize, tid: Tid) -> Result<State, StoreError> {
        let of_one = |state: &State| {
            let threads = state.thread(tid).cloned().into_iter().collect();
            State::from_parts(threads, *state.lost(), state.next_event(), state.latest_ns())
        };
        if block < self.block_count()? {
            let (view, _, local) = self.locate(block)?;
            if let Handle::Sealed(reader) = &view.handle {
                let event = reader.block(local)?.info.first_event;
                if let Some(state) = self.caches.checkpoints().get(&event) {
                    return Ok(of_one(&state));
                }
                let group = self.group(reader, local)?;
                return reader.checkpoint_of(local, tid, &group, &*self.dictionary(reader)?);
            }
        }
        Ok(of_one(&*self.checkpoint(block)?))
    }

    /// The place of the first event of a block that is later than a time; the number of its events
    /// where none is.
    ///
    /// # Errors
    ///
    /// [`StoreError::NoSuchBlock`]; damage to the block.
    pub fn place_after(&self, block: usize, time_ns: u64) -> Result<usize, StoreError> {
        let later = |time: u64| time > time_ns;
        Ok(match self.form(block)? {
            Form::Columns { columns, .. } => {
                let times = columns.times();
                times.iter().position(|time| later(*time)).unwrap_or(times.len())
            }
            Form::Whole(whole) => {
                let events = whole.events();
                events.iter().position(|event| later(event.time_ns)).unwrap_or(events.len())
            }
        })
    }

    /// The latest time before the event at place `within` of a block, ns: in the block, or before it.
    ///
    /// # Errors
    ///
    /// As [`Trace::state_in`].
    pub fn latest_ns(&self, block: usize, within: usize) -> Result<u64, StoreError> {
        // Of no thread in particular: any will do.
        let before_ns = self.checkpoint_of(block, Tid(0))?.latest_ns();
        if within == 0 {
            return Ok(before_ns);
        }
        Ok(match self.form(block)? {
            Form::Columns { columns, .. } => {
                columns.times().iter().take(within).copied().fold(before_ns, u64::max)
            }
            Form::Whole(whole) => {
                let times = whole.events().iter().take(within).map(|event| event.time_ns);
                times.fold(before_ns, u64::max)
            }
        })
    }

    /// A checkpoint that is not kept: it will be changed.
    fn state_at_start(&self, block: usize) -> Result<State, StoreError> {
        let (view, _, local) = self.locate(block)?;
        if let Handle::Sealed(reader) = &view.handle {
            let event = reader.block(local)?.info.first_event;
            return match self.caches.checkpoints().get(&event) {
                Some(state) => Ok(State::clone(&state)),
                None => {
                    let group = self.group(reader, local)?;
                    reader.checkpoint(local, &group, &*self.dictionary(reader)?)
                }
            };
        }
        Ok(Arc::unwrap_or_clone(self.checkpoint(block)?))
    }

    /// The group that has the checkpoint of a block of a sealed segment.
    pub(crate) fn group(
        &self,
        reader: &SealedReader,
        local: usize,
    ) -> Result<Arc<CheckpointGroup>, StoreError> {
        let entry = reader.group_of(local)?;
        let key = (reader.id(), entry.offset);
        if let Some(group) = self.caches.groups().get(&key) {
            return Ok(group);
        }
        let group = Arc::new(reader.group(entry)?);
        self.caches.groups().insert(key, Arc::clone(&group), group.bytes());
        Ok(group)
    }

    fn form(&self, block: usize) -> Result<Form<'_>, StoreError> {
        let (view, _, local) = self.locate(block)?;
        let Handle::Sealed(reader) = &view.handle else {
            return Ok(Form::Whole(self.block(block)?));
        };
        let info = reader.block(local)?.info;
        let key = (info.first_event, info.events);
        if let Some(whole) = self.caches.blocks().get(&key) {
            return Ok(Form::Whole(whole));
        }
        if let Some(columns) = self.caches.columns().get(&key) {
            return Ok(Form::Columns { reader, local, columns });
        }
        let columns =
            Arc::new(self.with_decoder(reader, |decoder| decoder.columns(reader, local))?);
        self.caches.columns().insert(key, Arc::clone(&columns), columns.bytes());
        Ok(Form::Columns { reader, local, columns })
    }

    fn whole(&self, block: usize, form: Form<'_>) -> Result<Arc<Block>, StoreError> {
        match form {
            Form::Whole(whole) => Ok(whole),
            Form::Columns { .. } => self.block(block),
        }
    }

    /// Uses the decoder of a segment, which is taken out while it is used: another thread that reads
    /// makes its own.
    pub(crate) fn with_decoder<T>(
        &self,
        reader: &SealedReader,
        with: impl FnOnce(&mut BlockDecoder) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let decoder = self.caches.decoder().take().filter(|(id, _)| *id == reader.id());
        let mut decoder = match decoder {
            Some((_, decoder)) => decoder,
            None => BlockDecoder::new(self.dictionary(reader)?),
        };
        let result = with(&mut decoder)?;
        *self.caches.decoder() = Some((reader.id(), decoder));
        Ok(result)
    }
}
