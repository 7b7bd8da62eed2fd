//! What one unit says, before anything is resolved across units.
//!
//! Names are slices of the sections. References to other entries are [`Key`]s; references to this
//! unit's own lists are numbers. Addresses are counted from the module's base.

/// An entry of any file: the file's number in the upper bits, the offset in its section below.
pub(super) type Key = u64;

/// No entry.
pub(super) const NO_KEY: Key = Key::MAX;

/// Bits of a [`Key`] that hold the offset.
pub(super) const OFFSET_BITS: u32 = 40;

/// Executable parts of a module, and the address that others are counted from.
#[derive(Clone, Debug)]
pub(super) struct Code {
    pub(super) base: u64,
    segments: Vec<(u64, u64)>,
}

impl Code {
    /// `segments`: start and size of what is mapped executable.
    pub(super) fn new(segments: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut segments: Vec<(u64, u64)> =
            segments.map(|(start, size)| (start, start.saturating_add(size))).collect();
        segments.sort_unstable();
        Self { base: segments.first().map_or(0, |segment| segment.0), segments }
    }

    /// The part of a range that is code of the module; what the linker dropped is not. Addresses
    /// 4 GiB and more above the base are no function's.
    pub(super) fn clip(&self, start: u64, end: u64) -> Option<(u32, u32)> {
        let after = self.segments.partition_point(|segment| segment.0 <= start);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        // Where the linker dropped a function it may leave 0, or 1 in lists of ranges.
        let inside = start > 1 && start < segment.1 && end > start;
        let (start, end) = (start - self.base, end.min(segment.1).wrapping_sub(self.base));
        let fits = inside && end < u64::from(u32::MAX);
        fits.then(|| Some((u32::try_from(start).ok()?, u32::try_from(end).ok()?)))?
    }
}

/// A part of a list: first and count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) first: u32,
    pub(super) count: u32,
}

impl Part {
    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.first as usize..(self.first as usize).saturating_add(self.count as usize)
    }
}

/// A subprogram: with code, abstract, or declared.
#[derive(Clone, Copy, Debug)]
pub(super) struct FunctionFact<'a> {
    pub(super) key: Key,
    /// The entry that this one completes.
    pub(super) origin: Key,
    pub(super) scope: u32,
    pub(super) name: &'a [u8],
    pub(super) linkage: &'a [u8],
    pub(super) file: u32,
    pub(super) line: u32,
    pub(super) column: u16,
    pub(super) flags: u16,
    pub(super) returns: Key,
    pub(super) ranges: Part,
    pub(super) parameters: Part,
    pub(super) arguments: Part,
    pub(super) frame_base: &'a [u8],
}

/// An inlined copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct CopyFact {
    /// The function copied.
    pub(super) origin: Key,
    /// The function around it, by its number in the unit.
    pub(super) owner: u32,
    /// The copy around it, by its number in the unit.
    pub(super) caller: u32,
    pub(super) file: u32,
    pub(super) line: u32,
    pub(super) column: u16,
    pub(super) depth: u16,
    pub(super) ranges: Part,
}

/// A formal parameter of a subprogram.
#[derive(Clone, Copy, Debug)]
pub(super) struct ParameterFact<'a> {
    pub(super) key: Key,
    pub(super) owner: u32,
    pub(super) origin: Key,
    pub(super) name: &'a [u8],
    pub(super) value_type: Key,
    pub(super) locations: Part,
}

/// A place of a parameter, for a range of code.
#[derive(Clone, Copy, Debug)]
pub(super) struct LocationFact<'a> {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) expression: &'a [u8],
}

/// A generic argument of a subprogram.
#[derive(Clone, Copy, Debug)]
pub(super) struct ArgumentFact<'a> {
    pub(super) owner: u32,
    pub(super) name: &'a [u8],
    pub(super) argument: Key,
}

/// A type.
#[derive(Clone, Copy, Debug)]
pub(super) struct TypeFact<'a> {
    pub(super) key: Key,
    pub(super) scope: u32,
    pub(super) name: &'a [u8],
    pub(super) kind: u8,
    pub(super) encoding: u8,
    pub(super) flags: u16,
    pub(super) size: u64,
    /// The type it refers to; for an incomplete type with a signature the complete one.
    pub(super) target: Key,
    pub(super) file: u32,
    pub(super) line: u32,
    pub(super) members: Part,
}

/// A member, enumerator, dimension or parameter of a type.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemberFact<'a> {
    pub(super) owner: u32,
    pub(super) name: &'a [u8],
    pub(super) value_type: Key,
    pub(super) bit_offset: u64,
    pub(super) bit_size: u32,
    pub(super) value: u64,
    pub(super) variant: u16,
    pub(super) kind: u8,
    pub(super) flags: u8,
}

/// A namespace, type or function that names what it holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScopeFact<'a> {
    pub(super) parent: u32,
    pub(super) name: &'a [u8],
    /// Of all names outward to the unit.
    pub(super) length: usize,
}

/// A source file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileFact {
    pub(super) path: String,
    pub(super) compiled_in: String,
    pub(super) md5: Option<[u8; 16]>,
}

/// Rows of a line table without a gap.
#[derive(Clone, Debug, Default)]
pub(super) struct Sequence {
    pub(super) end: u32,
    pub(super) rows: Vec<LineFact>,
}

/// A row of a line table; the file by its number in the unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LineFact {
    pub(super) address: u32,
    pub(super) file: u32,
    /// With [`super::super::rows::IS_STATEMENT`].
    pub(super) line: u32,
    pub(super) column: u16,
}

/// All that one unit says.
#[derive(Debug, Default)]
pub(super) struct UnitFacts<'a> {
    pub(super) name: String,
    pub(super) compiled_in: String,
    pub(super) producer: &'a [u8],
    pub(super) language: u16,
    pub(super) version: u16,
    pub(super) functions: Vec<FunctionFact<'a>>,
    pub(super) copies: Vec<CopyFact>,
    pub(super) ranges: Vec<(u32, u32)>,
    pub(super) parameters: Vec<ParameterFact<'a>>,
    pub(super) locations: Vec<LocationFact<'a>>,
    pub(super) arguments: Vec<ArgumentFact<'a>>,
    pub(super) types: Vec<TypeFact<'a>>,
    pub(super) members: Vec<MemberFact<'a>>,
    pub(super) scopes: Vec<ScopeFact<'a>>,
    pub(super) files: Vec<FileFact>,
    pub(super) sequences: Vec<Sequence>,
    /// What was left out: damaged, or beyond the limit.
    pub(super) dropped: u64,
}
