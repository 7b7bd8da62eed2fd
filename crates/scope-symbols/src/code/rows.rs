//! The rows of the tables, as they lie in memory, in the cache and in a trace.
//!
//! Every number is little-endian and unaligned, so that a mapped file is used as it is, on any
//! machine. Addresses are counted from the base in the header; references to other rows are their
//! numbers, [`NONE`] for none; texts and expressions are offsets into the pool, 0 for none.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// No row.
pub(crate) const NONE: u32 = u32::MAX;

/// Marks the owner of a span as an inlined instance.
pub(crate) const INLINED: u32 = 1 << 31;

/// Marks a line row as the beginning of a statement.
pub(crate) const IS_STATEMENT: u32 = 1 << 31;

/// Flags of a [`FunctionRow`].
pub(crate) mod function_flags {
    pub(crate) const EXTERNAL: u16 = 1;
    pub(crate) const ARTIFICIAL: u16 = 1 << 1;
    pub(crate) const DOES_NOT_RETURN: u16 = 1 << 2;
    pub(crate) const MAIN: u16 = 1 << 3;
    /// Known from DWARF; else from the symbol table or Go's own table.
    pub(crate) const DWARF: u16 = 1 << 4;
}

/// Flags of a [`FileRow`].
pub(crate) mod file_flags {
    pub(crate) const MD5: u32 = 1;
    /// Units disagree on its contents.
    pub(crate) const AMBIGUOUS: u32 = 1 << 1;
}

/// Flags of a [`TypeRow`].
pub(crate) mod type_flags {
    /// Its layout is in no file that was read.
    pub(crate) const DECLARATION: u16 = 1;
    pub(crate) const HAS_SIZE: u16 = 1 << 1;
}

/// Flags of a [`MemberRow`].
pub(crate) mod member_flags {
    pub(crate) const ARTIFICIAL: u8 = 1;
    pub(crate) const HAS_VALUE: u8 = 1 << 1;
    pub(crate) const SIGNED: u8 = 1 << 2;
    pub(crate) const HAS_OFFSET: u8 = 1 << 3;
}

/// Derives what a row needs.
macro_rules! rows {
    ($($(#[$doc:meta])* struct $name:ident { $($(#[$inner:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq,
            FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
        )]
        #[repr(C)]
        pub(crate) struct $name { $($(#[$inner])* pub(crate) $field: $kind,)* }
    )*};
}

rows! {
    /// A compilation unit.
    struct UnitRow {
        name: U32,
        compiled_in: U32,
        producer: U32,
        language: U16,
        version: U16,
    }

    /// A source file.
    struct FileRow {
        path: U32,
        compiled_in: U32,
        flags: U32,
        md5: [u8; 16],
    }

    /// A function, with code or inlined everywhere.
    struct FunctionRow {
        symbol: U32,
        name: U32,
        unit: U32,
        file: U32,
        line: U32,
        column: U16,
        flags: U16,
        first_range: U32,
        ranges: U32,
        first_parameter: U32,
        parameters: U32,
        returns: U32,
        generic: U32,
        first_argument: U32,
        arguments: U32,
        frame_base: U32,
    }

    /// A generic function or template.
    struct GenericRow {
        name: U32,
        file: U32,
        line: U32,
        instances: U32,
    }

    /// A generic argument of an instance.
    struct ArgumentRow {
        name: U32,
        value: U32,
    }

    /// Code from `start` up to `end`.
    struct RangeRow {
        start: U32,
        end: U32,
    }

    /// A copy of a function inside another.
    struct InlinedRow {
        function: U32,
        /// The function with code that holds it.
        owner: U32,
        /// The inlined instance directly around it.
        caller: U32,
        file: U32,
        line: U32,
        column: U16,
        depth: U16,
        first_range: U32,
        ranges: U32,
    }

    /// Code from `start` up to the next span belongs innermost to `owner`: a function, an inlined
    /// instance (with [`INLINED`]), or nothing.
    struct SpanRow {
        start: U32,
        owner: U32,
    }

    /// Code from `address` up to the next row comes from this place. [`NONE`] as the file and no
    /// line: nothing is known.
    struct LineRow {
        address: U32,
        file: U32,
        line: U32,
        column: U16,
    }

    /// A parameter of a function with code.
    struct ParameterRow {
        name: U32,
        value: U32,
        first_location: U32,
        locations: U32,
    }

    /// Where a parameter is while the code from `start` up to `end` runs.
    struct LocationRow {
        start: U32,
        end: U32,
        expression: U32,
    }

    /// A type.
    struct TypeRow {
        name: U32,
        kind: u8,
        encoding: u8,
        flags: U16,
        size: U64,
        target: U32,
        file: U32,
        line: U32,
        first_member: U32,
        members: U32,
    }

    /// A member, base, enumerator, dimension or parameter of a type.
    struct MemberRow {
        name: U32,
        value_type: U32,
        bit_offset: U64,
        bit_size: U32,
        value: U64,
        variant: U16,
        kind: u8,
        flags: u8,
    }
}
