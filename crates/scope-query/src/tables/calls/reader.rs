//! Going through a part of `calls`.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use scope_model::{Event, EventKind, FunctionId, OpenCall, Pid, State, ThreadState, Tid};
use scope_store::{EndedCall, Scan};

use super::account::Accounts;
use super::ending::{self, Ending};
use super::given::Given;
use super::row::{End, Row};
use crate::QueryError;
use crate::blocks::{Feed, STRIDE};
use crate::provider::Reading;
use crate::rows::Rows;
use crate::source::Source;
use crate::walk;

/// Which calls are rows of a part.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    /// They begin with one of these events.
    pub(crate) events: Range<u64>,
    /// They are of these threads.
    pub(crate) threads: Option<BTreeSet<u64>>,
    /// They were made by this call.
    pub(crate) parent: Option<u64>,
    /// They are of these functions.
    pub(crate) functions: Option<BTreeSet<u64>>,
}

impl Choice {
    /// Whether calls of a thread may be rows.
    fn wants(&self, tid: Tid) -> bool {
        self.threads.as_ref().is_none_or(|only| only.contains(&tid.0.into()))
    }

    fn takes(&self, tid: Tid, call: &OpenCall, parent: Option<u64>) -> bool {
        let FunctionId(function) = call.function;
        self.events.contains(&call.id)
            && self.wants(tid)
            && self.parent.is_none_or(|only| Some(only) == parent)
            && self.functions.as_ref().is_none_or(|only| only.contains(&function.into()))
    }
}

/// What is needed of the calls besides their begin and end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Needs {
    /// How their time was spent.
    pub(crate) accounts: bool,
    /// Where they were made.
    pub(crate) places: bool,
    /// What they returned.
    pub(crate) values: bool,
    /// Blocks that are left out may have events of threads that matter.
    pub(crate) jumps: bool,
}

#[derive(Debug)]
pub(crate) struct Reader {
    source: Arc<Source>,
    choice: Choice,
    /// What is read next, and where in it.
    blocks: Vec<usize>,
    next: usize,
    /// The state after so many blocks of the trace.
    state: Option<(State, usize)>,
    feed: Feed,
    /// Where threads may be read one after the other.
    scan: Option<Scan>,
    accounts: Option<Accounts>,
    given: Given,
    /// Blocks that are left out may have events of threads that matter.
    jumps: bool,
}

impl Reader {
    pub(crate) fn new(
        source: Arc<Source>,
        choice: Choice,
        blocks: Vec<usize>,
        needs: Needs,
    ) -> Self {
        let accounts = needs.accounts.then(Accounts::default);
        let given = Given::new(needs.places);
        let feed = Feed::default();
        let jumps = needs.jumps;
        // How time passes, and what is returned, is said by events in their order.
        let scan = (!needs.accounts && !needs.values).then(Scan::default);
        Self { source, choice, blocks, next: 0, state: None, feed, scan, accounts, given, jumps }
    }

