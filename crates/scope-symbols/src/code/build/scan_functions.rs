//! Functions, inlined copies and parameters, as their entries say.

use gimli::{AttributeValue, constants as dw};

use super::attributes::{self, Extent, Value};
use super::facts::{
    ArgumentFact, CopyFact, FunctionFact, LocationFact, NO_KEY, ParameterFact, Part,
};
use super::scan::{Attribute, Here, Scanner, What, last};
use crate::code::rows::{NONE, function_flags as flags};

impl<'a> Scanner<'_, '_, 'a> {
    pub(super) fn function(&mut self, here: Here, attributes: &[Attribute<'a>]) -> Option<What> {
        let mut fact = FunctionFact {
            key: here.key,
            origin: NO_KEY,
            scope: here.scope,
            name: &[],
            linkage: &[],
            file: NONE,
            line: 0,
            column: 0,
            flags: 0,
            returns: NO_KEY,
            ranges: Part::default(),
            parameters: Part::default(),
            arguments: Part::default(),
            frame_base: &[],
        };
        let mut extent = Extent::default();
        for attribute in attributes {
            let value = attribute.value();
            let flag = |flag: u16| if value == AttributeValue::Flag(true) { flag } else { 0 };
            match attribute.name() {
                dw::DW_AT_name => fact.name = self.name(value, here.scope),
                dw::DW_AT_linkage_name | dw::DW_AT_MIPS_linkage_name => {
                    fact.linkage = self.text(value);
                }
                dw::DW_AT_specification | dw::DW_AT_abstract_origin => {
                    fact.origin = self.reference(&value);
                }
                dw::DW_AT_decl_file => fact.file = self.file(&value),
                dw::DW_AT_decl_line => fact.line = attributes::number(&value),
                dw::DW_AT_decl_column => fact.column = attributes::column(&value),
                dw::DW_AT_external => fact.flags |= flag(flags::EXTERNAL),
                dw::DW_AT_artificial => fact.flags |= flag(flags::ARTIFICIAL),
                dw::DW_AT_noreturn => fact.flags |= flag(flags::DOES_NOT_RETURN),
                dw::DW_AT_main_subprogram => fact.flags |= flag(flags::MAIN),
                dw::DW_AT_type => fact.returns = self.reference(&value),
                dw::DW_AT_frame_base => {
                    fact.frame_base = value.exprloc_value().map_or(&[], |value| value.0.slice());
                }
                dw::DW_AT_low_pc => extent.low = Some(value),
                dw::DW_AT_high_pc => extent.high = Some(value),
                dw::DW_AT_ranges => extent.ranges = Some(value),
                _ => {}
            }
        }
        fact.ranges = self.extent(extent);
        self.facts.functions.push(fact);
        Some(What::Function(last(&self.facts.functions)))
    }

    /// An inlined copy; its children belong to what is around it where it has no code.
    pub(super) fn copy(&mut self, here: Here, attributes: &[Attribute<'a>]) -> Option<What> {
        let (owner, caller, depth) = match here.around? {
            What::Function(function) => (function, NONE, 0),
            What::Copy { function, copy, depth } => (function, copy, depth),
            _ => return None,
        };
        if self.facts.functions.get(owner as usize)?.ranges.count == 0 {
            return None;
        }
        let mut fact = CopyFact {
            origin: NO_KEY,
            owner,
            caller,
            file: NONE,
            line: 0,
            column: 0,
            depth: depth.saturating_add(1),
            ranges: Part::default(),
        };
        let mut extent = Extent::default();
        for attribute in attributes {
            let value = attribute.value();
            match attribute.name() {
                dw::DW_AT_abstract_origin => fact.origin = self.reference(&value),
                dw::DW_AT_call_file => fact.file = self.file(&value),
                dw::DW_AT_call_line => fact.line = attributes::number(&value),
                dw::DW_AT_call_column => fact.column = attributes::column(&value),
                dw::DW_AT_low_pc => extent.low = Some(value),
                dw::DW_AT_high_pc => extent.high = Some(value),
                dw::DW_AT_ranges => extent.ranges = Some(value),
                _ => {}
            }
        }
        fact.ranges = self.extent(extent);
        if fact.ranges.count == 0 || fact.origin == NO_KEY {
            return None;
        }
        let depth = fact.depth;
        self.facts.copies.push(fact);
        Some(What::Copy { function: owner, copy: last(&self.facts.copies), depth })
    }

    pub(super) fn parameter(&mut self, owner: u32, here: Here, attributes: &[Attribute<'a>]) {
        let mut fact = ParameterFact {
            key: here.key,
            owner,
            origin: NO_KEY,
            name: &[],
            value_type: NO_KEY,
            locations: Part::default(),
        };
        for attribute in attributes {
            let value = attribute.value();
            match attribute.name() {
                dw::DW_AT_name => fact.name = self.text(value),
                dw::DW_AT_type => fact.value_type = self.reference(&value),
                dw::DW_AT_abstract_origin | dw::DW_AT_specification => {
                    fact.origin = self.reference(&value);
                }
                dw::DW_AT_location => fact.locations = self.locations(owner, value),
                _ => {}
            }
        }
        self.facts.parameters.push(fact);
    }

    /// Where a parameter is: in all of its function, or by ranges.
    fn locations(&mut self, owner: u32, value: Value<'a>) -> Part {
        let first = u32::try_from(self.facts.locations.len()).unwrap_or(NONE);
        if let Some(expression) = value.exprloc_value() {
            let expression = expression.0.slice();
            let ranges = self.facts.functions[owner as usize].ranges.range();
            for (start, end) in self.facts.ranges.get(ranges).unwrap_or_default() {
                if self.purse.take() {
                    self.facts.locations.push(LocationFact {
                        start: *start,
                        end: *end,
                        expression,
                    });
                }
            }
        } else if let Ok(Some(mut list)) = self.input.dwarf.attr_locations(&self.input.unit, value)
        {
            while let Ok(Some(entry)) = list.next() {
                if !self.purse.take() {
                    break;
                }
                let Some((start, end)) = self.code.clip(entry.range.begin, entry.range.end) else {
                    continue;
                };
                // What is said of code outside the function is a mistake.
                let ranges = self.facts.functions[owner as usize].ranges.range();
                let ranges = self.facts.ranges.get(ranges).unwrap_or_default();
                if let Some(range) = ranges.iter().find(|range| range.0 <= start && start < range.1)
                {
                    let (end, expression) = (end.min(range.1), entry.data.0.slice());
                    self.facts.locations.push(LocationFact { start, end, expression });
                }
            }
        }
        let count = u32::try_from(self.facts.locations.len()).unwrap_or(NONE).saturating_sub(first);
        Part { first, count }
    }

    pub(super) fn argument(&mut self, owner: u32, attributes: &[Attribute<'a>]) {
        let mut fact = ArgumentFact { owner, name: &[], argument: NO_KEY };
        for attribute in attributes {
            match attribute.name() {
                dw::DW_AT_name => fact.name = self.text(attribute.value()),
                dw::DW_AT_type => fact.argument = self.reference(&attribute.value()),
                _ => {}
            }
        }
        self.facts.arguments.push(fact);
    }

    fn extent(&mut self, extent: Extent<'a>) -> Part {
        extent.resolve(
            self.input.dwarf,
            &self.input.unit,
            self.code,
            &mut self.purse,
            &mut self.facts.ranges,
        )
    }
}
