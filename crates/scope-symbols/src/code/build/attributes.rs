//! Attributes as plain values.

use gimli::AttributeValue;

use super::budget::Purse;
use super::facts::{Code, Key, NO_KEY, OFFSET_BITS, Part};
use super::units::UnitInput;
use crate::dwarf::{Dwarf, Slice, Unit};

pub(super) type Value<'a> = AttributeValue<Slice<'a>>;

/// A text; empty where there is none.
pub(super) fn text<'a>(dwarf: &Dwarf<'a>, unit: &Unit<'a>, value: Value<'a>) -> &'a [u8] {
    dwarf.attr_string(unit, value).map_or(&[], |text| text.slice())
}

/// The key of the entry at an offset of the unit.
pub(super) fn key_in(input: &UnitInput<'_, '_>, offset: gimli::UnitOffset) -> Key {
    (u64::from(input.file) << OFFSET_BITS)
        .saturating_add(input.start.saturating_add(offset.0 as u64))
}

/// The entry that a value refers to.
pub(super) fn reference(input: &UnitInput<'_, '_>, value: &Value<'_>) -> Key {
    match value {
        AttributeValue::UnitRef(offset) => key_in(input, *offset),
        AttributeValue::DebugInfoRef(offset) => {
            (u64::from(input.info_file) << OFFSET_BITS).saturating_add(offset.0 as u64)
        }
        AttributeValue::DebugInfoRefSup(offset) => {
            (1 << OFFSET_BITS) + (offset.0 as u64 & ((1 << OFFSET_BITS) - 1))
        }
        AttributeValue::DebugTypesRef(signature) => {
            input.signatures.get(&signature.0).copied().unwrap_or(NO_KEY)
        }
        _ => NO_KEY,
    }
}

pub(super) fn number(value: &Value<'_>) -> u32 {
    value.udata_value().and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}

/// A column: what does not fit is unknown.
pub(super) fn column(value: &Value<'_>) -> u16 {
    value.udata_value().and_then(|value| u16::try_from(value).ok()).unwrap_or(0)
}

/// The bits of a constant, and whether they are signed.
pub(super) fn constant(value: &Value<'_>) -> Option<(u64, bool)> {
    match value {
        AttributeValue::Sdata(value) => Some((value.cast_unsigned(), true)),
        AttributeValue::Data16(value) => u64::try_from(*value).ok().map(|value| (value, false)),
        // 128-bit discriminants come as blocks.
        AttributeValue::Block(block) => {
            let bytes = block.slice();
            let (low, high) = bytes.split_at_checked(8)?;
            let low = u64::from_le_bytes(low.try_into().ok()?);
            high.iter().all(|byte| *byte == 0).then_some((low, false))
        }
        other => other.udata_value().map(|value| (value, false)),
    }
}

/// What says where an entry's code is.
#[derive(Default)]
pub(super) struct Extent<'a> {
    pub(super) low: Option<Value<'a>>,
    pub(super) high: Option<Value<'a>>,
    pub(super) ranges: Option<Value<'a>>,
}

impl<'a> Extent<'a> {
    /// Appends the ranges to `list`.
    pub(super) fn resolve(
        self,
        dwarf: &Dwarf<'a>,
        unit: &Unit<'a>,
        code: &Code,
        purse: &mut Purse<'_>,
        list: &mut Vec<(u32, u32)>,
    ) -> Part {
        let first = u32::try_from(list.len()).unwrap_or(u32::MAX);
        let address = |value| dwarf.attr_address(unit, value).ok().flatten();
        if let Some(value) = self.ranges {
            if let Ok(Some(mut ranges)) = dwarf.attr_ranges(unit, value) {
                while let Ok(Some(range)) = ranges.next() {
                    if !purse.take() {
                        break;
                    }
                    list.extend(code.clip(range.begin, range.end));
                }
            }
        } else if let (Some(low), Some(high)) = (self.low.and_then(address), self.high) {
            let end = match high {
                AttributeValue::Addr(_) | AttributeValue::DebugAddrIndex(_) => address(high),
                other => other.udata_value().map(|size| low.saturating_add(size)),
            };
            list.extend(end.and_then(|end| code.clip(low, end)));
        }
        Part { first, count: u32::try_from(list.len()).unwrap_or(u32::MAX).saturating_sub(first) }
    }
}
