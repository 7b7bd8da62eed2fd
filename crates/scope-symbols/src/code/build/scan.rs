//! One walk over the entries of a unit.
//!
//! Kept are functions, what was inlined into them, parameters of functions (not of copies), types.
//! Variables, blocks, labels and call sites are passed over.

use gimli::{DwTag, EntriesRaw, constants as dw};

use super::attributes::{self, Value};
use super::budget::{Budget, Purse};
use super::facts::{Code, Key, Part, ScopeFact, UnitFacts};
use super::lines::{self, FileTable};
use super::units::UnitInput;
use crate::code::rows::NONE;
use crate::dwarf::Slice;

/// Walks over one unit.
pub(super) struct Scanner<'s, 'd, 'a> {
    pub(super) input: &'s UnitInput<'d, 'a>,
    pub(super) code: &'s Code,
    pub(super) purse: Purse<'s>,
    pub(super) files: FileTable<'s, 'a>,
    pub(super) facts: UnitFacts<'a>,
    /// The entries around the current one that matter, the outermost first.
    open: Vec<Open>,
}

/// An entry whose children are being read.
#[derive(Clone, Copy, Debug)]
struct Open {
    depth: isize,
    scope: u32,
    what: What,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Scope,
    Function(u32),
    Copy {
        function: u32,
        copy: u32,
        depth: u16,
    },
    Type(u32),
    /// The variants of a type; `count` so far.
    Variants {
        of: u32,
        discriminant: Key,
        count: u16,
    },
    Variant {
        of: u32,
        number: u16,
        value: Option<(u64, bool)>,
    },
}

/// The entry being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Here {
    pub(super) key: Key,
    pub(super) scope: u32,
    /// What is directly around it, where that matters.
    pub(super) parent: Option<What>,
    /// What is around it at any distance.
    pub(super) around: Option<What>,
}

/// Reads one unit. Damage ends it; what came before stays.
pub(super) fn scan<'a>(input: &UnitInput<'_, 'a>, code: &Code, budget: &Budget) -> UnitFacts<'a> {
    let (lines_dwarf, lined) = match input.skeleton {
        Some((dwarf, skeleton)) => (dwarf, skeleton),
        None => (input.dwarf, &input.unit),
    };
    let (dwarf, unit) = match input.unit.line_program {
        Some(_) => (input.dwarf, &input.unit),
        None => (lines_dwarf, lined),
    };
    let mut scanner = Scanner {
        input,
        code,
        purse: budget.purse(),
        files: FileTable::new(dwarf, unit, Vec::new()),
        facts: UnitFacts { version: input.unit.header.version(), ..UnitFacts::default() },
        open: Vec::new(),
    };
    if scanner.walk().is_err() {
        scanner.facts.dropped += 1;
    }
    let Scanner { mut facts, mut purse, files, .. } = scanner;
    // The numbers of a split unit's own line table are not those of its skeleton's.
    let mut files = match std::ptr::eq(unit, lined) {
        true => files,
        false => FileTable::new(lines_dwarf, lined, files.files),
    };
    if input.owns_lines {
        facts.sequences = lines::sequences(lined, code, &mut files, &mut purse);
    }
    facts.files = files.files;
    let text = |text: Option<Slice<'a>>| text.map(|text| text.to_string_lossy().into_owned());
    facts.name = text(input.unit.name).unwrap_or_default();
    facts.compiled_in = text(input.unit.comp_dir).unwrap_or_default();
    facts.group();
    facts
}

