//! The JSON of `scope info`. Its names are a contract: fields are added, never renamed or removed.

use std::collections::BTreeMap;

use scope_model::{LeftOut, Module};
use scope_store::{Host, RecorderStats, RecordingState, Target, Trace};
use serde::Serialize;

use super::{Facts, Lost};
use crate::commands::report::ThreadRow;

/// The document. Times are in ns; what is not known is null.
#[derive(Debug, Serialize)]
pub struct Info<'a> {
    trace: String,
    format_version: u32,
    scope_version: &'a str,
    /// ns since 1970-01-01 UTC.
    created_unix_ns: u64,
    host: &'a Host,
    target: &'a Target,
    state: RecordingState,
    end_reason: Option<&'a str>,
    duration_ns: u64,
    events: u64,
    /// Events of a flight recording that are gone, before the first that is here.
    dropped_events: u64,
    events_by_kind: &'a BTreeMap<&'static str, u64>,
    lost_events: u64,
    lost: Lost,
    bytes: u64,
    bytes_per_event: Option<f64>,
    threads: Vec<ThreadRow<'a>>,
    functions: Functions<'a>,
    modules: &'a [Module],
    recorder: Option<&'a RecorderStats>,
    warnings: &'a [String],
}

#[derive(Debug, Serialize)]
struct Functions<'a> {
    probed: usize,
    left_out: &'a [LeftOut],
    site_classes: &'a BTreeMap<&'static str, u64>,
}

impl<'a> Info<'a> {
    pub(super) fn new(trace: &'a Trace, facts: &'a Facts) -> Self {
        let manifest = trace.manifest();
        Self {
            trace: trace.path().display().to_string(),
            format_version: manifest.format_version,
            scope_version: &manifest.scope_version,
            created_unix_ns: manifest.created_unix_ns,
            host: &manifest.host,
            target: &manifest.target,
            state: manifest.state,
            end_reason: manifest.end_reason.as_deref(),
            duration_ns: facts.profile.duration_ns,
            events: facts.profile.events,
            dropped_events: trace.first_event(),
            events_by_kind: &facts.kinds,
            lost_events: facts.profile.lost_events,
            lost: facts.lost,
            bytes: trace.bytes(),
            bytes_per_event: facts.bytes_per_event(trace),
            threads: facts.profile.threads.iter().map(ThreadRow::new).collect(),
            functions: Functions {
                probed: trace.functions().len(),
                left_out: trace.left_out(),
                site_classes: &facts.site_classes,
            },
            modules: trace.modules(),
            recorder: manifest.recorder.as_ref(),
            warnings: &facts.warnings,
        }
    }
}
