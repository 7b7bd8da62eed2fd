//! What formats say of a function.

use scope_model::{Function, FunctionId};
use scope_store::Trace;

/// Readable name of a function; its number where the trace's table does not have it.
pub(crate) fn name(trace: &Trace, id: FunctionId) -> String {
    get(trace, id).map_or_else(|| format!("function {id}"), |function| function.name.clone())
}

/// A function of the trace's table.
pub(crate) fn get(trace: &Trace, id: FunctionId) -> Option<&Function> {
    trace.functions().get(id.index())
}

/// Path of the module that holds a function.
pub(crate) fn module<'a>(trace: &'a Trace, function: &Function) -> Option<&'a str> {
    trace.modules().get(function.module.0 as usize).map(|module| module.path.as_str())
}

/// `time_ns` relative to `start_ns`.
pub(crate) fn since(time_ns: u64, start_ns: u64) -> i64 {
    let since = i128::from(time_ns) - i128::from(start_ns);
    i64::try_from(since).unwrap_or(if since < 0 { i64::MIN } else { i64::MAX })
}
