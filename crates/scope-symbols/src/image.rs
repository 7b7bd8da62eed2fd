//! One ELF file's facts: its functions, where each can be probed, and what else matters before a
//! target is touched.
//!
//! Does no I/O; a separate debug file is asked for through a closure.

use scope_model::SiteClass;

use crate::debug_file::DebugFileRequest;
use crate::elf::Elf;
use crate::file::FileBytes;
use crate::functions::Starts;
use crate::reason::Reason;
use crate::site::Site;
use crate::{cfi, dwarf};

/// One ELF file.
#[derive(Clone, Debug)]
pub struct Image {
    /// Path as given to [`Image::load`].
    pub path: String,
    /// GNU build id, lower-case hexadecimal.
    pub build_id: Option<String>,
    /// Made by the Go compiler.
    pub is_go: bool,
    /// The file or its debug file has DWARF.
    pub has_dwarf: bool,
    /// Some of the DWARF is in `.dwo` files, which are not read: those functions lack file and line.
    pub has_split_dwarf: bool,
    /// The file or its debug file has a full symbol table (`.symtab`). Where it has none, local
    /// functions are known by the unwind table alone and named `fn_<address>`.
    pub has_symbols: bool,
    /// A debug file that the binary points to, that would add names or lines, and that was not found.
    pub missing_debug_file: Option<DebugFileRequest>,
    /// Defines or imports the unwinder: its frames can end by an exception or a panic.
    pub can_unwind: bool,
    /// Defines or imports functions that switch stacks (`swapcontext`, `jump_fcontext`, …).
    pub switches_stacks: bool,
    /// The unwinder's entry points and catch points that this file defines.
    pub unwind_symbols: Vec<UnwindSymbol>,
    /// All functions by address; those without an address (inlined everywhere, imported) first.
    pub functions: Vec<ImageFunction>,
    /// `PT_LOAD` segments, by address.
    pub segments: Vec<Segment>,
}

/// A part of the file that is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// ELF virtual address.
    pub address: u64,
    /// Where its bytes begin in the file.
    pub file_offset: u64,
    /// Bytes that come from the file.
    pub file_size: u64,
    /// Mapped executable.
    pub executable: bool,
}

/// A function of an [`Image`].
#[derive(Clone, Debug)]
pub struct ImageFunction {
    /// Readable name.
    pub name: String,
    /// Linkage name; equal to `name` where nothing is mangled.
    pub symbol: String,
    /// Linkage names of other symbols at the same address.
    pub aliases: Vec<String>,
    /// ELF virtual address; 0 where the function has no code in this file.
    pub address: u64,
    /// Where its code begins in the file.
    pub file_offset: u64,
    /// Bytes of its code; 0 where unknown.
    pub size: u64,
    /// Source file of the declaration.
    pub file: Option<String>,
    /// Line of the declaration, from 1.
    pub line: Option<u32>,
    /// Its source belongs to the project the image was built from; `None`: nothing is known.
    pub in_project: Option<bool>,
    /// Copies of it inlined into other functions.
    pub inlined_copies: u32,
    /// Where it can be probed, or why not.
    pub site: Result<Site, Reason>,
}

impl ImageFunction {
    /// File offset of the entry probe.
    #[must_use]
    pub fn probe_offset(&self) -> Option<u64> {
        self.site.as_ref().ok().map(|site| self.file_offset.saturating_add(site.offset))
    }

    /// What the entry probe costs.
    #[must_use]
    pub fn class(&self) -> Option<SiteClass> {
        self.site.as_ref().ok().map(|site| site.class)
    }
}

/// A function that unwinding passes through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnwindSymbol {
    /// Linkage name.
    pub symbol: String,
    /// What it does.
    pub kind: UnwindSymbolKind,
    /// Where its code begins in the file.
    pub file_offset: u64,
}

