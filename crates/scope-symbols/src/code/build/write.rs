//! From what the units say to rows.

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use zerocopy::little_endian::{U16, U32, U64};

use super::dedupe::{self, Types};
use super::facts::{Code, Key, LocationFact, UnitFacts};
use super::functions::{self, Functions, Known, Source};
use super::link::Linked;
use super::spans::{self, Claim};
use crate::code::format::{Section, Writer};
use crate::code::model::Facts;
use crate::code::pool::PoolBuilder;
use crate::code::rows::{
    ArgumentRow, FileRow, FunctionRow, GenericRow, INLINED, InlinedRow, LineRow, LocationRow,
    MemberRow, NONE, ParameterRow, RangeRow, SpanRow, TypeRow, UnitRow,
};

/// The bytes of the tables.
pub(super) fn tables(
    code: &Code,
    units: &[UnitFacts<'_>],
    keys: Vec<(Key, Key)>,
    known: &[Known],
    mut facts: Facts,
) -> Vec<u8> {
    let linked = Linked::new(units, keys);
    let types = dedupe::types(&linked);
    let functions = functions::functions(&linked, known);
    let mut rows = Rows { pool: PoolBuilder::new(), linked: &linked, types: &types };
    let mut writer = Writer::new(0);
    writer.rows(Section::Units, rows.units());
    writer.rows(Section::Files, rows.files());
    let mut claims = Vec::new();
    let mut ranges = rows.functions(&functions, &mut writer, &mut claims);
    writer.rows(Section::Inlined, rows.inlined(&functions, &mut ranges, &mut claims));
    writer.rows(Section::Ranges, ranges);
    let spans = spans::cut(claims);
    writer.rows(
        Section::Spans,
        spans
            .into_iter()
            .map(|(start, owner)| SpanRow { start: U32::new(start), owner: U32::new(owner) })
            .collect(),
    );
    writer.rows(Section::Lines, line_rows(&linked));
    rows.types(&mut writer);
    writer.rows(Section::Pool, rows.pool.finish());
    facts.dropped = units.iter().map(|unit| unit.dropped).sum();
    // A struct of texts and numbers has nothing that JSON refuses.
    writer.rows(Section::Facts, serde_json::to_vec(&facts).unwrap_or_default());
    writer.finish(code.base)
}

struct Rows<'r, 'f, 'a> {
    pool: PoolBuilder<'r>,
    linked: &'r Linked<'f, 'a>,
    types: &'r Types,
}

impl<'r, 'f: 'r, 'a: 'r> Rows<'r, 'f, 'a> {
    fn units(&mut self) -> Vec<UnitRow> {
        let units = self.linked.units.iter();
        units
            .map(|unit| UnitRow {
                name: U32::new(self.pool.add(unit.name.as_bytes())),
                compiled_in: U32::new(self.pool.add(unit.compiled_in.as_bytes())),
                producer: U32::new(self.pool.add(unit.producer)),
                language: U16::new(unit.language),
                version: U16::new(unit.version),
            })
            .collect()
    }

    fn files(&mut self) -> Vec<FileRow> {
        let files = self.linked.files.iter();
        files
            .map(|file| FileRow {
                path: U32::new(self.pool.add(file.path.as_bytes())),
                compiled_in: U32::new(self.pool.add(file.compiled_in.as_bytes())),
                flags: U32::new(file.flags),
                md5: file.md5,
            })
            .collect()
    }

    fn type_of(&self, key: Key) -> U32 {
        let number = self.linked.type_number(key);
        let kept = number.and_then(|number| self.types.numbers.get(number as usize));
        U32::new(kept.copied().unwrap_or(NONE))
    }

