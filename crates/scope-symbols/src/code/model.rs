//! What the tables say, as plain types.
//!
//! Texts borrow from the tables; numbers of lines and columns count from 1. All serialise, for
//! `--json` and for other programs.

use serde::{Deserialize, Serialize};

/// Number of a function in its module's tables: those with code first, by address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FunctionNumber(pub u32);

/// Number of an inlined instance in its module's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InlinedNumber(pub u32);

/// Number of a source file in its module's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileNumber(pub u32);

/// Number of a type in its module's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TypeNumber(pub u32);

/// Number of a generic function or template in its module's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GenericNumber(pub u32);

/// What was read, and what was not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Path of the binary as it was given.
    pub path: String,
    /// GNU build id, lower-case hexadecimal.
    pub build_id: Option<String>,
    /// The file or its debug file has DWARF.
    pub has_dwarf: bool,
    /// Names, files and lines come from Go's own table.
    pub from_go_table: bool,
    /// Files that would have added something and were not found, as a person would name them.
    pub missing: Vec<String>,
    /// Entries left out because they are damaged, or because the file has more than is read.
    pub dropped: u64,
}

/// A place in a source file. What is unknown is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file.
    pub file: Option<FileNumber>,
    /// Line.
    pub line: Option<u32>,
    /// Column, in bytes.
    pub column: Option<u16>,
}

/// A source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct SourceFile<'t> {
    /// Its path: name, folder and the compiler's working folder joined, `.` and `..` resolved.
    pub path: &'t str,
    /// Folder in which the compiler ran, as it was recorded.
    pub compiled_in: &'t str,
    /// MD5 of its contents when it was compiled (DWARF 5); `None` also where units disagree.
    pub md5: Option<[u8; 16]>,
}

impl<'t> SourceFile<'t> {
    /// The folder part of the path; empty where it has none.
    #[must_use]
    pub fn directory(&self) -> &'t str {
        self.path.rfind('/').map_or("", |at| if at == 0 { "/" } else { &self.path[..at] })
    }
}

/// Language of a compilation unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Language {
    /// Rust.
    Rust,
    /// C, of any year.
    C,
    /// C++, of any year.
    Cpp,
    /// Go.
    Go,
    /// Zig.
    Zig,
    /// Assembly.
    Assembly,
    /// Another, by its number in DWARF; 0: unknown.
    Other(u16),
}

impl Language {
    pub(crate) fn of(number: u16) -> Self {
        match number {
            0x0001 | 0x0002 | 0x000c | 0x001d | 0x002c | 0x003e => Self::C,
            0x0004 | 0x001a | 0x0021 | 0x002b | 0x003a => Self::Cpp,
            0x0016 => Self::Go,
            0x001c => Self::Rust,
            0x0027 => Self::Zig,
            0x8001 | 0x0031 => Self::Assembly,
            other => Self::Other(other),
        }
    }
}

/// A function: one with code, or one that exists as inlined copies alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Function<'t> {
    /// Its number.
    pub number: FunctionNumber,
    /// Linkage name; the plain one where nothing is mangled.
    pub symbol: &'t str,
    /// Readable name.
    pub name: &'t str,
    /// Where its code begins; `None`: inlined everywhere.
    pub address: Option<u64>,
    /// Where it was declared.
    pub declared: Place,
    /// Visible to other units, as the source has it; of the symbol where there is no DWARF.
    pub is_external: bool,
    /// Made by the compiler, not written by anybody.
    pub is_artificial: bool,
    /// Declared never to return.
    pub does_not_return: bool,
    /// Known from DWARF; else from the symbol table, the unwind table, or Go's own table.
    pub from_dwarf: bool,
    /// Language of its unit.
    pub language: Language,
    /// The compiler and its options, as far as it recorded them.
    pub producer: &'t str,
    /// Type of the value that it returns; `None`: nothing is, or nothing is known.
    pub returns: Option<TypeNumber>,
    /// The generic function or template that it is an instance of.
    pub generic: Option<GenericNumber>,
    /// Expression for its frame base (DWARF bytes); empty: unknown.
    #[serde(skip)]
    pub frame_base: &'t [u8],
}

/// A generic function, or a template, or a function of a generic type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Generic<'t> {
    /// Qualified name without arguments.
    pub name: &'t str,
    /// Where it was declared.
    pub declared: Place,
    /// Functions that are instances of it.
    pub instances: u32,
}

/// A named argument of a generic instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct GenericArgument<'t> {
    /// Name of the parameter: `T`.
    pub name: &'t str,
    /// The type that stands for it.
    pub argument: Option<TypeNumber>,
}

/// A copy of a function in another one's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Inlined {
    /// Its number.
    pub number: InlinedNumber,
    /// The function that was copied.
    pub function: FunctionNumber,
    /// The function with code that holds the copy.
    pub owner: FunctionNumber,
    /// The copy directly around this one.
    pub caller: Option<InlinedNumber>,
    /// Where it was called.
    pub call: Place,
    /// Copies around it, itself included: from 1.
    pub depth: u16,
}