/// What an [`UnwindSymbol`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnwindSymbolKind {
    /// Walks the stack: begins or resumes unwinding, or takes a backtrace.
    Walks,
    /// Is called when unwinding has arrived where it is caught.
    Catches,
}

/// Why a file cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SymbolError {
    /// Not ELF at all.
    #[error("{path} is not an ELF file")]
    NotElf {
        /// The file.
        path: String,
    },
    /// For a 32-bit processor or mode.
    #[error("{path} is a 32-bit program; only 64-bit ones can be traced")]
    Is32Bit {
        /// The file.
        path: String,
    },
    /// For another processor.
    #[error("{path} is for another processor (ELF machine {machine}); only x86-64 is supported")]
    Machine {
        /// The file.
        path: String,
        /// `e_machine`.
        machine: u16,
    },
    /// Neither a program nor a shared library.
    #[error("{path} is neither a program nor a shared library (ELF type {kind})")]
    Kind {
        /// The file.
        path: String,
        /// `e_type`.
        kind: u16,
    },
    /// Damaged.
    #[error("{path} is damaged: {what}")]
    Damaged {
        /// The file.
        path: String,
        /// What the parser met.
        what: String,
    },
}

impl Image {
    /// Reads an ELF file. `path` names it in errors and in the result; `debug_file` is asked for a
    /// separate debug file where one would help.
    ///
    /// Damage beyond the file header is not an error: what cannot be read is left out.
    ///
    /// # Errors
    ///
    /// When the bytes are no x86-64 program or shared library.
    pub fn load(
        path: &str,
        bytes: &[u8],
        debug_file: &mut dyn FnMut(&DebugFileRequest) -> Option<FileBytes>,
    ) -> Result<Self, SymbolError> {
        let elf = Elf::parse(path, bytes)?;
        let mut missing_debug_file = None;
        let mut fetched = None;
        if !(elf.has_dwarf() && elf.has_symbol_table())
            && let Some(request) = elf.debug_file_request()
        {
            fetched = debug_file(&request);
            if fetched.is_none() && request.link.is_some() {
                missing_debug_file = Some(request);
            }
        }
        let extra = fetched.as_ref().and_then(|bytes| Elf::parse(path, bytes).ok());
        let dwarf_source =
            [Some(&elf), extra.as_ref()].into_iter().flatten().find(|e| e.has_dwarf());
        let frames = cfi::read(&elf);
        let starts = Starts::collect(&elf, extra.as_ref(), &frames);
        let sources = dwarf_source.map(|elf| dwarf::read(elf, &starts.addresses()));
        let sources = sources.unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            build_id: elf.build_id(),
            is_go: elf.is_go(),
            has_dwarf: dwarf_source.is_some(),
            has_split_dwarf: sources.has_split_units,
            has_symbols: elf.has_symbol_table()
                || extra.as_ref().is_some_and(Elf::has_symbol_table),
            missing_debug_file,
            can_unwind: starts.can_unwind,
            switches_stacks: starts.switches_stacks,
            unwind_symbols: starts.unwind_symbols.clone(),
            functions: starts.finish(&elf, &frames, &sources),
            segments: elf.segments().to_vec(),
        })
    }

    /// The ELF virtual address of a file offset that is mapped executable.
    #[must_use]
    pub fn address_at(&self, file_offset: u64) -> Option<u64> {
        self.segments.iter().filter(|segment| segment.executable).find_map(|segment| {
            let inside = file_offset.checked_sub(segment.file_offset)?;
            (inside < segment.file_size).then(|| segment.address.wrapping_add(inside))
        })
    }

    /// The function whose code holds an ELF virtual address.
    #[must_use]
    pub fn function_at(&self, address: u64) -> Option<&ImageFunction> {
        let after = self.functions.partition_point(|function| function.address <= address);
        let function = self.functions.get(after.checked_sub(1)?)?;
        let inside = function.address != 0
            && (function.size == 0 || address - function.address < function.size);
        inside.then_some(function)
    }
}
