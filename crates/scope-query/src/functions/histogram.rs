//! `histogram(number)`: how many values there are, by powers of two. A list of `{from, until, count}`,
//! buckets without values left out; `unnest` makes rows of it.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, Int64Array, StructArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::cast::{as_int64_array, as_list_array};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::common::{Result as EngineResult, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDFImpl, Signature, Volatility};

/// One for what is not above 0, and one a bit.
const BUCKETS: usize = 64;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Histogram {
    signature: Signature,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::exact(vec![DataType::Int64], Volatility::Immutable) }
    }
}

fn fields() -> Fields {
    ["from", "until", "count"]
        .map(|name| Field::new(name, DataType::Int64, false))
        .into_iter()
        .collect()
}

impl AggregateUDFImpl for Histogram {
    fn name(&self) -> &'static str {
        "histogram"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::new_list(DataType::Struct(fields()), true))
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> EngineResult<Box<dyn Accumulator>> {
        Ok(Box::new(Counts([0; BUCKETS])))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> EngineResult<Vec<FieldRef>> {
        let list = DataType::new_list(DataType::Int64, true);
        Ok(vec![Arc::new(Field::new(format!("{}[counts]", args.name), list, true))])
    }
}

#[derive(Debug)]
struct Counts([i64; BUCKETS]);

impl Accumulator for Counts {
    fn update_batch(&mut self, values: &[ArrayRef]) -> EngineResult<()> {
        for value in as_int64_array(&values[0])?.iter().flatten() {
            let bucket = if value > 0 { 64 - value.leading_zeros() as usize } else { 0 };
            self.0[bucket.min(BUCKETS - 1)] += 1;
        }
        Ok(())
    }

    fn evaluate(&mut self) -> EngineResult<ScalarValue> {
        let full = || self.0.iter().enumerate().filter(|(_, count)| **count > 0);
        let from: Int64Array = full()
            .map(|(bucket, _)| if bucket == 0 { i64::MIN } else { 1 << (bucket - 1) })
            .collect();
        let until: Int64Array = full()
            .map(|(bucket, _)| if bucket == BUCKETS - 1 { i64::MAX } else { 1 << bucket })
            .collect();
        let count: Int64Array = full().map(|(_, count)| *count).collect();
        let arrays: Vec<ArrayRef> = vec![Arc::new(from), Arc::new(until), Arc::new(count)];
        let rows = StructArray::try_new(fields(), arrays, None)?;
        Ok(SingleRowListArrayBuilder::new(Arc::new(rows)).build_list_scalar())
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> EngineResult<Vec<ScalarValue>> {
        let counts: Vec<ScalarValue> = self.0.iter().copied().map(ScalarValue::from).collect();
        Ok(vec![ScalarValue::List(ScalarValue::new_list_nullable(&counts, &DataType::Int64))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> EngineResult<()> {
        for list in as_list_array(&states[0])?.iter().flatten() {
            for (count, more) in self.0.iter_mut().zip(as_int64_array(&list)?.iter()) {
                *count += more.unwrap_or_default();
            }
        }
        Ok(())
    }
}
