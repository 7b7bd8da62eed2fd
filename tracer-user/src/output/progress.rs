//! Progress of long work, on standard error when that is a terminal.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Work shorter than this shows nothing: a flash of a line is only noise.
const PATIENCE: Duration = Duration::from_millis(400);

/// Progress over events, or other units, of which the number is known or not. Gone when dropped.
#[derive(Debug)]
pub struct Progress {
    what: &'static str,
    /// What is counted, as the line names it.
    units: &'static str,
    whole: Option<u64>,
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Begins; `what` is the work as a participle phrase, `whole` how much there is of it.
    pub fn new(what: &'static str, whole: Option<u64>) -> Self {
        Self { what, units: " events", whole, begun: Instant::now(), bar: None }
    }

    /// As [`Progress::new`], for work that is counted in units nobody cares about.
    pub fn of_units(what: &'static str) -> Self {
        let mut progress = Self::new(what, None);
        progress.units = "";
        progress
    }

    /// So much of so much is done.
    pub fn of(&mut self, done: u64, whole: u64) {
        self.whole = Some(whole);
        self.at(done);
    }

    /// So much is done. Cheap, but not for every event.
    pub fn at(&mut self, done: u64) {
        if self.begun.elapsed() < PATIENCE {
            return;
        }
        let units = self.units;
        let bar = self.bar.get_or_insert_with(|| match self.whole {
            Some(whole) => ProgressBar::new(whole).with_style(style(&format!(
                "{{msg}} {{bar:30}} {{percent}}% of {{human_len}}{units}, {{eta}} left"
            ))),
            None => ProgressBar::new_spinner()
                .with_style(style(&format!("{{spinner}} {{msg}} {{human_pos}}{units}"))),
        });
        bar.set_message(self.what);
        bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the templates above are valid")
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_templates_are_valid() {
        for (whole, units) in [(None, " events"), (Some(10), " events"), (Some(10), "")] {
            let mut progress = super::Progress::new("reading", whole);
            progress.units = units;
            progress.begun -= super::PATIENCE;
            progress.at(5);
            assert!(progress.bar.is_some());
        }
    }
}
