//! The status line of a recording without UI.

use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::session::Recording;
use crate::output::units;

/// Writes over its own line on a terminal; silent elsewhere.
#[derive(Debug)]
pub struct StatusLine {
    shown: bool,
    began: Instant,
    last: Instant,
    events: u64,
    cpu_ns: u64,
    used: bool,
}

impl StatusLine {
    /// Time between two updates.
    pub const PERIOD: Duration = Duration::from_millis(500);

    /// A line on standard error.
    #[must_use]
    pub fn new(quiet: bool) -> Self {
        let now = Instant::now();
        Self {
            shown: !quiet && std::io::stderr().is_terminal(),
            began: now,
            last: now,
            events: 0,
            cpu_ns: 0,
            used: false,
        }
    }

    /// Shows the present numbers.
    pub fn update(&mut self, recording: &Recording) {
        if !self.shown {
            return;
        }
        let progress = recording.progress();
        let events = progress.events.load(Ordering::Relaxed);
        let lost = progress.lost.load(Ordering::Relaxed);
        let bytes = progress.bytes.load(Ordering::Relaxed);
        let fill = progress.fill.swap(0, Ordering::Relaxed);
        let cpu_ns = recording.cpu_ns();
        let seconds = self.last.elapsed().as_secs_f64().max(1e-3);
        let rate = events.saturating_sub(self.events) as f64 / seconds;
        let cpu = cpu_ns.saturating_sub(self.cpu_ns) as f64 / 1e7 / seconds;
        (self.last, self.events, self.cpu_ns, self.used) = (Instant::now(), events, cpu_ns, true);
        // A terminal that went away does not end a recording.
        let _ = write!(
            std::io::stderr(),
            "\r\x1b[K{:.1} s  {rate:.0} events/s  {events} events  {lost} lost  {}  rings {:.0} %  tracer {cpu:.1} % CPU",
            self.began.elapsed().as_secs_f64(),
            units::size(bytes),
            fill as f64 / 10.0,
        );
    }

    /// Removes the line.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.used) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}
