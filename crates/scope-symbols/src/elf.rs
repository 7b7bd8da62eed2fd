//! ELF: header checks, segments, symbols, build id, debug link. Nothing beyond what the file says.

use std::borrow::Cow;

use object::elf::{
    EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PF_X, PT_LOAD, STB_GLOBAL, STB_WEAK, STT_FUNC,
    STT_GNU_IFUNC,
};
use object::read::elf::{
    ElfFile64, ElfSection64, FileHeader as _, ProgramHeader as _, Sym as _, SymbolTable,
};
use object::{LittleEndian, Object as _, ObjectSection as _};

use crate::debug_file::DebugFileRequest;
use crate::image::{Segment, SymbolError};

/// Most bytes a compressed section may unfold to, by what it claims and by what it could hold.
const MAX_UNFOLDED: (u64, u64) = (8 << 30, 1200);

/// A parsed ELF file.
pub(crate) struct Elf<'a> {
    file: ElfFile64<'a, LittleEndian>,
    bytes: &'a [u8],
    segments: Vec<Segment>,
}

/// A function symbol.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Symbol<'a> {
    pub(crate) name: &'a [u8],
    pub(crate) address: u64,
    pub(crate) size: u64,
    pub(crate) binding: Binding,
    /// `STT_GNU_IFUNC`.
    pub(crate) resolver: bool,
    /// Its code is in another file.
    pub(crate) imported: bool,
}

/// Which of several names of one address is kept: the first in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Binding {
    Global,
    Weak,
    Local,
}

impl<'a> Elf<'a> {
    pub(crate) fn parse(path: &str, bytes: &'a [u8]) -> Result<Self, SymbolError> {
        let path = || path.to_owned();
        let damaged = |what: &str| SymbolError::Damaged { path: path(), what: what.to_owned() };
        if !bytes.starts_with(b"\x7fELF") {
            return Err(SymbolError::NotElf { path: path() });
        }
        let [class, order] = [4, 5].map(|at| bytes.get(at).copied().unwrap_or(0));
        let half = |at: usize| {
            bytes.get(at..at + 2).map(|two| {
                let two = [two[0], two[1]];
                if order == 2 { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) }
            })
        };
        let (Some(kind), Some(machine)) = (half(16), half(18)) else {
            return Err(damaged("its header is cut off"));
        };
        if class == 1 {
            return Err(SymbolError::Is32Bit { path: path() });
        }
        if machine != EM_X86_64.0 || order == 2 {
            return Err(SymbolError::Machine { path: path(), machine });
        }
        if kind != ET_EXEC.0 && kind != ET_DYN.0 {
            return Err(SymbolError::Kind { path: path(), kind });
        }
        let file = ElfFile64::parse(bytes).map_err(|error| damaged(&error.to_string()))?;
        let mut segments: Vec<Segment> = file
            .elf_program_headers()
            .iter()
            .filter(|header| header.p_type(LittleEndian) == PT_LOAD)
            .map(|header| Segment {
                address: header.p_vaddr(LittleEndian),
                file_offset: header.p_offset(LittleEndian),
                file_size: header.p_filesz(LittleEndian),
                executable: header.p_flags(LittleEndian).0 & PF_X.0 != 0,
            })
            .collect();
        segments.sort_by_key(|segment| segment.address);
        Ok(Self { file, bytes, segments })
    }

    pub(crate) fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The executable segment that holds `address`, and the place in the file.
    pub(crate) fn locate(&self, address: u64) -> Option<(&Segment, u64)> {
        let after = self.segments.partition_point(|segment| segment.address <= address);
        self.segments[..after].iter().rev().filter(|segment| segment.executable).find_map(
            |segment| {
                let inside = address - segment.address;
                let offset = segment.file_offset.checked_add(inside)?;
                (inside < segment.file_size).then_some((segment, offset))
            },
        )
    }

    /// Up to `size` bytes of code from `address` on, ending with its segment.
    pub(crate) fn code(&self, address: u64, size: u64) -> &'a [u8] {
        let Some((segment, offset)) = self.locate(address) else { return &[] };
        let left = segment.file_size - (address - segment.address);
        let end = offset.saturating_add(size.min(left)).min(self.bytes.len() as u64);
        let range =
            usize::try_from(offset).unwrap_or(usize::MAX)..usize::try_from(end).unwrap_or(0);
        self.bytes.get(range).unwrap_or_default()
    }

    /// The bytes of a segment that are in the file.
    pub(crate) fn contents(&self, segment: &Segment) -> &'a [u8] {
        let end = segment.file_offset.saturating_add(segment.file_size);
        let end = end.min(self.bytes.len() as u64);
        let start = usize::try_from(segment.file_offset).unwrap_or(usize::MAX);
        self.bytes.get(start..usize::try_from(end).unwrap_or(0)).unwrap_or_default()
    }

    pub(crate) fn entry(&self) -> u64 {
        self.file.elf_header().e_entry(LittleEndian)
    }

    pub(crate) fn build_id(&self) -> Option<String> {
        self.file.build_id().ok().flatten().filter(|id| !id.is_empty()).map(hexadecimal)
    }

    pub(crate) fn has_section(&self, name: &str) -> bool {
        self.file.section_by_name(name).is_some()
    }

    /// Made by Go's own tools; a C program with Go parts (cgo) is, too.
    pub(crate) fn is_go(&self) -> bool {
        [".go.buildinfo", ".gopclntab", ".data.rel.ro.gopclntab", ".note.go.buildid"]
            .iter()
            .any(|name| self.has_section(name))
    }

    pub(crate) fn has_dwarf(&self) -> bool {
        self.section(".debug_info").is_some_and(|data| !data.is_empty())
    }

    pub(crate) fn has_symbol_table(&self) -> bool {
        !self.file.elf_symbol_table().is_empty()
    }

    /// Address and size of a section, without its bytes.
    pub(crate) fn section_range(&self, name: &str) -> Option<(u64, u64)> {
        self.file.section_by_name(name).map(|section| (section.address(), section.size()))
    }

    /// A section's bytes, unfolded where they are compressed.
    pub(crate) fn section(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        section_of(&self.file, name)
    }

    pub(crate) fn debug_file_request(&self) -> Option<DebugFileRequest> {
        let link = self
            .file
            .gnu_debuglink()
            .ok()
            .flatten()
            .and_then(|(name, crc)| Some((std::str::from_utf8(name).ok()?.to_owned(), crc)));
        let request = DebugFileRequest { build_id: self.build_id(), link };
        (request != DebugFileRequest::default()).then_some(request)
    }

    /// Function symbols of `.symtab` and `.dynsym`, in no order.
    pub(crate) fn symbols(&self) -> Vec<Symbol<'a>> {
        let mut symbols = Vec::new();
        collect(self.file.elf_symbol_table(), &mut symbols);
        collect(self.file.elf_dynamic_symbol_table(), &mut symbols);
        symbols
    }
}

