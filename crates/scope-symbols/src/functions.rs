//! From symbols, unwind tables and DWARF to one list of functions.
//!
//! First the starts ([`Starts`]): every address where a function begins, with one name each. Then
//! DWARF adds places, and each start gets its readable name and its probe site, in parallel.

use rayon::prelude::*;

use crate::cfi::Frame;
use crate::dwarf::{SourceFunction, Sources};
use crate::elf::{Binding, Elf, Symbol};
use crate::image::{ImageFunction, UnwindSymbol, UnwindSymbolKind};
use crate::names::demangle;
use crate::reason::Reason;
use crate::site::{self, Code};

/// The most code of one function that is searched for branches.
const MAX_SEARCHED: u64 = 4 << 20;

/// Functions that work with return addresses: theirs or their caller's.
const HANDLES_RETURNS: [&str; 32] = [
    "_Unwind_RaiseException",
    "_Unwind_Resume",
    "_Unwind_Resume_or_Rethrow",
    "_Unwind_ForcedUnwind",
    "_Unwind_Backtrace",
    "_Unwind_Find_FDE",
    "setjmp",
    "_setjmp",
    "__setjmp",
    "sigsetjmp",
    "__sigsetjmp",
    "vfork",
    "__vfork",
    "__libc_vfork",
    "clone",
    "__clone",
    "__clone3",
    "__clone_internal",
    "getcontext",
    "__getcontext",
    "setcontext",
    "__setcontext",
    "swapcontext",
    "__swapcontext",
    "makecontext",
    "__makecontext",
    "jump_fcontext",
    "make_fcontext",
    "ontop_fcontext",
    "__morestack",
    "__restore_rt",
    "__restore",
];

/// Of those, what moves a thread to another stack.
const SWITCHES_STACKS: [&str; 10] = [
    "swapcontext",
    "__swapcontext",
    "setcontext",
    "makecontext",
    "__makecontext",
    "jump_fcontext",
    "make_fcontext",
    "ontop_fcontext",
    "coro_transfer",
    "__morestack",
];

/// Walk the stack, and so meet replaced return addresses.
const WALKS: [&str; 5] = [
    "_Unwind_RaiseException",
    "_Unwind_Resume",
    "_Unwind_Resume_or_Rethrow",
    "_Unwind_ForcedUnwind",
    "_Unwind_Backtrace",
];

/// Where functions begin.
pub(crate) struct Starts<'a> {
    /// By address; one each.
    starts: Vec<Start<'a>>,
    /// Names of functions whose code is in other files.
    imports: Vec<&'a [u8]>,
    whole: bool,
    pub(crate) can_unwind: bool,
    pub(crate) switches_stacks: bool,
    pub(crate) unwind_symbols: Vec<UnwindSymbol>,
}

#[derive(Clone, Debug)]
struct Start<'a> {
    address: u64,
    size: u64,
    name: Option<&'a [u8]>,
    aliases: Vec<&'a [u8]>,
    resolver: bool,
    external: bool,
}

/// A function as the symbols and the unwind table know it.
#[derive(Clone, Debug)]
pub(crate) struct PlainFunction<'a> {
    pub(crate) address: u64,
    pub(crate) size: u64,
    /// The preferred name first; none where the unwind table alone knows the function.
    pub(crate) names: Vec<&'a [u8]>,
    /// One of the symbols is visible to other files.
    pub(crate) external: bool,
}

impl<'a> Starts<'a> {
    /// From the symbol tables of a file and of its debug file, and from the unwind table where
    /// neither has a whole symbol table.
    pub(crate) fn collect(elf: &Elf<'a>, debug: Option<&Elf<'a>>, frames: &[Frame]) -> Self {
        let mut symbols = elf.symbols();
        symbols.extend(debug.map(Elf::symbols).unwrap_or_default());
        let named = |names: &[&str]| {
            symbols.iter().any(|symbol| names.iter().any(|name| symbol.name == name.as_bytes()))
        };
        let can_unwind = named(&WALKS);
        let switches_stacks = named(&SWITCHES_STACKS);
        let (imports, mut defined): (Vec<Symbol<'a>>, Vec<Symbol<'a>>) =
            symbols.into_iter().partition(|symbol| symbol.imported);
        let mut imports: Vec<&[u8]> = imports.iter().map(|symbol| symbol.name).collect();
        imports.sort_unstable();
        imports.dedup();
        defined.retain(|symbol| elf.locate(symbol.address).is_some());
        defined.sort_by_key(|symbol| (symbol.address, preference(symbol)));
        let unwind_symbols = unwind_symbols(elf, &defined);
        let mut starts: Vec<Start<'a>> =
            defined.chunk_by(|a, b| a.address == b.address).map(merge).collect();
        let whole = elf.has_symbol_table() || debug.is_some_and(Elf::has_symbol_table);
        if !whole {
            add_frames(elf, frames, &mut starts);
        }
        Self { starts, imports, whole, can_unwind, switches_stacks, unwind_symbols }
    }