impl<'a> Scanner<'_, '_, 'a> {
    fn walk(&mut self) -> gimli::Result<()> {
        let input = self.input;
        let mut raw = input.unit.entries_raw(None)?;
        let mut attributes = Vec::new();
        while !raw.is_empty() {
            let offset = raw.next_offset();
            let depth = raw.next_depth();
            let Some(abbreviation) = raw.read_abbreviation()? else { continue };
            let tag = abbreviation.tag();
            while self.open.last().is_some_and(|open| open.depth >= depth) {
                self.open.pop();
            }
            let around = self.open.last();
            let parent = around.filter(|open| open.depth + 1 == depth).map(|open| open.what);
            if !self.is_wanted(tag, parent) {
                raw.skip_attributes(abbreviation.attributes())?;
                continue;
            }
            if !self.purse.take() {
                self.facts.dropped += 1;
                return Ok(());
            }
            let here = Here {
                key: attributes::key_in(input, offset),
                scope: around.map_or(NONE, |open| open.scope),
                parent,
                around: around.map(|open| open.what),
            };
            read(&mut raw, abbreviation, &mut attributes)?;
            if let Some(what) = self.entry(tag, here, &attributes)
                && abbreviation.has_children()
            {
                let scope = self.scope_of(what, here.scope);
                self.open.push(Open { depth, scope, what });
            }
        }
        Ok(())
    }

    /// Whether anything is kept of an entry.
    fn is_wanted(&self, tag: DwTag, parent: Option<What>) -> bool {
        match tag {
            dw::DW_TAG_formal_parameter => {
                matches!(parent, Some(What::Function(_) | What::Type(_)))
            }
            dw::DW_TAG_template_type_parameter => matches!(parent, Some(What::Function(_))),
            dw::DW_TAG_member
            | dw::DW_TAG_inheritance
            | dw::DW_TAG_enumerator
            | dw::DW_TAG_subrange_type
            | dw::DW_TAG_variant_part
            | dw::DW_TAG_variant => {
                matches!(parent, Some(What::Type(_) | What::Variants { .. } | What::Variant { .. }))
            }
            dw::DW_TAG_inlined_subroutine => {
                matches!(
                    self.open.last(),
                    Some(Open { what: What::Function(_) | What::Copy { .. }, .. })
                )
            }
            dw::DW_TAG_subprogram
            | dw::DW_TAG_namespace
            | dw::DW_TAG_module
            | dw::DW_TAG_compile_unit
            | dw::DW_TAG_skeleton_unit => true,
            other => super::scan_types::kind_of(other).is_some(),
        }
    }

