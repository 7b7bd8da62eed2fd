//! `scope export` of what the UI shows.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use anyhow::Context;
use clap::ValueEnum;
use scope_timeline::{Place, Timeline};
use scope_tui::export::{Exporter, Selection};

use crate::cli::{ExportArgs, ExportFormat, ExportTime, ExportTo};
use crate::commands::{export, reading};
use crate::output::units;

/// Writes exports of the trace at a path.
#[derive(Debug)]
pub struct Exports {
    /// The trace.
    pub trace: PathBuf,
}

impl Exporter for Exports {
    fn export(&self, selection: &Selection, cancel: &AtomicBool) -> Result<String, String> {
        self.write(selection, cancel).map_err(|error| format!("{error:#}"))
    }
}

impl Exports {
    fn write(&self, selection: &Selection, cancel: &AtomicBool) -> anyhow::Result<String> {
        let format = ExportFormat::from_str(&selection.format, false).ok().with_context(|| {
            let known =
                ExportFormat::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let known: Vec<String> = known.map(|one| one.get_name().to_owned()).collect();
            format!("there is no format {}: {}", selection.format, known.join(", "))
        })?;
        let moment = |ns| -> anyhow::Result<Place> {
            units::moment(ns).parse().map_err(|error| anyhow::anyhow!("{error}"))
        };
        let file = at_home(&selection.file);
        let args = ExportArgs {
            trace: self.trace.clone(),
            to: vec![ExportTo::Format(format), ExportTo::Moment(moment(selection.to_ns)?)],
            from: Some(moment(selection.from_ns)?),
            thread: selection.thread.map(|tid| tid.0),
            output: Some(file.clone()),
            time: ExportTime::Wall,
            endpoint: None,
        };
        let trace = reading::open(&self.trace)?;
        let timeline = Timeline::new(&trace).interruptible(cancel);
        let summary = export::export(&timeline, &args, &mut |_, _| {})?;
        let mut said =
            vec![format!("{} in {}", units::counted(summary.calls, "call"), file.display())];
        said.extend(export::reservations(&summary));
        Ok(said.join("; "))
    }
}

/// A path as a shell reads it that begins with the user's home.
fn at_home(file: &Path) -> PathBuf {
    match (file.strip_prefix("~"), std::env::var_os("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => file.to_owned(),
    }
}