    /// All addresses, sorted.
    pub(crate) fn addresses(&self) -> Vec<u64> {
        self.starts.iter().map(|start| start.address).collect()
    }

    /// The functions without what DWARF adds, by address.
    pub(crate) fn plain(mut self, elf: &Elf<'a>, frames: &[Frame]) -> Vec<PlainFunction<'a>> {
        self.complete_sizes(elf, frames);
        self.starts
            .into_iter()
            .map(|start| PlainFunction {
                address: start.address,
                size: start.size,
                names: start.name.into_iter().chain(start.aliases).collect(),
                external: start.external,
            })
            .collect()
    }

    /// The finished list: functions without code here first, then by address.
    pub(crate) fn finish(
        mut self,
        elf: &Elf<'a>,
        frames: &[Frame],
        sources: &Sources,
    ) -> Vec<ImageFunction> {
        self.add_sources(elf, sources);
        self.complete_sizes(elf, frames);
        let incoming = self.incoming(elf);
        let context = Context {
            elf,
            frames,
            sources,
            incoming: &incoming,
            is_go: elf.is_go(),
            has_project: sources.functions.iter().any(|function| {
                function.file.as_deref().is_some_and(|file| sources.project.contains(file))
            }),
        };
        let inlined = sources.inlined_only.par_iter().map(|source| context.inlined(source));
        let imported = self.imports.par_iter().map(|name| context.imported(name));
        let mut functions: Vec<ImageFunction> = imported.chain(inlined).collect();
        functions.par_extend(self.starts.par_iter().map(|start| context.function(start)));
        functions
    }

    /// Functions that DWARF alone knows: a stripped file with a debug file made of DWARF.
    fn add_sources(&mut self, elf: &Elf<'a>, sources: &Sources) {
        let known = self.addresses();
        let unknown = sources.functions.iter().filter(|function| {
            function.symbol.is_some()
                && known.binary_search(&function.address).is_err()
                && elf.locate(function.address).is_some()
        });
        let added: Vec<Start<'a>> = unknown
            .map(|function| Start {
                address: function.address,
                size: function.size,
                name: None,
                aliases: Vec::new(),
                resolver: false,
                external: false,
            })
            .collect();
        if !added.is_empty() {
            self.starts.extend(added);
            self.starts.sort_by_key(|start| start.address);
        }
    }

    /// Targets of jumps from parts that were split off functions. Where names do not tell which
    /// parts those are, of all jumps between functions.
    fn incoming(&self, elf: &Elf<'_>) -> Vec<u64> {
        let is_part = |start: &&Start<'_>| {
            !self.whole || start.name.is_some_and(|name| split_off(name).is_some())
        };
        let parts = self.starts.par_iter().filter(is_part);
        let mut incoming: Vec<u64> = parts
            .flat_map_iter(|start| {
                site::jumps_out(
                    elf.code(start.address, start.size.min(MAX_SEARCHED)),
                    start.address,
                )
            })
            .collect();
        incoming.par_sort_unstable();
        incoming
    }

    /// Sizes that the symbol lacks: from the unwind table, else up to the next function.
    fn complete_sizes(&mut self, elf: &Elf<'_>, frames: &[Frame]) {
        let next: Vec<u64> =
            self.starts.iter().skip(1).map(|start| start.address).chain([u64::MAX]).collect();
        let mut total = 0_u64;
        for (start, next) in self.starts.iter_mut().zip(&next) {
            let end = elf
                .locate(start.address)
                .map_or(0, |(segment, _)| segment.address.saturating_add(segment.file_size));
            let room = end.saturating_sub(start.address);
            if start.size == 0 {
                start.size = match frame_at(frames, start.address) {
                    Some(frame) if frame.address == start.address => frame.size,
                    _ => next - start.address,
                };
            }
            start.size = start.size.min(room);
            total = total.saturating_add(start.size);
        }
        // Sizes that overlap many times over are no compiler's; they would make the search for
        // branches take forever.
        let sizes = elf.segments().iter().map(|segment| segment.file_size);
        let code = sizes.fold(0, u64::saturating_add);
        if total > code.saturating_mul(4) {
            for (start, next) in self.starts.iter_mut().zip(&next) {
                start.size = start.size.min(next - start.address);
            }
        }
    }
}