    /// Reads one entry; says what its children need to know.
    fn entry(&mut self, tag: DwTag, here: Here, attributes: &[Attribute<'a>]) -> Option<What> {
        match tag {
            dw::DW_TAG_compile_unit | dw::DW_TAG_skeleton_unit => {
                self.unit(attributes);
                None
            }
            dw::DW_TAG_namespace | dw::DW_TAG_module => {
                self.namespace(here, attributes);
                Some(What::Scope)
            }
            dw::DW_TAG_subprogram => self.function(here, attributes),
            dw::DW_TAG_inlined_subroutine => self.copy(here, attributes),
            dw::DW_TAG_formal_parameter => match here.parent {
                Some(What::Function(owner)) => {
                    self.parameter(owner, here, attributes);
                    None
                }
                _ => self.member(tag, here, attributes),
            },
            dw::DW_TAG_template_type_parameter => {
                if let Some(What::Function(owner)) = here.parent {
                    self.argument(owner, attributes);
                }
                None
            }
            dw::DW_TAG_variant_part => self.variants(here, attributes),
            dw::DW_TAG_variant => self.variant(here, attributes),
            dw::DW_TAG_member
            | dw::DW_TAG_inheritance
            | dw::DW_TAG_enumerator
            | dw::DW_TAG_subrange_type => self.member(tag, here, attributes),
            other => self.type_entry(other, here, attributes),
        }
    }

    fn unit(&mut self, attributes: &[Attribute<'a>]) {
        for attribute in attributes {
            match attribute.name() {
                dw::DW_AT_producer => self.facts.producer = self.text(attribute.value()),
                dw::DW_AT_language => {
                    if let gimli::AttributeValue::Language(language) = attribute.value() {
                        self.facts.language = language.0;
                    }
                }
                _ => {}
            }
        }
    }

    fn namespace(&mut self, here: Here, attributes: &[Attribute<'a>]) {
        let name = attributes.iter().find(|attribute| attribute.name() == dw::DW_AT_name);
        let name = name.map_or(&b""[..], |name| self.text(name.value()));
        self.add_scope(here.scope, name);
    }

    /// The scope that the children of an entry are in.
    fn scope_of(&mut self, what: What, outer: u32) -> u32 {
        let name = match what {
            What::Scope => return last(&self.facts.scopes),
            What::Function(at) => {
                let function = &self.facts.functions[at as usize];
                if function.name.is_empty() { function.linkage } else { function.name }
            }
            What::Type(at) => self.facts.types[at as usize].name,
            _ => return outer,
        };
        self.add_scope(outer, name);
        last(&self.facts.scopes)
    }

    fn add_scope(&mut self, parent: u32, name: &'a [u8]) {
        let length = self.scope_length(parent).saturating_add(name.len());
        self.facts.scopes.push(ScopeFact { parent, name, length });
    }

    fn scope_length(&self, scope: u32) -> usize {
        self.facts.scopes.get(scope as usize).map_or(0, |scope| scope.length)
    }

    /// A name that will stand with those of its scopes; empty where there is no room for it.
    pub(super) fn name(&mut self, value: Value<'a>, scope: u32) -> &'a [u8] {
        let name = self.text(value);
        let length = self.scope_length(scope).saturating_add(name.len());
        if self.purse.take_text(length) { name } else { &[] }
    }

    /// The innermost variants around the current entry, to count them.
    pub(super) fn count_variant(&mut self) -> u16 {
        let Some(Open { what: What::Variants { count, .. }, .. }) = self.open.last_mut() else {
            return 0;
        };
        *count = count.saturating_add(1);
        *count
    }

    pub(super) fn text(&self, value: Value<'a>) -> &'a [u8] {
        attributes::text(self.input.dwarf, &self.input.unit, value)
    }

    pub(super) fn reference(&self, value: &Value<'a>) -> Key {
        attributes::reference(self.input, value)
    }

    pub(super) fn file(&mut self, value: &Value<'a>) -> u32 {
        let number = match value {
            gimli::AttributeValue::FileIndex(number) => Some(*number),
            other => other.udata_value(),
        };
        number.map_or(NONE, |number| self.files.get(number))
    }
}

pub(super) type Attribute<'a> = gimli::Attribute<Slice<'a>>;

fn read<'a>(
    raw: &mut EntriesRaw<'_, Slice<'a>>,
    abbreviation: &gimli::Abbreviation,
    attributes: &mut Vec<Attribute<'a>>,
) -> gimli::Result<()> {
    attributes.clear();
    raw.read_attributes(abbreviation.attributes(), attributes)
}

/// The number of the last element.
pub(super) fn last<T>(list: &[T]) -> u32 {
    u32::try_from(list.len()).unwrap_or(NONE).saturating_sub(1)
}

impl UnitFacts<'_> {
    /// Puts what belongs to one owner side by side: nested entries come in between.
    fn group(&mut self) {
        self.parameters.sort_by_key(|parameter| parameter.owner);
        self.arguments.sort_by_key(|argument| argument.owner);
        self.members.sort_by_key(|member| member.owner);
        parts(self.parameters.iter().map(|fact| fact.owner), |owner, part| {
            self.functions[owner].parameters = part;
        });
        parts(self.arguments.iter().map(|fact| fact.owner), |owner, part| {
            self.functions[owner].arguments = part;
        });
        parts(self.members.iter().map(|fact| fact.owner), |owner, part| {
            self.types[owner].members = part;
        });
    }
}

/// Tells each owner which part of a list, ordered by owners, is its own.
fn parts(owners: impl Iterator<Item = u32>, mut tell: impl FnMut(usize, Part)) {
    let mut part = Part::default();
    let mut current = None;
    for owner in owners {
        if current != Some(owner) {
            if let Some(current) = current {
                tell(current as usize, part);
            }
            current = Some(owner);
            part = Part { first: part.first + part.count, count: 0 };
        }
        part.count += 1;
    }
    if let Some(current) = current {
        tell(current as usize, part);
    }
}