    fn read(&mut self, block: usize, rows: &mut Rows) -> Result<(), QueryError> {
        let trace = &self.source.trace;
        let jump = match &self.state {
            None => true,
            Some((_, next)) => self.jumps && *next != block,
        };
        if jump {
            let state = State::clone(&*trace.checkpoint(block)?);
            if let Some(accounts) = &mut self.accounts {
                accounts.begin(&state);
            }
            if let Some((before, next)) = self.state.take() {
                // Those of the calls that ended in between.
                let is_open = |tid: Tid, id: u64| {
                    let thread = state.thread(tid);
                    thread.is_some_and(|thread| thread.stack.iter().any(|call| call.id == id))
                };
                for (tid, id) in chosen(&before, &self.choice) {
                    if !is_open(tid, id) {
                        find((&self.source, &mut self.given), tid, id, next, rows)?;
                    }
                }
            }
            self.state = Some((state, block));
        }
        let Some((state, next)) = &mut self.state else { return Ok(()) };
        *next = block + 1;
        if let Some(scan) = &mut self.scan {
            let (source, choice, given) = (&self.source, &self.choice, &mut self.given);
            let ended = |ended: EndedCall<'_>| {
                let EndedCall { tid, pid, call, below, number, time_ns, how, crosses_gap } = ended;
                let parent = below.last().map(|call| call.id);
                if choice.takes(tid, &call, parent) {
                    let end = Some(End { number, how, crosses_gap, return_value: None });
                    let (depth, end_ns) = (below.len(), time_ns);
                    let row = Row { call, parent, depth, tid, pid, end, end_ns };
                    given.give(row, None, source, rows);
                }
            };
            let wanted = |tid| choice.wants(tid);
            if scan.block(trace, block, state, wanted, ended)? {
                self.given.pass_on(&self.source, rows);
                return Ok(());
            }
        }
        let (first, events) = self.feed.read(trace, block)?;
        let mut step = Step {
            source: &self.source,
            choice: &self.choice,
            accounts: &mut self.accounts,
            given: &mut self.given,
            rows,
        };
        for (event, number) in events.iter().zip(first..) {
            step.see(number, event, state);
        }
        self.given.pass_on(&self.source, rows);
        Ok(())
    }

    /// After the last block.
    fn end(&mut self, rows: &mut Rows) -> Result<(), QueryError> {
        let Some((state, next)) = &mut self.state else { return Ok(()) };
        if self.accounts.is_none() {
            for (tid, id) in chosen(state, &self.choice) {
                find((&self.source, &mut self.given), tid, id, *next, rows)?;
            }
            self.given.pass_on(&self.source, rows);
            return Ok(());
        }
        let end_ns = self.source.end_ns()?;
        let threads = state.sorted_threads();
        let mut step = Step {
            source: &self.source,
            choice: &self.choice,
            accounts: &mut self.accounts,
            given: &mut self.given,
            rows,
        };
        for thread in threads {
            step.pass(thread.tid, Some(thread), end_ns);
            step.close(thread, 0, None, end_ns);
        }
        self.given.pass_on(&self.source, rows);
        Ok(())
    }
}

impl Reading for Reader {
    fn more(&mut self, rows: &mut Rows) -> Result<bool, QueryError> {
        for _ in 0..STRIDE {
            if let Some(block) = self.blocks.get(self.next).copied() {
                self.next += 1;
                self.read(block, rows)?;
                if rows.are_enough() {
                    return Ok(true);
                }
                continue;
            }
            let (Some(last), Some((state, _))) = (self.blocks.last(), &self.state) else {
                return Ok(false);
            };
            let going_on = match self.accounts {
                Some(_) => chosen(state, &self.choice).into_iter().map(|(tid, _)| tid).collect(),
                None => BTreeSet::new(),
            };
            if going_on.is_empty()
                || !walk::ahead(&self.source.trace, last + 1, &going_on, &mut self.blocks)?
            {
                self.end(rows)?;
                return Ok(false);
            }
            self.next = 0;
        }
        Ok(true)
    }
}

/// The open calls of a state that are rows, outermost first.
fn chosen(state: &State, choice: &Choice) -> Vec<(Tid, u64)> {
    let mut found = Vec::new();
    for thread in state.threads() {
        let mut parent = None;
        for call in &thread.stack {
            if choice.takes(thread.tid, call, parent) {
                found.push((thread.tid, call.id));
            }
            parent = Some(call.id);
        }
    }
    found.sort_unstable();
    found
}

/// Gives a call that is open before a block.
fn find(
    (source, given): (&Source, &mut Given),
    tid: Tid,
    id: u64,
    from: usize,
    rows: &mut Rows,
) -> Result<(), QueryError> {
    let Some(found) = ending::find(&source.trace, tid, id, from)? else { return Ok(()) };
    let Ending { call, parent, depth, pid, end } = found;
    let end_ns = match &end {
        Some((_, event)) => event.time_ns,
        None => source.end_ns()?,
    };
    let end = end.map(|(number, event)| End::of(number, &event));
    given.give(Row { call, parent, depth, tid, pid, end, end_ns }, None, source, rows);
    Ok(())
}