/// What every function is judged against.
struct Context<'c, 'a> {
    elf: &'c Elf<'a>,
    frames: &'c [Frame],
    sources: &'c Sources,
    incoming: &'c [u64],
    is_go: bool,
    has_project: bool,
}

impl Context<'_, '_> {
    fn function(&self, start: &Start<'_>) -> ImageFunction {
        let address = start.address;
        let source = self
            .sources
            .functions
            .binary_search_by_key(&address, |function| function.address)
            .ok()
            .map(|at| &self.sources.functions[at]);
        let declared = source.and_then(|source| source.symbol.as_deref());
        let mut names: Vec<&[u8]> = start.name.into_iter().chain(start.aliases.clone()).collect();
        // Of several names the one in the source is what people know.
        if let Some(declared) = declared
            && let Some(at) = names.iter().position(|name| *name == declared.as_bytes())
        {
            names.swap(0, at);
        }
        let symbol = match (names.first(), declared) {
            (Some(name), _) => String::from_utf8_lossy(name).into_owned(),
            (None, Some(symbol)) => symbol.to_owned(),
            (None, None) if address == self.elf.entry() => "_start".to_owned(),
            (None, None) => format!("fn_{address:x}"),
        };
        ImageFunction {
            name: demangle(&symbol),
            aliases: names
                .iter()
                .skip(1)
                .map(|alias| String::from_utf8_lossy(alias).into_owned())
                .collect(),
            address,
            file_offset: self.elf.locate(address).map_or(0, |(_, offset)| offset),
            size: start.size,
            file: source.and_then(|source| source.file.as_deref()).map(str::to_owned),
            line: source.and_then(|source| source.line),
            in_project: self.in_project(source),
            inlined_copies: source.map_or(0, |source| source.inlined_copies),
            site: self.site(start, &symbol),
            symbol,
        }
    }

    fn site(&self, start: &Start<'_>, symbol: &str) -> Result<site::Site, Reason> {
        if self.is_go {
            return Err(Reason::Go);
        }
        if start.resolver {
            return Err(Reason::Resolver);
        }
        let names = || start.aliases.iter().copied().chain(start.name);
        if names().any(|name| HANDLES_RETURNS.iter().any(|other| name == other.as_bytes())) {
            return Err(Reason::HandlesReturns);
        }
        if split_off(symbol.as_bytes()).is_some() {
            return Err(Reason::SplitOff);
        }
        let frame = frame_at(self.frames, start.address);
        if frame.is_some_and(|frame| !frame.called) && symbol == format!("fn_{:x}", start.address) {
            return Err(Reason::SplitOff);
        }
        // Inside a range the stack may be anything; only assembly begins functions there.
        let called = frame.is_none_or(|frame| frame.called && frame.address == start.address);
        if !called || symbol == "_start" || start.address == self.elf.entry() {
            return Err(Reason::NotCalled);
        }
        site::find(&Code {
            bytes: self.elf.code(start.address, start.size.max(16)),
            address: start.address,
            size: if start.size > MAX_SEARCHED { 0 } else { start.size },
            incoming: self.incoming,
        })
    }

    fn in_project(&self, source: Option<&SourceFunction>) -> Option<bool> {
        match source.and_then(|source| source.file.as_deref()) {
            Some(file) => Some(self.sources.project.contains(file)),
            // Where the project has DWARF, what has none is not of the project.
            None if self.has_project => Some(false),
            None => None,
        }
    }

    fn inlined(&self, source: &SourceFunction) -> ImageFunction {
        let symbol = source.symbol.clone().unwrap_or_default();
        ImageFunction {
            name: demangle(&symbol),
            symbol,
            file: source.file.as_deref().map(str::to_owned),
            line: source.line,
            in_project: self.in_project(Some(source)),
            inlined_copies: source.inlined_copies,
            ..without_code(Reason::InlinedEverywhere { copies: source.inlined_copies })
        }
    }

    fn imported(&self, name: &[u8]) -> ImageFunction {
        let symbol = String::from_utf8_lossy(name).into_owned();
        ImageFunction {
            name: demangle(&symbol),
            symbol,
            in_project: self.in_project(None),
            ..without_code(Reason::Imported)
        }
    }
}

fn without_code(reason: Reason) -> ImageFunction {
    ImageFunction {
        name: String::new(),
        symbol: String::new(),
        aliases: Vec::new(),
        address: 0,
        file_offset: 0,
        size: 0,
        file: None,
        line: None,
        in_project: None,
        inlined_copies: 0,
        site: Err(reason),
    }
}