    /// Functions with their parameters, arguments and ranges.
    fn functions(
        &mut self,
        functions: &Functions<'a>,
        writer: &mut Writer,
        claims: &mut Vec<Claim>,
    ) -> Vec<RangeRow> {
        let linked = self.linked;
        let mut rows = Vec::with_capacity(functions.drafts.len());
        let mut ranges = Vec::new();
        let mut parameters = Vec::new();
        let mut locations = Vec::new();
        let mut arguments = Vec::new();
        let mut generics: Vec<GenericRow> = Vec::new();
        let mut known: FxHashMap<(u32, u32, u32), u32> = FxHashMap::default();
        for (number, draft) in (0_u32..).zip(&functions.drafts) {
            let mut row = FunctionRow {
                symbol: U32::new(self.pool.add_owned(draft.symbol.clone())),
                name: U32::new(self.pool.add_owned(draft.name.clone())),
                flags: U16::new(draft.flags),
                first_range: length(&ranges),
                ranges: count(draft.ranges.len()),
                first_parameter: length(&parameters),
                first_argument: length(&arguments),
                unit: U32::new(NONE),
                returns: U32::new(NONE),
                generic: U32::new(NONE),
                ..FunctionRow::default()
            };
            for (start, end) in &draft.ranges {
                ranges.push(RangeRow { start: U32::new(*start), end: U32::new(*end) });
                claims.push(Claim { start: *start, end: *end, depth: 0, owner: number });
            }
            match &draft.source {
                Source::Symbol { unit, file, line } => {
                    row.unit = U32::new(*unit);
                    (row.file, row.line) = (U32::new(*file), U32::new(*line));
                }
                Source::Dwarf { at, resolved } => {
                    let facts = &linked.units[at.unit];
                    row.unit = count(at.unit);
                    row.file = U32::new(resolved.file);
                    row.line = U32::new(resolved.line);
                    row.column = U16::new(resolved.column);
                    row.returns = self.type_of(resolved.returns);
                    row.frame_base = U32::new(self.pool.add(linked.fact(*at).frame_base));
                    let own = facts.parameters.get(linked.fact(*at).parameters.range());
                    for fact in own.unwrap_or_default() {
                        let (name, value_type) = linked.parameter(fact);
                        let at = facts.locations.get(fact.locations.range()).unwrap_or_default();
                        parameters.push(ParameterRow {
                            name: U32::new(self.pool.add(name)),
                            value: self.type_of(value_type),
                            first_location: length(&locations),
                            locations: count(at.len()),
                        });
                        locations.extend(at.iter().map(|fact| self.location(fact)));
                    }
                    let at = resolved.arguments;
                    let facts = &linked.units[at.unit];
                    let own = facts.arguments.get(linked.fact(at).arguments.range());
                    for fact in own.unwrap_or_default() {
                        arguments.push(ArgumentRow {
                            name: U32::new(self.pool.add(fact.name)),
                            value: self.type_of(fact.argument),
                        });
                    }
                    if let Some(generic) = &draft.generic {
                        let name = self.pool.add_owned(generic.clone());
                        let key = (name, resolved.file, resolved.line);
                        let number = *known.entry(key).or_insert_with(|| {
                            generics.push(GenericRow {
                                name: U32::new(name),
                                file: U32::new(resolved.file),
                                line: U32::new(resolved.line),
                                instances: U32::ZERO,
                            });
                            length(&generics).get().saturating_sub(1)
                        });
                        if let Some(generic) = generics.get_mut(number as usize) {
                            generic.instances += 1;
                        }
                        row.generic = U32::new(number);
                    }
                }
            }
            row.parameters = U32::new(length(&parameters).get() - row.first_parameter.get());
            row.arguments = U32::new(length(&arguments).get() - row.first_argument.get());
            rows.push(row);
        }
        writer.rows(Section::Functions, rows);
        writer.rows(Section::Generics, generics);
        writer.rows(Section::Arguments, arguments);
        writer.rows(Section::Parameters, parameters);
        writer.rows(Section::Locations, locations);
        ranges
    }

    fn location(&mut self, fact: &LocationFact<'a>) -> LocationRow {
        LocationRow {
            start: U32::new(fact.start),
            end: U32::new(fact.end),
            expression: U32::new(self.pool.add(fact.expression)),
        }
    }