/// What an event needs.
struct Step<'a> {
    source: &'a Source,
    choice: &'a Choice,
    accounts: &'a mut Option<Accounts>,
    given: &'a mut Given,
    rows: &'a mut Rows,
}

impl Step<'_> {
    fn see(&mut self, number: u64, event: &Event, state: &mut State) {
        let tid = event.tid;
        match event.kind {
            EventKind::Enter { inherited, .. } => {
                self.pass(tid, state.thread(tid), event.time_ns);
                state.apply(number, event);
                if let Some(accounts) = self.accounts {
                    accounts.enter(tid, inherited);
                }
            }
            EventKind::Leave { .. } => {
                self.pass(tid, state.thread(tid), event.time_ns);
                let pid = state.thread(tid).map_or(event.pid, |thread| thread.pid);
                if let Some(call) = state.apply(number, event) {
                    let stack = state.thread(tid).map_or(&[] as &[_], |thread| &thread.stack);
                    self.give((tid, pid), call, stack, Some((number, *event)), event.time_ns);
                }
            }
            // These may end calls that nothing else ends.
            EventKind::ThreadStart { .. } | EventKind::ThreadExit { .. } => {
                let before = state.thread(tid).cloned();
                self.pass(tid, before.as_ref(), event.time_ns);
                state.apply(number, event);
                self.gone(before, state, number, event);
            }
            EventKind::Exec { .. } => {
                let threads = state.threads().iter();
                let ended = threads.filter(|thread| thread.pid == event.pid || thread.tid == tid);
                let before: Vec<ThreadState> = ended.cloned().collect();
                for thread in &before {
                    self.pass(thread.tid, Some(thread), event.time_ns);
                }
                state.apply(number, event);
                for thread in before {
                    self.gone(Some(thread), state, number, event);
                }
            }
            EventKind::Gap { .. } if tid == Tid(0) => {
                if self.accounts.is_some() {
                    for thread in state.threads() {
                        self.pass(thread.tid, Some(thread), event.time_ns);
                    }
                }
                state.apply(number, event);
            }
            _ => {
                self.pass(tid, state.thread(tid), event.time_ns);
                state.apply(number, event);
            }
        }
    }

    fn pass(&mut self, tid: Tid, thread: Option<&ThreadState>, time_ns: u64) {
        if let Some(accounts) = self.accounts {
            accounts.pass(tid, thread, time_ns);
        }
    }

    /// Gives the calls that a thread had and has no more.
    fn gone(&mut self, before: Option<ThreadState>, state: &State, number: u64, event: &Event) {
        let Some(before) = before else { return };
        let left = state.thread(before.tid).map_or(0, |thread| thread.stack.len());
        self.close(&before, left, Some((number, *event)), event.time_ns);
    }

    /// Gives the calls of a thread from a place in its stack up, innermost first.
    fn close(&mut self, thread: &ThreadState, keep: usize, end: Option<(u64, Event)>, end_ns: u64) {
        for depth in (keep..thread.stack.len()).rev() {
            let (below, above) = thread.stack.split_at(depth);
            let Some(call) = above.first() else { continue };
            self.give((thread.tid, thread.pid), *call, below, end, end_ns);
        }
    }

    /// Gives a call that ended, with what was open around it.
    fn give(
        &mut self,
        (tid, pid): (Tid, Pid),
        call: OpenCall,
        below: &[OpenCall],
        end: Option<(u64, Event)>,
        end_ns: u64,
    ) {
        let account = self.accounts.as_mut().map(|accounts| accounts.leave(tid));
        let parent = below.last().map(|call| call.id);
        if self.choice.takes(tid, &call, parent) {
            let depth = below.len();
            let end = end.map(|(number, event)| End::of(number, &event));
            let row = Row { call, parent, depth, tid, pid, end, end_ns };
            self.given.give(row, account, self.source, self.rows);
        }
    }
}
