//! What the health pane says, line by line.

use scope_store::HealthSample;

use super::Model;
use crate::query::health::Condition;
use crate::text;
use crate::theme::Role;

/// A rate is over at least this time, ns.
const RATE_NS: u64 = 1_000_000_000;
/// Steps of a line of bars.
const STEPS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const ASCII_STEPS: [&str; 8] = ["_", ".", ".", "-", "-", "=", "=", "#"];
/// Moments in a line of bars.
const BARS: usize = 40;
/// Cells of what a line is about.
const LABEL: usize = 10;
/// Cells of what it says.
const VALUE: usize = 26;

/// A line of the health pane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthLine {
    /// The text.
    pub text: String,
    /// How it is drawn.
    pub role: Role,
}

impl Model {
    /// The lines of the health pane; none before they are known.
    #[must_use]
    pub fn health_lines(&self) -> Vec<HealthLine> {
        let Some(answered) = &self.answers.health else { return Vec::new() };
        let condition = &*answered.value;
        let mut lines = Lines { ascii: self.theme.ascii, lines: Vec::new() };
        let state = match (&condition.end_reason, self.facts.complete, &self.control) {
            (Some(why), _, _) => format!("complete: {why}"),
            (None, true, _) => "complete".to_owned(),
            (None, false, Some(control)) if control.stopped => "ending".to_owned(),
            (None, false, Some(control)) if control.paused => {
                "paused: no calls are recorded".to_owned()
            }
            (None, false, _) => "recording".to_owned(),
        };
        let whole = text::duration(self.facts.duration_ns());
        lines.say("state", &format!("{state}, {whole}"), Role::Title);
        self.numbers(condition, &mut lines);
        probes(condition, &mut lines);
        if let Some(ended) = &condition.ended {
            for warning in &ended.warnings {
                lines.say("note", warning, Role::Warning);
            }
        }
        for note in condition.told.iter().flat_map(|told| &told.notes) {
            let time = text::moment(self.facts.since(note.time_ns));
            lines.say("", &format!("{time}  {}", note.text), Role::Text);
        }
        lines.lines
    }

    fn numbers(&self, condition: &Condition, lines: &mut Lines) {
        let Some(told) = &condition.told else {
            lines.say("", "its recorder told nothing while it recorded", Role::Dim);
            return;
        };
        let samples = &told.samples;
        let Some(last) = samples.last() else { return };
        let rate = |of: fn(&HealthSample) -> u64| rates(samples, of);
        let events = rate(|sample| sample.events);
        let now = |rates: &[f64]| rates.last().copied().unwrap_or_default();
        // What went on while it recorded says nothing of how it is now.
        let complete = self.facts.complete;
        let text = match complete {
            true => text::count(last.events),
            false => format!("{}  {}/s", text::count(last.events), short(now(&events))),
        };
        lines.bars("events", &text, &events, Role::Running);
        let lost = rate(|sample| sample.lost.saturating_add(sample.dropped));
        let role = if last.lost + last.dropped > 0 { Role::Lost } else { Role::Dim };
        let mut text = text::count(last.lost);
        if last.dropped > 0 {
            text.push_str(&format!(" and {} dropped", text::count(last.dropped)));
        }
        lines.bars("lost", &text, &lost, role);
        let fill: Vec<f64> = samples.iter().map(|sample| f64::from(sample.ring_fill)).collect();
        let text = format!(
            "{:.1} % of {} x {}",
            now(&fill) / 10.0,
            told.rings,
            size(told.ring_bytes as f64)
        );
        lines.bars("rings", &text, &fill, Role::Runnable);
        let bytes = rate(|sample| sample.bytes);
        let text = match complete {
            true => size(condition.bytes as f64),
            false => format!("{}  {}/s", size(last.bytes as f64), size(now(&bytes).max(0.0))),
        };
        lines.bars("bytes", &text, &bytes, Role::Blocked);
        let cpu: Vec<f64> = rate(|sample| sample.cpu_ns);
        let text = format!("{:.1} % of one CPU", now(&cpu) / 1e7);
        lines.bars("tracer", &text, &cpu, Role::Running);
        if last.max_hot_segments > 0 && !complete {
            let behind = last.hot_segments.saturating_mul(2) > last.max_hot_segments;
            let role = if behind { Role::Warning } else { Role::Text };
            let text = format!("{} of {} segments wait", last.hot_segments, last.max_hot_segments);
            lines.say("sealing", &text, role);
        }
    }
}

fn probes(condition: &Condition, lines: &mut Lines) {
    let all: u64 = condition.probes.iter().map(|(_, count)| count).sum();
    lines.say("probes", &text::count(all), Role::Title);
    for (class, count) in &condition.probes {
        lines.say("", &format!("{:>9} {class}", text::count(*count)), Role::Text);
    }
    for (reason, count) in &condition.left_out {
        lines.say("", &format!("{:>9} left out: {reason}", text::count(*count)), Role::Dim);
    }
    if let Some(ended) = &condition.ended {
        let how = format!("{}, {}", ended.attach_mechanism, ended.return_probes);
        lines.say("attached", &how, Role::Text);
    }
}

/// Changes a second between samples; each over some time at least, so that one that comes soon after
/// another does not jump.
fn rates(samples: &[HealthSample], of: fn(&HealthSample) -> u64) -> Vec<f64> {
    let mut rates = Vec::with_capacity(samples.len());
    let mut from = 0;
    for at in 1..samples.len() {
        while from + 1 < at
            && samples[at].time_ns.saturating_sub(samples[from + 1].time_ns) >= RATE_NS
        {
            from += 1;
        }
        let ns = samples[at].time_ns.saturating_sub(samples[from].time_ns).max(1);
        let change = of(&samples[at]).saturating_sub(of(&samples[from]));
        rates.push(change as f64 * 1e9 / ns as f64);
    }
    rates
}

struct Lines {
    ascii: bool,
    lines: Vec<HealthLine>,
}

impl Lines {
    fn say(&mut self, label: &str, value: &str, role: Role) {
        let text = format!("{label:<LABEL$}{}", text::printable(value));
        self.lines.push(HealthLine { text, role });
    }

    /// A line with the course of a number over time.
    fn bars(&mut self, label: &str, value: &str, course: &[f64], role: Role) {
        let steps = if self.ascii { ASCII_STEPS } else { STEPS };
        let newest = &course[course.len().saturating_sub(BARS)..];
        let most = newest.iter().fold(0.0_f64, |most, value| most.max(*value));
        let bars: String = newest
            .iter()
            .map(|value| match most > 0.0 && *value > 0.0 {
                true => steps[((value / most * 8.0).ceil() as usize).clamp(1, 8) - 1],
                false => " ",
            })
            .collect();
        self.say(label, &format!("{}{bars}", text::fit(value, VALUE, self.ascii)), role);
    }
}

/// A rate, to three digits.
fn short(rate: f64) -> String {
    match rate {
        rate if rate >= 1e6 => format!("{:.2}M", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.1}k", rate / 1e3),
        rate => format!("{rate:.0}"),
    }
}

/// A number of bytes, in IEC units.
fn size(bytes: f64) -> String {
    let (mut value, mut unit) = (bytes, "B");
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if value < 1024.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if unit == "B" || value >= 100.0 {
        format!("{value:.0} {unit}")
    } else {
        format!("{value:.1} {unit}")
    }
}
