//! Functions of one text: `demangle` and `ns`.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, Int64Array, StringArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::common::cast::as_string_array;
use datafusion::common::exec_datafusion_err;
use datafusion::logical_expr::{ColumnarValue, ScalarUDF, Volatility, create_udf};
use scope_symbols::names;

use crate::literals::time_ns;

/// `demangle(symbol)`.
pub(crate) fn demangle() -> ScalarUDF {
    let demangle = |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let texts = as_string_array(&arrays[0])?;
        let names: StringArray = texts.iter().map(|text| text.map(names::demangle)).collect();
        Ok(scalar_where(arguments, Arc::new(names)))
    };
    let (takes, gives) = (vec![DataType::Utf8], DataType::Utf8);
    create_udf("demangle", takes, gives, Volatility::Immutable, Arc::new(demangle))
}

/// `ns(time)`.
pub(crate) fn ns() -> ScalarUDF {
    let ns = |arguments: &[ColumnarValue]| {
        let arrays = ColumnarValue::values_to_arrays(arguments)?;
        let read = |text: &str| {
            let wrong =
                || exec_datafusion_err!("`{text}` is not a time; write for example '1.5ms'");
            time_ns(text).ok_or_else(wrong)
        };
        let texts = as_string_array(&arrays[0])?;
        let times = texts.iter().map(|text| text.map(read).transpose());
        let times: Int64Array = times.collect::<Result<_, _>>()?;
        Ok(scalar_where(arguments, Arc::new(times)))
    };
    let (takes, gives) = (vec![DataType::Utf8], DataType::Int64);
    create_udf("ns", takes, gives, Volatility::Immutable, Arc::new(ns))
}

/// A constant of constants, so that the engine works it out once.
fn scalar_where(arguments: &[ColumnarValue], array: ArrayRef) -> ColumnarValue {
    let constant = arguments.iter().all(|argument| matches!(argument, ColumnarValue::Scalar(_)));
    if constant
        && array.len() == 1
        && let Ok(value) = datafusion::common::ScalarValue::try_from_array(&array, 0)
    {
        return ColumnarValue::Scalar(value);
    }
    ColumnarValue::Array(array)
}
