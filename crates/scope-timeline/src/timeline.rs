//! A trace as something to travel through: moments, and what was then.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scope_code::CodeMap;
use scope_model::{Event, EventKind, OpenCall, State, ThreadState, Tid};
use scope_store::{ThreadEvents, Trace};

use crate::TimelineError;
use crate::place::{Bookmarks, Place, WHOLE};
use crate::track::Track;

/// A snapshot of a trace to travel through.
///
/// Cheap to make: it holds the snapshot and a few blocks' worth of what it looked at last. What is
/// worth keeping (blocks, states) the [`Trace`] keeps. For a trace that grew, refresh the trace and
/// make another.
#[derive(Debug)]
pub struct Timeline<'t> {
    trace: &'t Trace,
    interrupt: Option<&'t AtomicBool>,
    /// Read when a condition asks for it.
    code: OnceCell<CodeMap>,
    /// What was looked at last, latest first.
    pub(crate) tracks: RefCell<Vec<Rc<Track>>>,
}

/// A place between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Number of the event that comes next: all below it have happened.
    pub event: u64,
    /// `CLOCK_MONOTONIC`, ns: the time asked for where a time was, else that of the latest event
    /// before it.
    pub time_ns: u64,
}

/// An event, and the call it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Happening {
    /// Its number.
    pub number: u64,
    /// The event.
    pub event: Event,
    /// Open calls around it; a call and its end have the same depth.
    pub depth: usize,
    /// The call that begins or ends; of an event of another kind, the innermost open one.
    pub call: Option<OpenCall>,
    /// How long the call took that ends, ns: `None` where it is not known exactly.
    pub duration_ns: Option<u64>,
}

impl<'t> Timeline<'t> {
    /// Travels through a snapshot.
    #[must_use]
    pub fn new(trace: &'t Trace) -> Self {
        Self { trace, interrupt: None, code: OnceCell::new(), tracks: RefCell::default() }
    }

    /// Looks at `flag` before every block it reads: once it is true, what goes on ends with
    /// [`TimelineError::Interrupted`].
    #[must_use]
    pub fn interruptible(self, flag: &'t AtomicBool) -> Self {
        Self { interrupt: Some(flag), ..self }
    }

