//! Going to another focus: one way after the other, and what an arrival changes.

use scope_timeline::Cursor;

use super::{Going, Model, Range, whole};
use crate::focus::{Focus, Jumps};
use crate::query::{Arrival, Query, Travel, travel::Destination};

/// Ways that wait for the one before them; a held key makes no more.
const MOST_WAITING: usize = 32;

/// Shortest range that is shown, ns.
const SHORTEST_NS: u64 = 64;

impl Model {
    /// Goes somewhere, once what is being gone is over.
    pub(super) fn go(&mut self, to: Destination) {
        let jump = !matches!(to, Destination::Step { .. });
        let from_anywhere =
            matches!(to, Destination::Place(..) | Destination::Time(..) | Destination::Call(_));
        if from_anywhere {
            // Somebody wants to be elsewhere: what waits is of no use.
            self.waiting.clear();
        }
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push_back(Going { to, jump, percent: None });
        }
        self.following = false;
    }

    /// To a focus that was visited.
    pub(super) fn revisit(&mut self, focus: Focus) {
        self.waiting.clear();
        self.following = false;
        self.focus = Focus {
            moment: focus.moment.clamp(self.facts.first, self.facts.end.max(self.facts.first)),
            ..focus
        };
        self.after_move();
    }

    pub(super) fn travel_query(&self, going: &Going) -> Query {
        let from = Cursor { thread: self.focus.tid, moment: self.focus.moment };
        Query::Travel(Travel { from, to: going.to.clone() })
    }

    pub(super) fn arrive(&mut self, arrival: Arrival) {
        let going = self.travelling.take();
        self.asked[0] = None;
        match arrival {
            Arrival::Nowhere(why) => {
                self.waiting.clear();
                self.say(why);
            }
            Arrival::At { moment, time_ns, tid, crosses_gap, breakpoint, .. } => {
                let tid = tid.or(self.focus.tid);
                self.focus = Focus { moment, time_ns, tid, frame: 0 };
                if going.is_none_or(|going| going.jump) {
                    self.jumps.jump(self.focus);
                } else {
                    self.jumps.step(self.focus);
                }
                self.message = None;
                if let Some(breakpoint) =
                    breakpoint.and_then(|index| self.breakpoints.get_mut(index))
                {
                    breakpoint.hits += 1;
                    let text = format!("breakpoint hit {}: {}", breakpoint.hits, breakpoint.text);
                    self.say(text);
                }
                if crosses_gap {
                    self.warn("events were lost on the way: calls may be missing");
                }
                self.after_move();
            }
        }
    }

    /// The focus is elsewhere: what follows it does.
    pub(super) fn after_move(&mut self) {
        self.selected.calls = None;
        self.selected.state = None;
        self.selected.source = None;
        if !self.range.contains(self.focus.time_ns) {
            self.center(self.focus.time_ns);
        }
        self.show_lane();
    }

    /// The focused thread's lane is brought onto the screen.
    pub(super) fn show_lane(&mut self) {
        let height = self.regions().lanes.height as usize;
        self.lane_top = self.lane_top.min(self.threads.len().saturating_sub(height));
        let Some(tid) = self.focus.tid else { return };
        let Some(at) = self.threads.iter().position(|known| *known == tid) else { return };
        if at < self.lane_top {
            self.lane_top = at;
        } else if height > 0 && at >= self.lane_top + height {
            self.lane_top = at + 1 - height;
        }
    }

    /// Moves the range so that a time is in its middle, as far as the trace goes.
    pub(super) fn center(&mut self, time_ns: u64) {
        let length = self.range.length();
        self.set_range(time_ns.saturating_sub(length / 2), length);
    }

    /// Shows so much from a time on, as far as the trace goes.
    pub(super) fn set_range(&mut self, start_ns: u64, length: u64) {
        let all = whole(&self.facts);
        let length = length.clamp(SHORTEST_NS.min(all.length()), all.length());
        let start_ns = start_ns.clamp(all.start_ns, all.end_ns.saturating_sub(length));
        self.range = Range { start_ns, end_ns: start_ns.saturating_add(length) };
    }

    /// Zooms by a factor in percent around a time, which stays where it is on the screen.
    pub(super) fn zoom(&mut self, percent: u64, around_ns: u64) {
        let around_ns = around_ns.clamp(self.range.start_ns, self.range.end_ns);
        let scaled =
            |ns: u64| u64::try_from(u128::from(ns) * u128::from(percent) / 100).unwrap_or(u64::MAX);
        let before = around_ns - self.range.start_ns;
        // A range of few nanoseconds must still grow.
        let length = match percent {
            101.. => scaled(self.range.length()).max(self.range.length().saturating_add(1)),
            _ => scaled(self.range.length()),
        };
        let length = length.max(SHORTEST_NS);
        let before =
            u128::from(before) * u128::from(length) / u128::from(self.range.length().max(1));
        let before = u64::try_from(before).unwrap_or(u64::MAX);
        self.set_range(around_ns.saturating_sub(before), length);
    }

    /// Moves the range by a share of its length, in percent; earlier where it is negative.
    pub(super) fn pan(&mut self, percent: i64) {
        let by = u128::from(self.range.length()) * u128::from(percent.unsigned_abs()) / 100;
        let by = u64::try_from(by).unwrap_or(u64::MAX).max(1);
        let start_ns = if percent < 0 {
            self.range.start_ns.saturating_sub(by)
        } else {
            self.range.start_ns.saturating_add(by)
        };
        self.set_range(start_ns, self.range.length());
    }
}

impl Model {
    /// Shows a range, as far as the trace goes.
    pub(crate) fn show_range(&mut self, start_ns: u64, end_ns: u64) {
        if start_ns < end_ns {
            self.set_range(start_ns, end_ns - start_ns);
        }
    }

    /// The way begins here: nothing is before it.
    pub(crate) fn begin_here(&mut self) {
        self.jumps = Jumps::default();
        self.jumps.jump(self.focus);
        self.after_move();
    }
}
