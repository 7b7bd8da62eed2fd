//! `percentile(number, share)`: as the timeline's reports count: exact by nearest rank while there are
//! few values, to three significant digits where there are many.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BinaryBuilder, BooleanArray, Float64Array, Int64Array,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::{as_binary_array, as_float64_array, as_int64_array};
use datafusion::common::{Result as EngineResult, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};

use super::sketch::Sketch;

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Percentile {
    signature: Signature,
}

impl Percentile {
    pub(crate) fn new() -> Self {
        let takes = vec![DataType::Int64, DataType::Float64];
        Self { signature: Signature::exact(takes, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &'static str {
        "percentile"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> EngineResult<DataType> {
        Ok(DataType::Int64)
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> EngineResult<Box<dyn Accumulator>> {
        Ok(Box::new(One::default()))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> EngineResult<Vec<FieldRef>> {
        Ok(vec![
            Arc::new(Field::new(format!("{}[share]", args.name), DataType::Float64, true)),
            Arc::new(Field::new(format!("{}[values]", args.name), DataType::Binary, true)),
        ])
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _: AccumulatorArgs<'_>,
    ) -> EngineResult<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Groups::default()))
    }
}

/// The share that is asked for; the same for all rows.
#[derive(Debug, Default)]
struct Share(Option<f64>);

impl Share {
    /// Takes the shares of a batch.
    fn take(&mut self, shares: &Float64Array) -> EngineResult<()> {
        let Some(share) = shares.iter().flatten().next() else { return Ok(()) };
        if !(0.0..=1.0).contains(&share) {
            return exec_err!("percentile: {share} is no share; write for example 0.99");
        }
        self.0 = Some(share);
        Ok(())
    }
}

/// One group.
#[derive(Debug, Default)]
struct One {
    share: Share,
    values: Sketch,
}

impl Accumulator for One {
    fn update_batch(&mut self, values: &[ArrayRef]) -> EngineResult<()> {
        self.share.take(as_float64_array(&values[1])?)?;
        for value in as_int64_array(&values[0])?.iter().flatten() {
            self.values.add(value);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> EngineResult<ScalarValue> {
        Ok(ScalarValue::Int64(self.share.0.and_then(|share| self.values.quantile(share))))
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.bytes()
    }

    fn state(&mut self) -> EngineResult<Vec<ScalarValue>> {
        let mut bytes = Vec::new();
        self.values.encode(&mut bytes);
        Ok(vec![ScalarValue::Float64(self.share.0), ScalarValue::Binary(Some(bytes))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> EngineResult<()> {
        self.share.take(as_float64_array(&states[0])?)?;
        as_binary_array(&states[1])?
            .iter()
            .flatten()
            .try_for_each(|bytes| merge(&mut self.values, bytes))
    }
}

/// All groups of a thread.
#[derive(Debug, Default)]
struct Groups {
    share: Share,
    groups: Vec<Sketch>,
    /// Bytes they take.
    bytes: usize,
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> EngineResult<()> {
        self.share.take(as_float64_array(&values[1])?)?;
        self.groups.resize_with(total, Sketch::default);
        let numbers = as_int64_array(&values[0])?;
        if filter.is_none() && numbers.null_count() == 0 {
            for (group, value) in groups.iter().zip(numbers.values().iter()) {
                self.bytes += self.groups[*group].add(*value);
            }
            return Ok(());
        }
        for (row, group) in groups.iter().enumerate() {
            let passes = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            if passes && numbers.is_valid(row) {
                self.bytes += self.groups[*group].add(numbers.value(row));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit: EmitTo) -> EngineResult<ArrayRef> {
        let mut groups = self.take(emit);
        let share = self.share.0;
        let numbers = groups.iter_mut().map(|values| values.quantile(share?));
        Ok(Arc::new(numbers.collect::<Int64Array>()))
    }

    fn state(&mut self, emit: EmitTo) -> EngineResult<Vec<ArrayRef>> {
        let groups = self.take(emit);
        let shares: Float64Array = groups.iter().map(|_| self.share.0).collect();
        let mut encoded = BinaryBuilder::new();
        let mut bytes = Vec::new();
        // Each is given back once it is written: it would else be there twice.
        for mut values in groups {
            bytes.clear();
            values.encode(&mut bytes);
            encoded.append_value(&bytes);
        }
        Ok(vec![Arc::new(shares), Arc::new(encoded.finish())])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        groups: &[usize],
        total: usize,
    ) -> EngineResult<()> {
        self.share.take(as_float64_array(&states[0])?)?;
        self.groups.resize_with(total, Sketch::default);
        let states = as_binary_array(&states[1])?;
        for (row, group) in groups.iter().enumerate().filter(|(row, _)| states.is_valid(*row)) {
            let values = &mut self.groups[*group];
            let before = values.bytes();
            merge(values, states.value(row))?;
            self.bytes += values.bytes().saturating_sub(before);
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> EngineResult<Vec<ArrayRef>> {
        let numbers = as_int64_array(&values[0])?;
        let mut encoded = BinaryBuilder::new();
        let mut bytes = Vec::new();
        for row in 0..numbers.len() {
            let passes = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
            let mut one = Sketch::default();
            if passes && numbers.is_valid(row) {
                one.add(numbers.value(row));
            }
            bytes.clear();
            one.encode(&mut bytes);
            encoded.append_value(&bytes);
        }
        Ok(vec![Arc::clone(&values[1]), Arc::new(encoded.finish())])
    }

    fn size(&self) -> usize {
        self.bytes + self.groups.capacity() * size_of::<Sketch>()
    }
}

impl Groups {
    fn take(&mut self, emit: EmitTo) -> Vec<Sketch> {
        let taken = emit.take_needed(&mut self.groups);
        let bytes: usize = taken.iter().map(Sketch::bytes).sum();
        self.bytes = self.bytes.saturating_sub(bytes);
        taken
    }
}

fn merge(values: &mut Sketch, bytes: &[u8]) -> EngineResult<()> {
    match values.merge(bytes) {
        Some(()) => Ok(()),
        None => exec_err!("percentile: what another thread counted cannot be read"),
    }
}