/// An ELF file that holds debug information alone: neither program nor library, of any machine.
pub(crate) struct DebugObject<'a>(ElfFile64<'a, LittleEndian>);

impl<'a> DebugObject<'a> {
    pub(crate) fn parse(bytes: &'a [u8]) -> Option<Self> {
        ElfFile64::parse(bytes).ok().map(Self)
    }

    /// A section's bytes, unfolded where they are compressed. Compilers put each type unit into a
    /// section of its own, all of one name: these come one after the other.
    pub(crate) fn section(&self, name: &str) -> Option<Cow<'a, [u8]>> {
        let first = section_of(&self.0, name)?;
        let named = self.0.sections().filter(|section| section.name_bytes() == Ok(name.as_bytes()));
        let mut others = named.skip(1).filter_map(|section| unfolded(&section)).peekable();
        if others.peek().is_none() {
            return Some(first);
        }
        let mut all = first.into_owned();
        others.for_each(|bytes| all.extend_from_slice(&bytes));
        Some(Cow::Owned(all))
    }
}

fn section_of<'a>(file: &ElfFile64<'a, LittleEndian>, name: &str) -> Option<Cow<'a, [u8]>> {
    let section = file.section_by_name(name)?;
    unfolded(&section)
}

fn unfolded<'a>(section: &ElfSection64<'a, '_, LittleEndian>) -> Option<Cow<'a, [u8]>> {
    let data = section.compressed_data().ok()?;
    let limit = (data.data.len() as u64).saturating_mul(MAX_UNFOLDED.1).min(MAX_UNFOLDED.0);
    if data.format != object::CompressionFormat::None && data.uncompressed_size > limit {
        return None;
    }
    data.decompress().ok()
}

fn collect<'a>(table: &SymbolTable<'a, FileHeader64<LittleEndian>>, symbols: &mut Vec<Symbol<'a>>) {
    for symbol in table.iter() {
        let kind = symbol.st_type();
        let imported = symbol.st_shndx(LittleEndian) == object::elf::SHN_UNDEF;
        // The linker forgets the type of what it imports where nothing calls it directly.
        let function = kind == STT_FUNC || kind == STT_GNU_IFUNC;
        if !function {
            continue;
        }
        let Ok(name) = table.symbol_name(LittleEndian, symbol) else { continue };
        let name = name.split(|byte| *byte == b'@').next().unwrap_or_default();
        if name.is_empty() {
            continue;
        }
        symbols.push(Symbol {
            name,
            address: symbol.st_value(LittleEndian),
            size: symbol.st_size(LittleEndian),
            binding: match symbol.st_bind() {
                STB_GLOBAL => Binding::Global,
                STB_WEAK => Binding::Weak,
                _ => Binding::Local,
            },
            resolver: kind == STT_GNU_IFUNC,
            imported,
        });
    }
}

/// The GNU build id of an ELF file of any class or machine, lower-case hexadecimal.
#[must_use]
pub(crate) fn build_id_of(bytes: &[u8]) -> Option<String> {
    let file = object::File::parse(bytes).ok()?;
    file.build_id().ok().flatten().filter(|id| !id.is_empty()).map(hexadecimal)
}

/// The header and the section headers of a 64-bit ELF file: what tells its shape.
pub(crate) fn section_headers(bytes: &[u8]) -> Option<Vec<u8>> {
    let file = ElfFile64::<LittleEndian>::parse(bytes).ok()?;
    let mut headers = bytes.get(..size_of::<FileHeader64<LittleEndian>>())?.to_vec();
    headers.extend(file.elf_section_table().iter().flat_map(object::bytes_of));
    Some(headers)
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