    /// The trace.
    #[must_use]
    pub fn trace(&self) -> &'t Trace {
        self.trace
    }

    /// The code behind the trace.
    pub(crate) fn code(&self) -> &CodeMap {
        self.code.get_or_init(|| CodeMap::of_trace(self.trace))
    }

    /// The moment before the first event: number 0, unless the oldest events were dropped.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.trace.first_event()
    }

    /// The moment after the last event.
    ///
    /// # Errors
    ///
    /// What reading the trace gives.
    pub fn end(&self) -> Result<u64, TimelineError> {
        Ok(self.trace.end_event()?)
    }

    /// When the trace ends, ns: when recording ended, or the latest event where that is not known.
    ///
    /// # Errors
    ///
    /// What reading the trace gives.
    pub fn end_ns(&self) -> Result<u64, TimelineError> {
        let manifest = self.trace.manifest();
        let latest = match self.trace.block_count()?.checked_sub(1) {
            Some(last) => self.trace.block_info(last)?.last_ns,
            None => 0,
        };
        Ok(latest.max(manifest.end_ns.unwrap_or_default()).max(manifest.start_ns))
    }

    /// The moment at a time: after all events up to and at it.
    ///
    /// # Errors
    ///
    /// What reading the trace gives.
    pub fn moment_at(&self, time_ns: u64) -> Result<u64, TimelineError> {
        let Some(after_ns) = time_ns.checked_add(1) else { return self.end() };
        let block = self.trace.block_at_time(after_ns)?;
        if block >= self.trace.block_count()? {
            return self.end();
        }
        let within = self.trace.place_after(block, time_ns)?;
        Ok(self.trace.block_info(block)?.first_event + within as u64)
    }

    /// The latest time of an event before a moment, ns; the start of recording before the first.
    ///
    /// # Errors
    ///
    /// [`TimelineError::NoSuchEvent`] for a moment beyond the end; what reading the trace gives.
    pub fn time_of(&self, moment: u64) -> Result<u64, TimelineError> {
        if moment == 0 {
            return Ok(self.trace.manifest().start_ns);
        }
        let (block, within) = self.split(moment)?;
        Ok(self.trace.latest_ns(block, within)?)
    }

    /// Finds a moment by name. Names of bookmarks are looked up in `bookmarks`.
    ///
    /// # Errors
    ///
    /// [`TimelineError::OutsideTrace`], [`TimelineError::NoSuchEvent`], [`TimelineError::NotACall`],
    /// [`TimelineError::NoSuchBookmark`]; what reading the trace gives.
    pub fn resolve(&self, place: &Place, bookmarks: &Bookmarks) -> Result<Moment, TimelineError> {
        let event = match place {
            Place::Start => self.start(),
            Place::End => {
                return Ok(Moment { event: self.end()?, time_ns: self.end_ns()? });
            }
            Place::Time(ns) => {
                let time_ns =
                    i128::from(self.trace.manifest().start_ns).saturating_add((*ns).into());
                return self.resolve_time(time_ns, *ns);
            }
            Place::Share(share) => {
                let start = self.trace.manifest().start_ns;
                let whole = u128::from(self.end_ns()?.saturating_sub(start));
                let ns = whole * u128::from(*share) / u128::from(WHOLE);
                let ns = i64::try_from(ns).unwrap_or(i64::MAX);
                return self.resolve_time(i128::from(start).saturating_add(ns.into()), ns);
            }
            Place::Call(id) => {
                let event = self.event(*id)?;
                if !matches!(event.kind, EventKind::Enter { .. }) {
                    return Err(TimelineError::NotACall { event: *id, kind: event.kind.name() });
                }
                id + 1
            }
            Place::Event(number) => {
                self.event(*number)?;
                number + 1
            }
            Place::Bookmark(name) => match bookmarks.0.get(name) {
                Some(moment) => *moment,
                None => {
                    return Err(TimelineError::NoSuchBookmark {
                        name: name.clone(),
                        known: bookmarks.0.keys().cloned().collect(),
                    });
                }
            },
        };
        Ok(Moment { event, time_ns: self.time_of(event)? })
    }

    fn resolve_time(&self, time_ns: i128, asked_ns: i64) -> Result<Moment, TimelineError> {
        let start_ns = self.trace.manifest().start_ns;
        let last_ns = self.end_ns()?;
        let first_ns = if self.start() == 0 || self.trace.block_count()? == 0 {
            0
        } else {
            self.trace.block_info(0)?.first_ns
        };
        match u64::try_from(time_ns) {
            Ok(time_ns) if (first_ns..=last_ns).contains(&time_ns) => {
                Ok(Moment { event: self.moment_at(time_ns)?, time_ns })
            }
            _ => Err(TimelineError::OutsideTrace {
                time_ns: asked_ns,
                first_ns: since(first_ns.max(start_ns), start_ns),
                last_ns: since(last_ns, start_ns),
            }),
        }
    }

    /// What all threads were doing at a moment.
    ///
    /// Losses are in it: those of each thread, those of threads unknown, up to when events are
    /// missing, and which open calls cross a gap.
    ///
    /// # Errors
    ///
    /// [`TimelineError::NoSuchEvent`] for a moment beyond the end; what reading the trace gives.
    pub fn state_at(&self, moment: u64) -> Result<State, TimelineError> {
        let (block, within) = self.split(moment)?;
        if within == 0 {
            return Ok(Arc::unwrap_or_clone(self.trace.checkpoint(block)?));
        }
        Ok(self.trace.state_in(block, within)?)
    }

    /// What one thread was doing at a moment; `None` where it is not known or gone. Costs less than
    /// the state of all.
    ///
    /// # Errors
    ///
    /// As [`Timeline::state_at`].
    pub fn thread_at(&self, moment: u64, tid: Tid) -> Result<Option<ThreadState>, TimelineError> {
        let (block, within) = self.split(moment)?;
        if within == 0 {
            return Ok(self.trace.checkpoint_of(block, tid)?.thread(tid).cloned());
        }
        let ThreadEvents { before: mut state, events } = self.trace.thread_in(block, tid)?;
        for (number, event) in events.iter().take_while(|(number, _)| *number < moment) {
            state.apply(*number, event);
        }
        Ok(state.thread(tid).cloned())
    }

    /// An event by its number.
    ///
    /// # Errors
    ///
    /// [`TimelineError::NoSuchEvent`]; what reading the trace gives.
    pub fn event(&self, number: u64) -> Result<Event, TimelineError> {
        let Some(block) = self.trace.block_of_event(number)? else {
            return Err(self.no_such_event(number)?);
        };
        let block = self.trace.block(block)?;
        let within = number - block.info().first_event;
        match usize::try_from(within).ok().and_then(|within| block.events().get(within)) {
            Some(event) => Ok(*event),
            None => Err(self.no_such_event(number)?),
        }
    }

    /// An event and the call it is about.
    ///
    /// # Errors
    ///
    /// As [`Timeline::event`].
    pub fn happening(&self, number: u64) -> Result<Happening, TimelineError> {
        let event = self.event(number)?;
        let thread = self.thread_at(number, event.tid)?;
        Ok(happening(number, &event, thread.as_ref()))
    }

    /// Block and place within it of the event that comes next at a moment; at the end, the number
    /// of blocks and 0.
    pub(crate) fn split(&self, moment: u64) -> Result<(usize, usize), TimelineError> {
        if let Some(block) = self.trace.block_of_event(moment)? {
            let first = self.trace.block_info(block)?.first_event;
            // Within a block, which has 4,096 events at most.
            return Ok((block, (moment - first) as usize));
        }
        if moment == self.end()? {
            return Ok((self.trace.block_count()?, 0));
        }
        Err(self.no_such_event(moment)?)
    }

    /// Fails once the flag of [`Timeline::interruptible`] is set: for callers whose own work over the
    /// trace should end with it.
    ///
    /// # Errors
    ///
    /// [`TimelineError::Interrupted`].
    pub fn check_interrupt(&self) -> Result<(), TimelineError> {
        match self.interrupt {
            Some(flag) if flag.load(Ordering::Relaxed) => Err(TimelineError::Interrupted),
            _ => Ok(()),
        }
    }

    fn no_such_event(&self, event: u64) -> Result<TimelineError, TimelineError> {
        Ok(TimelineError::NoSuchEvent { event, first: self.start(), end: self.end()? })
    }
}

