//! The code of a trace, or of a binary.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustc_hash::FxHashMap;
use scope_model::{Function, ModuleId};
use scope_source::{Language, SourceFile};
use scope_store::{Parts, Trace};
use scope_symbols::sources::SourceMap;
use scope_symbols::{CodeTables, FileBytes};

use crate::constructs::Findings;
use crate::keep::{self, Gather, ModuleFile};
use crate::layouts::{self, Layout, Layouts, LoadedModule};
use crate::lookup::SiteKey;
use crate::sources::{self, SourceNumber, Sources};
use crate::{CallSite, CodeError};

/// Which sources of functions are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Those that they are declared in.
    Declarations,
    /// Also those that their code comes from, what is inlined included.
    Bodies,
}

/// Functions, lines, sources and nodes of the modules of a trace, or of one binary.
///
/// Reads what it is asked for, once. Can be asked from several threads.
#[derive(Debug)]
pub struct CodeMap {
    parts: Option<Parts>,
    tables: Vec<OnceLock<Option<CodeTables>>>,
    layouts: OnceLock<Layouts>,
    sources: OnceLock<Sources>,
    parsed: Mutex<FxHashMap<SourceNumber, Option<Arc<SourceFile>>>>,
    pub(crate) sites: Mutex<FxHashMap<SiteKey, Arc<CallSite>>>,
    pub(crate) findings: Mutex<Findings>,
}

impl CodeMap {
    /// The code that a trace has kept; nothing is read yet.
    #[must_use]
    pub fn of_trace(trace: &Trace) -> Self {
        Self {
            parts: Some(trace.parts()),
            tables: trace.modules().iter().map(|_| OnceLock::new()).collect(),
            layouts: OnceLock::new(),
            sources: OnceLock::new(),
            parsed: Mutex::default(),
            sites: Mutex::default(),
            findings: Mutex::default(),
        }
    }

    /// The code of a binary, with the sources of these functions as they are on this machine.
    ///
    /// # Errors
    ///
    /// When the binary cannot be read.
    pub fn of_binary(
        module: &ModuleFile<'_>,
        functions: &[Function],
        map: &SourceMap,
        extent: Extent,
    ) -> Result<Self, CodeError> {
        let tables = keep::load(module)?;
        let mut gather = Gather::new(map.clone());
        gather.module(module, tables.clone());
        gather.functions(functions);
        if extent == Extent::Bodies {
            gather.bodies(functions);
        }
        gather.read()?;
        let sources = gather.into_sources();
        let only = LoadedModule { module: module.id, bias: 0 };
        let layout = Layout { pid: scope_model::Pid(0), since_ns: 0, modules: vec![only] };
        Ok(Self {
            parts: None,
            tables: vec![OnceLock::from(Some(tables))],
            layouts: OnceLock::from(Layouts::new(vec![layout])),
            sources: OnceLock::from(sources),
            parsed: Mutex::default(),
            sites: Mutex::default(),
            findings: Mutex::default(),
        })
    }

    /// The tables of a module; `None`: the trace has none.
    ///
    /// # Errors
    ///
    /// When they are damaged, or of another version.
    pub fn tables(&self, module: ModuleId) -> Result<Option<&CodeTables>, CodeError> {
        let Some(cell) = self.tables.get(module.0 as usize) else { return Ok(None) };
        if let Some(tables) = cell.get() {
            return Ok(tables.as_ref());
        }
        let name = keep::tables_part(module);
        let tables = self
            .part(&name)?
            .map(|bytes| CodeTables::open(FileBytes::from(bytes)))
            .transpose()
            .map_err(|why| CodeError::part(name, why))?;
        Ok(cell.get_or_init(|| tables).as_ref())
    }

    /// The modules there are: tables may be missing of any.
    pub fn modules(&self) -> impl Iterator<Item = ModuleId> + use<> {
        (0..self.tables.len() as u32).map(ModuleId)
    }

    /// Where modules were loaded.
    ///
    /// # Errors
    ///
    /// When they are damaged.
    pub fn layouts(&self) -> Result<&Layouts, CodeError> {
        if let Some(layouts) = self.layouts.get() {
            return Ok(layouts);
        }
        let bytes = self.part(layouts::PART)?;
        let found =
            bytes.map_or_else(|| Ok(Layouts::default()), |bytes| Layouts::decode(&bytes))?;
        Ok(self.layouts.get_or_init(|| found))
    }

    /// The sources.
    ///
    /// # Errors
    ///
    /// When they are damaged.
    pub fn sources(&self) -> Result<&Sources, CodeError> {
        if let Some(sources) = self.sources.get() {
            return Ok(sources);
        }
        let bytes = self.part(sources::PART)?;
        let found = bytes.map_or_else(|| Ok(Sources::default()), Sources::decode)?;
        Ok(self.sources.get_or_init(|| found))
    }

    /// A source, parsed; `None`: it has no grammar here, or is too large for a tree.
    ///
    /// # Errors
    ///
    /// When its text is damaged.
    pub fn parsed(&self, source: SourceNumber) -> Result<Option<Arc<SourceFile>>, CodeError> {
        let known = |parsed: &FxHashMap<_, Option<Arc<SourceFile>>>| parsed.get(&source).cloned();
        if let Some(file) = known(&self.parsed.lock().unwrap_or_else(PoisonError::into_inner)) {
            return Ok(file);
        }
        // Two threads may parse the same file: rather that than have all wait for one.
        let file = self.parse(source)?;
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(parsed.entry(source).or_insert(file).clone())
    }

    fn parse(&self, source: SourceNumber) -> Result<Option<Arc<SourceFile>>, CodeError> {
        let sources = self.sources()?;
        let Some(entry) = sources.entry(source) else { return Ok(None) };
        let Some(language) = Language::by_name(&entry.language) else { return Ok(None) };
        let text = sources.text(source)?;
        Ok(SourceFile::parse(&entry.name, text, language).ok().map(Arc::new))
    }

    fn part(&self, name: &str) -> Result<Option<Vec<u8>>, CodeError> {
        match &self.parts {
            Some(parts) => Ok(parts.read(name)?),
            None => Ok(None),
        }
    }
}