    /// Inlined copies: unit by unit, outer ones before those inside them.
    fn inlined(
        &self,
        functions: &Functions<'a>,
        ranges: &mut Vec<RangeRow>,
        claims: &mut Vec<Claim>,
    ) -> Vec<InlinedRow> {
        let linked = self.linked;
        let number = |at| {
            let number = functions.numbers.get(linked.function_number(at) as usize);
            number.copied().unwrap_or(NONE)
        };
        let resolved: Vec<Vec<(u32, u32)>> = linked
            .units
            .par_iter()
            .enumerate()
            .map(|(unit, facts)| {
                let copies = facts.copies.iter();
                copies
                    .map(|copy| {
                        let origin = linked.function(copy.origin).map_or(NONE, number);
                        let owner = super::link::At { unit, index: copy.owner as usize };
                        (origin, number(owner))
                    })
                    .collect()
            })
            .collect();
        let mut rows: Vec<InlinedRow> = Vec::new();
        for (unit, (facts, resolved)) in linked.units.iter().zip(resolved).enumerate() {
            let before = length(&rows).get();
            for (copy, (function, owner)) in facts.copies.iter().zip(resolved) {
                let own = length(&rows).get();
                let at = facts.ranges.get(copy.ranges.range()).unwrap_or_default();
                let caller = match copy.caller {
                    NONE => NONE,
                    caller => before.saturating_add(caller),
                };
                rows.push(InlinedRow {
                    function: U32::new(function),
                    owner: U32::new(owner),
                    caller: U32::new(caller),
                    file: U32::new(linked.file(unit, copy.file)),
                    line: U32::new(copy.line),
                    column: U16::new(copy.column),
                    depth: U16::new(copy.depth),
                    first_range: length(ranges),
                    ranges: count(at.len()),
                });
                for (start, end) in at {
                    ranges.push(RangeRow { start: U32::new(*start), end: U32::new(*end) });
                    // What has no function has no name, and belongs to what is around it.
                    if function != NONE && owner != NONE && own < INLINED {
                        let depth = u32::from(copy.depth);
                        let owner = own | INLINED;
                        claims.push(Claim { start: *start, end: *end, depth, owner });
                    }
                }
            }
        }
        rows
    }

    /// Types and their members.
    fn types(&mut self, writer: &mut Writer) {
        let linked = self.linked;
        let kept = &self.types.kept;
        let names: Vec<String> = kept
            .par_iter()
            .map(|(unit, index)| {
                let fact = &linked.units[*unit as usize].types[*index as usize];
                match fact.name {
                    [] => String::new(),
                    name => linked.qualified(*unit as usize, fact.scope, name),
                }
            })
            .collect();
        let mut rows = Vec::with_capacity(kept.len());
        let mut members = Vec::new();
        for ((unit, index), name) in kept.iter().zip(names) {
            let unit = *unit as usize;
            let facts = &linked.units[unit];
            let fact = &facts.types[*index as usize];
            let own = facts.members.get(fact.members.range()).unwrap_or_default();
            rows.push(TypeRow {
                name: U32::new(self.pool.add_owned(name)),
                kind: fact.kind,
                encoding: fact.encoding,
                flags: U16::new(fact.flags),
                size: U64::new(fact.size),
                target: self.type_of(fact.target),
                file: U32::new(linked.file(unit, fact.file)),
                line: U32::new(fact.line),
                first_member: length(&members),
                members: count(own.len()),
            });
            for member in own {
                members.push(MemberRow {
                    name: U32::new(self.pool.add(member.name)),
                    value_type: self.type_of(member.value_type),
                    bit_offset: U64::new(member.bit_offset),
                    bit_size: U32::new(member.bit_size),
                    value: U64::new(member.value),
                    variant: U16::new(member.variant),
                    kind: member.kind,
                    flags: member.flags,
                });
            }
        }
        writer.rows(Section::Types, rows);
        writer.rows(Section::Members, members);
    }
}

/// All line tables as one, by address. Where two overlap the one that starts first wins.
fn line_rows(linked: &Linked<'_, '_>) -> Vec<LineRow> {
    let sequences = linked.units.iter().enumerate();
    let mut sequences: Vec<(usize, &super::facts::Sequence)> = sequences
        .flat_map(|(unit, facts)| facts.sequences.iter().map(move |sequence| (unit, sequence)))
        .collect();
    sequences.par_sort_by_key(|(unit, sequence)| {
        (sequence.rows.first().map(|row| row.address), sequence.end, *unit)
    });
    let total: usize = sequences.iter().map(|(_, sequence)| sequence.rows.len() + 1).sum();
    let mut rows: Vec<LineRow> = Vec::with_capacity(total);
    let nothing = |address: u32| LineRow {
        address: U32::new(address),
        file: U32::new(NONE),
        ..LineRow::default()
    };
    let mut end = 0;
    for (unit, sequence) in sequences {
        for row in &sequence.rows {
            if row.address < end {
                continue;
            }
            rows.pop_if(|last| last.address.get() == row.address);
            rows.push(LineRow {
                address: U32::new(row.address),
                file: U32::new(linked.file(unit, row.file)),
                line: U32::new(row.line),
                column: U16::new(row.column),
            });
        }
        if sequence.end > end {
            end = sequence.end;
            rows.push(nothing(end));
        }
    }
    rows
}

fn length<T>(list: &[T]) -> U32 {
    count(list.len())
}

fn count(number: usize) -> U32 {
    U32::new(u32::try_from(number).unwrap_or(NONE))
}