/// A row of the line table: code from `address` up to `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// ELF virtual address.
    pub address: u64,
    /// Where the next row begins.
    pub end: u64,
    /// Where the code comes from.
    pub place: Place,
    /// A good place to stop: a statement begins.
    pub is_statement: bool,
}

/// One level of the calls that an address stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CodeFrame<'t> {
    /// The function.
    pub function: FunctionNumber,
    /// Its readable name.
    pub name: &'t str,
    /// The copy; `None`: the function with code itself.
    pub inlined: Option<InlinedNumber>,
    /// Where in this function: of the innermost the line table's place, of the others the call.
    pub place: Place,
}

/// A parameter of a function with code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Parameter<'t> {
    /// Its name; empty: unnamed.
    pub name: &'t str,
    /// Its type.
    pub value_type: Option<TypeNumber>,
    #[serde(skip)]
    pub(crate) first_location: u32,
    #[serde(skip)]
    pub(crate) locations: u32,
}

/// Where a value is while a range of code runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Location<'t> {
    /// First address.
    pub start: u64,
    /// First address after it.
    pub end: u64,
    /// DWARF expression of the unit's version; empty: optimised away.
    pub expression: &'t [u8],
}

/// What a type is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[non_exhaustive]
pub enum TypeKind {
    /// A number, character or truth value: see [`Type::encoding`].
    Base = 0,
    /// A structure, class or Rust enum with data (then members belong to variants).
    Struct = 1,
    /// A union.
    Union = 2,
    /// Named values.
    Enum = 3,
    /// A pointer; without a target: to anything.
    Pointer = 4,
    /// A C++ reference.
    Reference = 5,
    /// A C++ rvalue reference.
    RvalueReference = 6,
    /// A C++ pointer to member.
    MemberPointer = 7,
    /// An array: the target is the element, the members are its dimensions.
    Array = 8,
    /// Another name for the target.
    Typedef = 9,
    /// `const`.
    Const = 10,
    /// `volatile`.
    Volatile = 11,
    /// `restrict`.
    Restrict = 12,
    /// `_Atomic`.
    Atomic = 13,
    /// A function: the target is what it returns, the members are its parameters.
    Function = 14,
    /// Known by name alone.
    Unspecified = 15,
}

impl TypeKind {
    pub(crate) fn of(number: u8) -> Self {
        const ALL: [TypeKind; 16] = [
            TypeKind::Base,
            TypeKind::Struct,
            TypeKind::Union,
            TypeKind::Enum,
            TypeKind::Pointer,
            TypeKind::Reference,
            TypeKind::RvalueReference,
            TypeKind::MemberPointer,
            TypeKind::Array,
            TypeKind::Typedef,
            TypeKind::Const,
            TypeKind::Volatile,
            TypeKind::Restrict,
            TypeKind::Atomic,
            TypeKind::Function,
            TypeKind::Unspecified,
        ];
        ALL.get(usize::from(number)).copied().unwrap_or(Self::Unspecified)
    }
}

/// A type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Type<'t> {
    /// Its number.
    pub number: TypeNumber,
    /// Qualified name; empty: unnamed.
    pub name: &'t str,
    /// What it is.
    pub kind: TypeKind,
    /// Of a base type: `DW_ATE_*`.
    pub encoding: u8,
    /// Bytes; `None`: unknown, or that of the target.
    pub size: Option<u64>,
    /// The type that it points to, names, or is made of.
    pub target: Option<TypeNumber>,
    /// Where it was declared.
    pub declared: Place,
    /// Its layout is not known.
    pub is_declaration: bool,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[non_exhaustive]
pub enum MemberKind {
    /// A field.
    Field = 0,
    /// A base class.
    Base = 1,
    /// A named value of an enumeration.
    Enumerator = 2,
    /// A dimension of an array: the value is its length.
    Dimension = 3,
    /// A parameter of a function type.
    Parameter = 4,
    /// The field that tells which variant a Rust enum holds.
    Discriminant = 5,
}

impl MemberKind {
    pub(crate) fn of(number: u8) -> Self {
        match number {
            1 => Self::Base,
            2 => Self::Enumerator,
            3 => Self::Dimension,
            4 => Self::Parameter,
            5 => Self::Discriminant,
            _ => Self::Field,
        }
    }
}

/// A member of a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Member<'t> {
    /// Its name; empty: unnamed.
    pub name: &'t str,
    /// What it is.
    pub kind: MemberKind,
    /// Its type.
    pub value_type: Option<TypeNumber>,
    /// Bits from the start of the type; `None`: computed at run time, or none.
    pub bit_offset: Option<u64>,
    /// Bits of a bit field.
    pub bit_size: Option<u32>,
    /// The variant it belongs to, counted from 1; `None`: to all.
    pub variant: Option<u16>,
    /// Of an enumerator its value, of a dimension its length, of a variant's member the
    /// discriminant that selects the variant (`None`: all others).
    pub value: Option<i128>,
    /// Made by the compiler.
    pub is_artificial: bool,
}