/// Which of several symbols at one address gives the name: the smallest. Global before weak before
/// local, then what looks least internal.
fn preference<'a>(symbol: &Symbol<'a>) -> (Binding, usize, usize, &'a [u8]) {
    let underscores = symbol.name.iter().take_while(|byte| **byte == b'_').count();
    (symbol.binding, underscores, symbol.name.len(), symbol.name)
}

/// Makes one start of the symbols at one address, the preferred one first.
fn merge<'a>(symbols: &[Symbol<'a>]) -> Start<'a> {
    let name = symbols[0].name;
    let mut aliases: Vec<&[u8]> =
        symbols.iter().map(|symbol| symbol.name).filter(|other| *other != name).collect();
    aliases.sort_unstable();
    aliases.dedup();
    Start {
        address: symbols[0].address,
        size: symbols.iter().map(|symbol| symbol.size).find(|size| *size > 0).unwrap_or(0),
        name: Some(name),
        aliases,
        resolver: symbols.iter().any(|symbol| symbol.resolver),
        external: symbols.iter().any(|symbol| symbol.binding != Binding::Local),
    }
}

/// Adds what only the unwind table knows. Stubs of the linker have unwind tables, too, but are no
/// functions.
fn add_frames(elf: &Elf<'_>, frames: &[Frame], starts: &mut Vec<Start<'_>>) {
    let stubs: Vec<(u64, u64)> = [".plt", ".plt.got", ".plt.sec", ".iplt", ".init", ".fini"]
        .iter()
        .filter_map(|name| elf.section_range(name))
        .collect();
    let is_stub = |address: u64| {
        stubs.iter().any(|(start, size)| address >= *start && address - start < *size)
    };
    let known: Vec<u64> = starts.iter().map(|start| start.address).collect();
    let unknown = frames.iter().filter(|frame| {
        known.binary_search(&frame.address).is_err()
            && !is_stub(frame.address)
            && elf.locate(frame.address).is_some()
    });
    starts.extend(unknown.map(|frame| Start {
        address: frame.address,
        size: frame.size,
        name: None,
        aliases: Vec::new(),
        resolver: false,
        external: false,
    }));
    starts.sort_by_key(|start| start.address);
}

/// The unwind table's range that holds an address.
fn frame_at(frames: &[Frame], address: u64) -> Option<&Frame> {
    let after = frames.partition_point(|frame| frame.address <= address);
    let frame = frames.get(after.checked_sub(1)?)?;
    (address - frame.address < frame.size).then_some(frame)
}

fn unwind_symbols(elf: &Elf<'_>, defined: &[Symbol<'_>]) -> Vec<UnwindSymbol> {
    let mut found: Vec<UnwindSymbol> = defined
        .iter()
        .filter_map(|symbol| {
            let kind = if WALKS.iter().any(|name| symbol.name == name.as_bytes()) {
                UnwindSymbolKind::Walks
            } else if symbol.name == b"__cxa_begin_catch" || is_panic_cleanup(symbol.name) {
                UnwindSymbolKind::Catches
            } else {
                return None;
            };
            let (_, file_offset) = elf.locate(symbol.address)?;
            let symbol = String::from_utf8_lossy(symbol.name).into_owned();
            Some(UnwindSymbol { symbol, kind, file_offset })
        })
        .collect();
    found.sort_by(|a, b| (a.file_offset, &a.symbol).cmp(&(b.file_offset, &b.symbol)));
    found.dedup_by_key(|symbol| symbol.file_offset);
    found
}

/// Rust's catch of a panic; its mangling changed between compilers.
fn is_panic_cleanup(symbol: &[u8]) -> bool {
    const NAME: &str = "__rust_panic_cleanup";
    symbol.windows(NAME.len()).any(|part| part == NAME.as_bytes())
        && std::str::from_utf8(symbol).is_ok_and(|symbol| demangle(symbol).ends_with(NAME))
}

/// The function that a symbol's code was split off, if it was: `foo.cold.1` → `foo`. Compilers
/// write `.cold` and `.part`, BOLT also `.warm`.
fn split_off(symbol: &[u8]) -> Option<&[u8]> {
    [&b".cold"[..], b".part", b".warm"].iter().find_map(|mark| {
        let at = symbol.windows(mark.len()).rposition(|part| part == *mark)?;
        let rest = &symbol[at + mark.len()..];
        let numbered = rest.first() == Some(&b'.')
            && rest[1..].iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
        (at > 0 && (rest.is_empty() || numbered)).then_some(&symbol[..at])
    })
}