/// An event in the light of its thread's state before it.
pub(crate) fn happening(number: u64, event: &Event, before: Option<&ThreadState>) -> Happening {
    let stack = before.map_or(&[] as &[_], |thread| &thread.stack);
    let (depth, call, duration_ns) = match event.kind {
        EventKind::Enter { function, return_address, stack_pointer, inherited } => {
            let call = OpenCall {
                id: number,
                function,
                entered_ns: event.time_ns,
                return_address,
                stack_pointer,
                inherited,
                crosses_gap: false,
            };
            (stack.len(), Some(call), None)
        }
        EventKind::Leave { .. } => {
            let call = stack.last().copied();
            let duration_ns = call.and_then(|call| duration_ns(&call, event));
            (stack.len().saturating_sub(1), call, duration_ns)
        }
        _ => (stack.len(), stack.last().copied(), None),
    };
    Happening { number, event: *event, depth, call, duration_ns }
}

/// How long a call took that ends with an event, where that is known exactly: it was seen to begin
/// and seen to return, and nothing was lost meanwhile.
pub(crate) fn duration_ns(call: &OpenCall, leave: &Event) -> Option<u64> {
    let EventKind::Leave { end: scope_model::CallEnd::Returned, crosses_gap, .. } = leave.kind
    else {
        return None;
    };
    if crosses_gap || call.crosses_gap || call.inherited {
        return None;
    }
    leave.time_ns.checked_sub(call.entered_ns)
}

fn since(time_ns: u64, start_ns: u64) -> i64 {
    let since = i128::from(time_ns) - i128::from(start_ns);
    i64::try_from(since).unwrap_or(if since < 0 { i64::MIN } else { i64::MAX })
}
