//! Times in statements: `duration > '1.5ms'`.
//!
//! A text beside a number that reads as a time with its unit is that time in ns. Everywhere else it
//! is text, so that a thread may be called `5ms`.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result as EngineResult};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, lit};
use datafusion::optimizer::AnalyzerRule;
use scope_timeline::units;

/// The time that a text with a number and a unit says, ns.
pub(crate) fn time_ns(text: &str) -> Option<i64> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text),
    };
    // A bare number is no time here.
    if !digits.ends_with(char::is_alphabetic) {
        return None;
    }
    let ns = i64::try_from(units::time_ns(digits).ok()?).ok()?;
    Some(if negative { -ns } else { ns })
}

/// Reads times where two things are compared, added or subtracted.
#[derive(Debug)]
pub(crate) struct TimeLiterals;

impl ExprPlanner for TimeLiterals {
    fn plan_binary_op(
        &self,
        mut expr: RawBinaryExpr,
        schema: &DFSchema,
    ) -> EngineResult<PlannerResult<RawBinaryExpr>> {
        beside(&mut expr.left, &mut expr.right, schema);
        beside(&mut expr.right, &mut expr.left, schema);
        Ok(PlannerResult::Original(expr))
    }
}

/// Reads times in `between` and in lists, which are not planned as the others are.
impl AnalyzerRule for TimeLiterals {
    fn name(&self) -> &'static str {
        "time_literals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> EngineResult<LogicalPlan> {
        let rewritten = plan.transform_up_with_subqueries(|plan| {
            let schema = merge_schema(&plan.inputs());
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expr| {
                let name = names.save(&expr);
                let rewritten = expr.transform_up(|expr| Ok(in_ranges(expr, &schema)))?;
                Ok(rewritten.update_data(|expr| name.restore(expr)))
            })
        })?;
        Ok(rewritten.data)
    }
}

fn in_ranges(mut expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let changed = match &mut expr {
        Expr::Between(Between { expr, low, high, .. }) => {
            // Not short-circuited: both may be times.
            beside(expr, low, schema) | beside(expr, high, schema)
        }
        Expr::InList(InList { expr, list, .. }) => {
            list.iter_mut().fold(false, |any, one| beside(expr, one, schema) | any)
        }
        _ => false,
    };
    if changed { Transformed::yes(expr) } else { Transformed::no(expr) }
}

/// Makes a number of a time that stands beside a number.
fn beside(number: &mut Expr, time: &mut Expr, schema: &DFSchema) -> bool {
    let Expr::Literal(value, _) = &*time else { return false };
    let Some(ns) = value.try_as_str().flatten().and_then(time_ns) else { return false };
    let Ok(holds) = number.get_type(schema) else { return false };
    if holds.is_integer() || holds.is_floating() || holds == DataType::Null {
        *time = lit(ns);
        return true;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::time_ns;

    #[test]
    fn a_time_needs_its_unit() {
        for (text, ns) in [
            ("1.5ms", Some(1_500_000)),
            ("-2s", Some(-2_000_000_000)),
            (" 10 us ", Some(10_000)),
            ("5", None),
            ("main", None),
            ("", None),
            ("9999999999999999h", None),
        ] {
            assert_eq!(time_ns(text), ns, "{text}");
        }
    }
}
