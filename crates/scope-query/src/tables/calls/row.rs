//! A row of `calls`.

use scope_model::{CallEnd, Event, EventKind, OpenCall, Pid, Tid};
use scope_timeline::RunTimes;

use crate::code::Sites;
use crate::rows::{Cell, Rows};
use crate::source::Source;

pub(crate) const ID: usize = 0;
pub(crate) const TID: usize = 2;
pub(crate) const FUNCTION: usize = 4;
pub(crate) const START: usize = 6;

/// A call, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) call: OpenCall,
    pub(crate) parent: Option<u64>,
    pub(crate) depth: usize,
    pub(crate) tid: Tid,
    pub(crate) pid: Pid,
    /// The event that ended it, and its number; `None` where it is open.
    pub(crate) end: Option<(u64, Event)>,
    /// When it ended, or the trace did, ns.
    pub(crate) end_ns: u64,
    /// `None` where it was not asked for.
    pub(crate) account: Option<Account>,
}

/// How the time of a call was spent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) self_ns: u64,
    pub(crate) times: RunTimes,
    pub(crate) callees: u64,
}

impl Row {
    pub(crate) fn give(&self, source: &Source, sites: &mut Option<Sites>, rows: &mut Rows) {
        let site = sites.as_mut().map(|sites| sites.of(source.code(), self.pid, &self.call));
        let site = site.as_deref();
        let Self { call, account, .. } = self;
        let left_in_gap = matches!(
            self.end,
            Some((_, Event { kind: EventKind::Leave { crosses_gap: true, .. }, .. }))
        );
        let crosses_gap = call.crosses_gap || left_in_gap;
        let times = account.map(|account| account.times);
        let time = |of: fn(&RunTimes) -> u64| Cell::count_if(times.as_ref().map(of));
        rows.push(|column| match column {
            ID => Cell::count(call.id),
            1 => Cell::count_if(self.parent),
            TID => Cell::Id(self.tid.0),
            3 => Cell::Id(self.pid.0),
            FUNCTION => Cell::Id(call.function.0),
            5 => Cell::count(self.depth as u64),
            START => Cell::Int(source.since_start(call.entered_ns)),
            7 => Cell::count_if(self.duration_ns(crosses_gap)),
            8 => Cell::count(self.end_ns.saturating_sub(call.entered_ns)),
            9 if crosses_gap => Cell::Null,
            9 => Cell::count_if(account.map(|account| account.self_ns)),
            10 => time(|times| times.running_ns),
            11 => time(|times| times.runnable_ns.saturating_add(times.blocked_ns)),
            12 => time(|times| times.runnable_ns),
            13 => time(|times| times.blocked_ns),
            14 => Cell::count_if(account.map(|account| account.callees)),
            15 => Cell::text_if(self.end.map(|(_, event)| how(&event).name())),
            16 => Cell::Flag(crosses_gap),
            17 => Cell::Flag(call.inherited),
            18 => match self.end {
                Some((_, event)) => match event.kind {
                    EventKind::Leave { end: CallEnd::Returned, return_value, .. } => {
                        Cell::Bits(return_value)
                    }
                    _ => Cell::Null,
                },
                None => Cell::Null,
            },
            19 => Cell::Bits(call.return_address),
            20 => Cell::count_if(self.end.map(|(number, _)| number)),
            21 => Cell::text_if(site.and_then(|site| site.node_id.as_deref())),
            22 => Cell::text_if(site.and_then(|site| site.file.as_deref())),
            _ => Cell::count_if(site.and_then(|site| site.line).map(u64::from)),
        });
    }

    /// As the timeline has it: of a call that was seen to begin and to return, with nothing lost
    /// meanwhile.
    fn duration_ns(&self, crosses_gap: bool) -> Option<u64> {
        let (_, event) = self.end?;
        if how(&event) != CallEnd::Returned || crosses_gap || self.call.inherited {
            return None;
        }
        event.time_ns.checked_sub(self.call.entered_ns)
    }
}

/// How a call ended, by the event that shows it.
fn how(event: &Event) -> CallEnd {
    match event.kind {
        EventKind::Leave { end, .. } => end,
        // No recorder writes these without the ends of the calls.
        EventKind::ThreadExit { .. } => CallEnd::ThreadEnded,
        EventKind::Exec { .. } => CallEnd::Exec,
        _ => CallEnd::Lost,
    }
}
