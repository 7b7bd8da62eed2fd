//! How a recording is getting on, or went: what its recorder told, and which probes there are.

use std::collections::BTreeMap;

use scope_model::SiteClass;
use scope_store::{Health, RecorderStats};
use scope_timeline::{Timeline, TimelineError};

/// Reasons for leaving functions out that are told; the others are summed up.
const MOST_REASONS: usize = 8;

/// What is known of a recording.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// What the recorder told last; `None` where it told nothing.
    pub told: Option<Health>,
    /// Bytes of the trace.
    pub bytes: u64,
    /// Probes by class, those with most functions first.
    pub probes: Vec<(SiteClass, u64)>,
    /// Functions that were left out, by reason, most first.
    pub left_out: Vec<(String, u64)>,
    /// What the recorder said at its end.
    pub ended: Option<RecorderStats>,
    /// Why the recording ended.
    pub end_reason: Option<String>,
}

/// Reads it.
///
/// # Errors
///
/// What reading the trace gives.
pub fn condition(timeline: &Timeline<'_>) -> Result<Condition, TimelineError> {
    let trace = timeline.trace();
    let mut probes: Vec<(SiteClass, u64)> = Vec::new();
    for function in trace.functions() {
        match probes.iter_mut().find(|(class, _)| *class == function.site) {
            Some((_, count)) => *count += 1,
            None => probes.push((function.site, 1)),
        }
    }
    probes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut reasons: BTreeMap<&str, u64> = BTreeMap::new();
    for left_out in trace.left_out() {
        *reasons.entry(&left_out.reason).or_default() += 1;
    }
    let mut left_out: Vec<_> =
        reasons.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect();
    left_out.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    if left_out.len() > MOST_REASONS {
        let others = left_out.drain(MOST_REASONS..).map(|(_, count)| count).sum();
        left_out.push(("other reasons".to_owned(), others));
    }
    Ok(Condition {
        // Damage to it does not make the trace less readable.
        told: trace.health().unwrap_or_default(),
        bytes: trace.bytes(),
        probes,
        left_out,
        ended: trace.manifest().recorder.clone(),
        end_reason: trace.manifest().end_reason.clone(),
    })
}
