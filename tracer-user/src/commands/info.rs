//! `scope info`: what a trace holds, what was lost and what was left out.

mod document;
mod text;

use std::collections::BTreeMap;
use std::process::ExitCode;

use scope_model::EventKind;
use scope_store::Trace;
use scope_timeline::{Profile, ProfileOptions, Profiler};

use super::reading::{self, Next};
use crate::cli::InfoArgs;
use crate::output;

/// Prints what there is to say of a trace.
pub fn run(args: &InfoArgs) -> anyhow::Result<ExitCode> {
    let trace = reading::open(&args.trace)?;
    let facts = Facts::gather(&trace)?;
    let mut out = output::stdout();
    if args.json {
        output::json::document(&mut out, &document::Info::new(&trace, &facts))?;
    } else {
        text::write(&mut out, &trace, &facts)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What only the events say.
#[derive(Debug)]
struct Facts {
    profile: Profile,
    /// Events by the name of their kind.
    kinds: BTreeMap<&'static str, u64>,
    lost: Lost,
    /// Probed functions by the name of their site class.
    site_classes: BTreeMap<&'static str, u64>,
    warnings: Vec<String>,
}

/// Lost events by kind.
#[derive(Clone, Copy, Debug, Default, serde::Serialize)]
struct Lost {
    entries: u64,
    exits: u64,
    others: u64,
}

impl Facts {
    fn gather(trace: &Trace) -> anyhow::Result<Self> {
        let mut profiler = Profiler::of(trace, ProfileOptions::default())?;
        let mut kinds = BTreeMap::new();
        let mut lost = Lost::default();
        reading::each_event(trace, |event| {
            profiler.push(&event);
            *kinds.entry(event.kind.name()).or_default() += 1;
            if let EventKind::Gap { entries, exits, others, .. } = event.kind {
                lost.entries += u64::from(entries);
                lost.exits += u64::from(exits);
                lost.others += u64::from(others);
            }
            Ok(Next::Go)
        })?;
        let mut site_classes = BTreeMap::new();
        for function in trace.functions() {
            *site_classes.entry(function.site.name()).or_default() += 1;
        }
        let profile = profiler.finish(trace.manifest().end_ns);
        let warnings = warnings(trace, &profile);
        Ok(Self { profile, kinds, lost, site_classes, warnings })
    }

    fn bytes_per_event(&self, trace: &Trace) -> Option<f64> {
        let events = self.profile.events;
        // Two digits: it is a measure, not an account.
        (events > 0).then(|| (trace.bytes() as f64 * 100.0 / events as f64).round() / 100.0)
    }
}

/// What a person should know before trusting the numbers, a sentence each.
fn warnings(trace: &Trace, profile: &Profile) -> Vec<String> {
    let mut warnings = Vec::new();
    if trace.first_event() > 0 {
        warnings.push(format!(
            "a flight recording: the {} before this are gone",
            output::units::counted(trace.first_event(), "event")
        ));
    }
    let dropped = trace.manifest().recorder.as_ref().map_or(0, |recorder| recorder.dropped_records);
    if profile.lost_events > 0 {
        let help = if profile.lost_events > dropped {
            "; record fewer functions or with a larger --ring-size"
        } else {
            ""
        };
        warnings.push(format!(
            "{} lost: durations that cross a gap are unknown, totals are lower bounds{help}",
            output::units::counted(profile.lost_events, "event")
        ));
    }
    if dropped > 0 {
        warnings.push(format!(
            "{} of those lost were dropped by the recorder, since sealing or the disk did not keep \
             up; record fewer functions, or to a faster disk",
            output::units::counted(dropped, "event")
        ));
    }
    if !trace.is_complete() {
        warnings.push(
            "the recorder has not finished: it still records, or was killed; what is here was \
             committed before"
                .to_owned(),
        );
    }
    if let Some(recorder) = &trace.manifest().recorder {
        for (number, meaning) in [
            (recorder.late_records, "came too late to be put in order"),
            (recorder.unattributed_losses, "were lost by threads unknown"),
            (recorder.kernel_missed, "were missed by the kernel itself"),
            (recorder.cut_off_events, "came after the trace could not go on, and are not in it"),
        ] {
            if number > 0 {
                warnings.push(format!("{} {meaning}", output::units::counted(number, "record")));
            }
        }
        warnings.extend(recorder.warnings.iter().cloned());
    }
    warnings
}
