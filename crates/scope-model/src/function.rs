//! What a trace knows of the code: modules, the functions probed in them, and those left out.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{FunctionId, ModuleId};

/// A file mapped into the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Index in the trace's module table.
    pub id: ModuleId,
    /// Path as the target sees it.
    pub path: String,
    /// GNU build id, lower-case hexadecimal; `None` where the file has none.
    pub build_id: Option<String>,
}

impl Module {
    /// The file name without its folders.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }
}

/// A probed function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// Index in the trace's function table.
    pub id: FunctionId,
    /// Readable (demangled) name.
    pub name: String,
    /// Linkage name, as in the symbol table.
    pub symbol: String,
    /// The module that holds it.
    pub module: ModuleId,
    /// Address of the function in the module's own address space (ELF virtual address).
    pub address: u64,
    /// Size of its code in bytes; 0 where unknown.
    pub size: u64,
    /// Source file of the declaration.
    pub file: Option<String>,
    /// Line of the declaration, from 1.
    pub line: Option<u32>,
    /// What the entry probe costs there.
    pub site: SiteClass,
    /// Copies of the function inlined into others; calls of those are not seen.
    pub inlined_copies: u32,
}

/// What the instruction under a function's entry probe costs the traced program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteClass {
    /// A 5-byte nop, which new kernels turn into a call.
    Nop5,
    /// The first instruction is emulated by the kernel.
    Emulated,
    /// The probe was moved past harmless instructions onto an emulated one.
    Moved,
    /// The first instruction is copied out of line and single-stepped: an order dearer.
    SingleStepped,
}

impl SiteClass {
    /// The name used in tables and in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nop5 => "nop5",
            Self::Emulated => "emulated",
            Self::Moved => "moved",
            Self::SingleStepped => "single_stepped",
        }
    }
}

impl fmt::Display for SiteClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A function that was chosen but not probed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Readable name.
    pub name: String,
    /// Linkage name.
    pub symbol: String,
    /// Why, as one clause for a person.
    pub reason: String,
}
