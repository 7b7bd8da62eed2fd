//! The functions that traces have beyond those of SQL. A new one is a module here, a line in [`LIST`] and
//! one in [`register`].

mod argument;
mod critical_path;
mod histogram;
mod percentile;
mod relatives;
mod scalar;
mod sketch;
mod stack_at;

use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use datafusion::logical_expr::AggregateUDF;
use datafusion::prelude::SessionContext;

use crate::literals::TimeLiterals;
use crate::session::FunctionInfo;
use crate::source::Source;

/// All of them, for lists and completion.
pub(crate) const LIST: &[FunctionInfo] = &[
    info(
        "stack_at",
        "stack_at(time) -> rows",
        "the open calls of every thread at a moment: a time in ns, '1.5ms', '37%', 'call:ID', '@NAME'",
    ),
    info("callers", "callers(call_id) -> calls", "the call that made a call"),
    info("ancestors", "ancestors(call_id) -> calls", "all calls that were open around a call"),
    info("callees", "callees(call_id) -> calls", "the calls that a call made itself"),
    info(
        "descendants",
        "descendants(call_id) -> calls",
        "all calls that were made while a call was open",
    ),
    info(
        "critical_path",
        "critical_path(call_id) -> rows",
        "what a call's time was spent on, through the threads that it waited for",
    ),
    info(
        "percentile",
        "percentile(number, share) -> number",
        "the value that a share of the values do not exceed, as in percentile(duration, 0.99)",
    ),
    info("histogram", "histogram(number) -> list", "how many values there are, by powers of two"),
    info("ns", "ns(text) -> number", "a time such as '1.5ms' in ns"),
    info("demangle", "demangle(text) -> text", "the readable name of a symbol"),
];

const fn info(name: &'static str, usage: &'static str, about: &'static str) -> FunctionInfo {
    FunctionInfo { name, usage, about }
}

/// Makes them known to the engine, for these traces.
pub(crate) fn register(context: &SessionContext, sources: &Arc<[Arc<Source>]>, pushdown: bool) {
    context.register_udf(scalar::demangle());
    context.register_udf(scalar::ns());
    context.register_udaf(AggregateUDF::new_from_impl(percentile::Percentile::new()));
    context.register_udaf(AggregateUDF::new_from_impl(histogram::Histogram::new()));
    let asked = argument::Asked::new(sources, pushdown);
    stack_at::register(context, &asked);
    relatives::register(context, &asked);
    critical_path::register(context, &asked);
    // The engine takes the same planner twice for two.
    let state = context.state_ref();
    let mut state = state.write();
    if !state.expr_planners().iter().any(|planner| format!("{planner:?}") == "TimeLiterals") {
        // A planner is refused by no registry there is.
        let _ = state.register_expr_planner(Arc::new(TimeLiterals));
    }
}
