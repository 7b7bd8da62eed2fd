//! Exports of what the timeline shows.

use std::path::PathBuf;

use super::{Effect, Model};
use crate::export::Selection;
use crate::text;

/// What is known of exports.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exports {
    available: bool,
    running: bool,
}

impl Model {
    /// Exports can be made.
    pub fn with_exports(&mut self) {
        self.exports.available = true;
    }

    /// `:export [thread] FORMAT FILE`: the range on the screen.
    pub(super) fn export(&mut self, text: &str) -> Result<(), String> {
        if !self.exports.available {
            return Err("nothing here writes exports; scope export does".to_owned());
        }
        if self.exports.running {
            return Err("an export is being written; esc cancels it".to_owned());
        }
        let (thread, rest) = match text.strip_prefix("thread ") {
            Some(rest) => (Some(self.focus.tid.ok_or("no thread is in focus")?), rest.trim()),
            None => (None, text),
        };
        let wanted = "write for example :export perfetto slow.pftrace";
        let (format, file) = rest.split_once(' ').ok_or(wanted)?;
        let selection = Selection {
            format: format.to_owned(),
            file: PathBuf::from(file.trim()),
            from_ns: self.facts.since(self.range.start_ns),
            // The range may reach beyond the last event, which the trace does not.
            to_ns: self.facts.since(self.range.end_ns.min(self.facts.end_ns)),
            thread,
        };
        self.exports.running = true;
        let of = thread.map_or_else(String::new, |tid| format!(" of thread {tid}"));
        self.say(format!(
            "exporting {} to {}{of}; esc cancels",
            text::moment(selection.from_ns),
            text::moment(selection.to_ns)
        ));
        self.effects.push(Effect::Export(selection));
        Ok(())
    }

    /// Whether an export was being written, which is cancelled.
    pub(super) fn cancel_export(&mut self) -> bool {
        if self.exports.running {
            self.effects.push(Effect::CancelExport);
        }
        self.exports.running
    }

    /// An export was written, or was not.
    pub fn exported(&mut self, answer: Result<String, String>) {
        self.exports.running = false;
        match answer {
            Ok(what) => self.say(what),
            Err(why) => self.warn(format!("not exported: {why}")),
        }
    }
}
