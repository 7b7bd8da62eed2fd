//! All functions of a trace and how long their calls took, from what the store counted of each
//! segment: no event is read.

use scope_model::FunctionId;
use scope_store::CallDurations;
use scope_timeline::{Timeline, TimelineError};

/// One function that was called.
#[derive(Clone, Debug)]
pub struct FunctionRow {
    /// Which.
    pub id: FunctionId,
    /// Calls that began.
    pub calls: u64,
    /// Sum of the known durations of its calls, ns: callees included, and a recursive call counts in
    /// each of the calls around it.
    pub total_ns: u64,
    /// Calls that ended in another way than by returning.
    pub not_returned: u64,
    /// Calls whose duration is unknown since events were lost.
    pub unknown: u64,
    /// Median, ns; at most 1/16 too high.
    pub p50_ns: Option<u64>,
    /// 99th percentile, ns; at most 1/16 too high.
    pub p99_ns: Option<u64>,
    /// The longest, ns.
    pub max_ns: Option<u64>,
    /// Calls by duration: a bucket for each power of two, from [`FunctionRow::first_power`] on.
    pub powers: Vec<u64>,
    /// Logarithm of the first bucket's lower bound.
    pub first_power: u32,
}

impl FunctionRow {
    fn new(id: FunctionId, durations: &CallDurations) -> Self {
        let mut powers: Vec<u64> = Vec::new();
        let mut first_power = 0;
        for (highest_ns, count) in durations.buckets() {
            let power = highest_ns.max(1).ilog2();
            if powers.is_empty() {
                first_power = power;
            }
            let at = (power - first_power) as usize;
            powers.resize(powers.len().max(at + 1), 0);
            powers[at] += u64::from(count);
        }
        let known = durations.count() > 0;
        Self {
            id,
            calls: durations.calls,
            total_ns: durations.sum_ns,
            not_returned: durations.not_returned,
            unknown: durations.unknown,
            p50_ns: durations.percentile_ns(0.5),
            p99_ns: durations.percentile_ns(0.99),
            max_ns: known.then_some(durations.max_ns),
            powers,
            first_power,
        }
    }
}

/// All functions that were called, by id.
#[derive(Clone, Debug, Default)]
pub struct Functions {
    /// A row each.
    pub rows: Vec<FunctionRow>,
}

/// Reads the counts.
///
/// # Errors
///
/// What reading the trace gives.
pub fn functions(timeline: &Timeline<'_>) -> Result<Functions, TimelineError> {
    let all = timeline.trace().durations_of_all()?;
    Ok(Functions { rows: all.iter().map(|(id, of)| FunctionRow::new(*id, of)).collect() })
}
