//! A row of `calls`.

use scope_model::{CallEnd, Event, EventKind, OpenCall, Pid, Tid};
use scope_timeline::RunTimes;

use crate::code::SiteText;
use crate::rows::Cell;
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
    /// `None` where it is open.
    pub(crate) end: Option<End>,
    /// When it ended, or the trace did, ns.
    pub(crate) end_ns: u64,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    /// Number of the event that ended it.
    pub(crate) number: u64,
    pub(crate) how: CallEnd,
    pub(crate) crosses_gap: bool,
    /// Of one that returned, where it was asked for.
    pub(crate) return_value: Option<u64>,
}

impl End {
    /// By the event that shows it.
    pub(crate) fn of(number: u64, event: &Event) -> Self {
        let (how, crosses_gap, return_value) = match event.kind {
            EventKind::Leave { end: how, crosses_gap, return_value, .. } => {
                (how, crosses_gap, (how == CallEnd::Returned).then_some(return_value))
            }
            // No recorder writes these without the ends of the calls.
            EventKind::ThreadExit { .. } => (CallEnd::ThreadEnded, false, None),
            EventKind::Exec { .. } => (CallEnd::Exec, false, None),
            _ => (CallEnd::Lost, false, None),
        };
        Self { number, how, crosses_gap, return_value }
    }
}

/// How the time of a call was spent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Account {
    pub(crate) self_ns: u64,
    pub(crate) times: RunTimes,
    pub(crate) callees: u64,
}

impl Row {
    /// What is in a column, by its number. `account` is how its time was spent and `site` where it was
    /// made, where that was asked for.
    #[inline(always)]
    pub(crate) fn cell<'a>(
        &self,
        source: &Source,
        account: Option<&Account>,
        site: Option<&'a SiteText>,
        column: usize,
    ) -> Cell<'a> {
        let Self { call, end, .. } = self;
        let time =
            |of: fn(&RunTimes) -> u64| Cell::count_if(account.map(|account| of(&account.times)));
        match column {
            ID => Cell::count(call.id),
            1 => Cell::count_if(self.parent),
            TID => Cell::Id(self.tid.0),
            3 => Cell::Id(self.pid.0),
            FUNCTION => Cell::Id(call.function.0),
            5 => Cell::count(self.depth as u64),
            START => Cell::Int(source.since_start(call.entered_ns)),
            7 => Cell::count_if(self.duration_ns()),
            8 => Cell::count(self.end_ns.saturating_sub(call.entered_ns)),
            9 if self.crosses_gap() => Cell::Null,
            9 => Cell::count_if(account.map(|account| account.self_ns)),
            10 => time(|times| times.running_ns),
            11 => time(|times| times.runnable_ns.saturating_add(times.blocked_ns)),
            12 => time(|times| times.runnable_ns),
            13 => time(|times| times.blocked_ns),
            14 => Cell::count_if(account.map(|account| account.callees)),
            15 => Cell::text_if(end.map(|end| end.how.name())),
            16 => Cell::Flag(self.crosses_gap()),
            17 => Cell::Flag(call.inherited),
            18 => end.and_then(|end| end.return_value).map_or(Cell::Null, Cell::Bits),
            19 => Cell::Bits(call.return_address),
            20 => Cell::count_if(end.map(|end| end.number)),
            21 => Cell::text_if(site.and_then(|site| site.node_id.as_deref())),
            22 => Cell::text_if(site.and_then(|site| site.file.as_deref())),
            _ => Cell::count_if(site.and_then(|site| site.line).map(u64::from)),
        }
    }

    fn crosses_gap(&self) -> bool {
        self.call.crosses_gap || self.end.is_some_and(|end| end.crosses_gap)
    }

    /// As the timeline has it: of a call that was seen to begin and to return, with nothing lost
    /// meanwhile.
    fn duration_ns(&self) -> Option<u64> {
        let how = self.end?.how;
        if how != CallEnd::Returned || self.crosses_gap() || self.call.inherited {
            return None;
        }
        self.end_ns.checked_sub(self.call.entered_ns)
    }
}
