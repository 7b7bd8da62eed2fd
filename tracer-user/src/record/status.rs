//! The status line of a recording without UI.

use std::io::{IsTerminal, Write};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use scope_store::WriterStatus;
use terminal_size::Width;

use super::drain::now_ns;
use super::session::Recording;
use crate::output::units;

/// A pipeline that has not been seen at work for so long waits for the disk.
const STUCK_NS: u64 = 5_000_000_000;

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

    /// Shows nothing for now: somebody else has the terminal.
    pub fn hide(&mut self) {
        self.clear();
        self.shown = false;
    }

    /// Shows what there is from now on, as a new line would.
    pub fn show(&mut self, quiet: bool) {
        self.shown = Self::new(quiet).shown;
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
        let fill = progress.fill_lately.load(Ordering::Relaxed);
        let cpu_ns = recording.cpu_ns();
        let seconds = self.last.elapsed().as_secs_f64().max(1e-3);
        let rate = events.saturating_sub(self.events) as f64 / seconds;
        let cpu = cpu_ns.saturating_sub(self.cpu_ns) as f64 / 1e7 / seconds;
        (self.last, self.events, self.cpu_ns, self.used) = (Instant::now(), events, cpu_ns, true);
        let silent_ns = match progress.alive_ns.load(Ordering::Relaxed) {
            0 => 0,
            alive_ns => now_ns().saturating_sub(alive_ns),
        };
        let dropped = progress.dropped.load(Ordering::Relaxed);
        let trouble = trouble(&progress.writer(), dropped, silent_ns);
        let line = format!(
            "{:.1} s  {rate:.0}/s  {} events  {lost} lost{trouble}  {}  rings {:.0} %  tracer {cpu:.1} % CPU",
            self.began.elapsed().as_secs_f64(),
            units::count(events),
            units::size(bytes),
            fill as f64 / 10.0,
        );
        // A terminal that went away does not end a recording.
        let _ = write!(std::io::stderr(), "\r\x1b[K{}", fitting(&line, width()));
    }

    /// Says what is still done when the probes are out.
    pub fn ending(&self, segments: u32) {
        if self.shown {
            let sealing = match segments {
                0 | 1 => String::new(),
                _ => format!(", sealing {}", units::counted(u64::from(segments), "segment")),
            };
            let line = format!("ending: keeping the code (Ctrl-C skips that){sealing}");
            let _ = write!(std::io::stderr(), "\r\x1b[K{}", fitting(&line, width()));
        }
    }

    /// Removes whatever stands in the line.
    pub fn end(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    /// Removes the line.
    pub fn clear(&mut self) {
        if std::mem::take(&mut self.used) {
            self.end();
        }
    }
}

/// Columns of the terminal on standard error, if they are known.
fn width() -> Option<usize> {
    let (Width(width), _) = terminal_size::terminal_size_of(std::io::stderr())?;
    Some(width.into())
}

/// As much of a line as stays on one line of the terminal: what wraps cannot be written over.
fn fitting(line: &str, width: Option<usize>) -> &str {
    let end = width.and_then(|width| line.char_indices().nth(width.saturating_sub(1)));
    end.map_or(line, |(end, _)| &line[..end])
}

/// Why the trace does not keep up; nothing while it does.
fn trouble(writer: &WriterStatus, dropped: u64, silent_ns: u64) -> String {
    let mut trouble = Vec::new();
    if dropped > 0 {
        trouble.push(format!("{dropped} dropped"));
    }
    if silent_ns > STUCK_NS {
        trouble.push(format!("the disk does not answer for {}", units::duration(silent_ns)));
    }
    if writer.sealing_stopped.is_some() {
        trouble.push("sealing stopped".to_owned());
    } else if writer.short_of_space {
        trouble.push("waiting for space".to_owned());
    } else if 2 * writer.hot_segments > writer.max_hot_segments {
        let (hot, most) = (writer.hot_segments, writer.max_hot_segments);
        trouble.push(format!("sealing behind ({hot}/{most})"));
    }
    trouble.iter().map(|words| format!("  {words}")).collect()
}

#[cfg(test)]
mod tests {
    use scope_store::WriterStatus;

    use super::{fitting, trouble};

    #[test]
    fn a_line_does_not_wrap() {
        assert_eq!(fitting("0.5 s  1µs", Some(10)), "0.5 s  1µ");
        assert_eq!(fitting("0.5 s", Some(80)), "0.5 s");
        assert_eq!(fitting("0.5 s", None), "0.5 s");
    }

    #[test]
    fn what_does_not_keep_up_is_named() {
        let well = WriterStatus { hot_segments: 2, max_hot_segments: 8, ..WriterStatus::default() };
        let behind = WriterStatus { hot_segments: 8, ..well.clone() };
        let short = WriterStatus { short_of_space: true, ..well.clone() };
        let stopped = WriterStatus { sealing_stopped: Some("no space".to_owned()), ..well.clone() };
        let told = [
            trouble(&well, 0, 10_000_000),
            trouble(&behind, 0, 0),
            trouble(&behind, 1_234_567, 0),
            trouble(&short, 0, 0),
            trouble(&stopped, 0, 6_200_000_000),
        ];
        insta::assert_snapshot!(told.join("\n").replace("\n  ", "\n"), @r"

        sealing behind (8/8)
        1234567 dropped  sealing behind (8/8)
        waiting for space
        the disk does not answer for 6.20s  sealing stopped
        ");
    }
}
