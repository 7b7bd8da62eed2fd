//! Keeping the code of a recording: tables of its modules, where they were loaded, its sources.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::time::SystemTime;

use rayon::prelude::*;
use scope_model::{Function, ModuleId};
use scope_source::{Language, project_path};
use scope_store::write_part;
use scope_symbols::code::{
    self, CodeCache, FileNumber, FunctionNumber, Place, Progress, load_code,
};
use scope_symbols::sources::{FoundSource, SourceMap, find_source};
use scope_symbols::{CodeTables, DebugFiles};

use crate::CodeError;
use crate::layouts::{self, Layout, Layouts};
use crate::sources::{self, Freshness, NewSource, Sources};

/// The part of a trace that holds the tables of a module.
pub(crate) fn tables_part(module: ModuleId) -> String {
    format!("tables-{}", module.0)
}

/// A file whose code is wanted.
pub struct ModuleFile<'m> {
    /// Its number in the trace.
    pub id: ModuleId,
    /// Its path, as errors name it.
    pub path: &'m str,
    /// The file itself.
    pub file: &'m File,
    /// Where its debug files are looked for.
    pub debug_files: &'m DebugFiles,
    /// Where tables are kept from one time to the next.
    pub cache: Option<&'m CodeCache>,
    /// Is told while tables are built.
    pub progress: &'m (dyn Fn(Progress) + Sync),
}

impl std::fmt::Debug for ModuleFile<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModuleFile").field("id", &self.id).field("path", &self.path).finish()
    }
}

pub(crate) fn load(module: &ModuleFile<'_>) -> Result<CodeTables, CodeError> {
    let ModuleFile { path, file, debug_files, cache, progress, .. } = module;
    Ok(load_code(path, file, debug_files, *cache, progress)?.tables)
}

/// Writes the code of a recording into its trace, while it is recorded or after.
#[derive(Debug)]
pub struct Keeper {
    trace: PathBuf,
    gather: Gather,
}

impl Keeper {
    /// For the trace in a folder; sources are looked for where the map says.
    #[must_use]
    pub fn new(trace: impl Into<PathBuf>, map: SourceMap) -> Self {
        Self { trace: trace.into(), gather: Gather::new(map) }
    }

    /// Writes the tables of a module.
    ///
    /// # Errors
    ///
    /// When the module cannot be read, or the trace not written.
    pub fn module(&mut self, module: &ModuleFile<'_>) -> Result<(), CodeError> {
        let tables = load(module)?;
        write_part(&self.trace, &tables_part(module.id), tables.as_bytes())?;
        self.gather.module(module, tables);
        Ok(())
    }

    /// Writes where modules were loaded, the target's first layout before all others.
    ///
    /// # Errors
    ///
    /// When the trace cannot be written.
    pub fn layouts(&self, all: &[Layout]) -> Result<(), CodeError> {
        write_part(&self.trace, layouts::PART, &Layouts::encode(all)?)?;
        Ok(())
    }

    /// Asks for the sources of functions, and of calls by their return addresses in their module.
    pub fn want(&mut self, functions: &[Function], sites: &[(ModuleId, u64)]) {
        self.gather.functions(functions);
        self.gather.sites(sites);
    }

    /// Writes the sources that were asked for; those that were read before are not read again.
    ///
    /// # Errors
    ///
    /// When the trace cannot be written. A source that is not there is none.
    pub fn sources(&mut self) -> Result<(), CodeError> {
        let content = self.gather.read()?.encode()?;
        write_part(&self.trace, sources::PART, &content)?;
        Ok(())
    }
}

/// Finds out which sources are wanted, and reads them.
#[derive(Debug)]
pub(crate) struct Gather {
    map: SourceMap,
    modules: Vec<GatheredModule>,
    sources: Sources,
}

#[derive(Debug)]
struct GatheredModule {
    id: ModuleId,
    tables: CodeTables,
    modified: Option<SystemTime>,
    /// Files that are wanted and not read yet, with the language of a unit that names them.
    wanted: BTreeMap<FileNumber, code::Language>,
}

impl Gather {
    pub(crate) fn new(map: SourceMap) -> Self {
        Self { map, modules: Vec::new(), sources: Sources::default() }
    }

    pub(crate) fn module(&mut self, module: &ModuleFile<'_>, tables: CodeTables) {
        let modified = module.file.metadata().and_then(|metadata| metadata.modified()).ok();
        let id = module.id;
        self.modules.push(GatheredModule { id, tables, modified, wanted: BTreeMap::new() });
    }

    /// The files in which functions are declared.
    pub(crate) fn functions(&mut self, functions: &[Function]) {
        for function in functions {
            if let Some(module) = self.of(function.module)
                && let Some(found) = module.tables.function_at(function.address)
            {
                let (place, language) = (found.declared, found.language);
                module.want(&place, language);
            }
        }
    }

    /// The files that the code of functions comes from, what is inlined included.
    pub(crate) fn bodies(&mut self, functions: &[Function]) {
        for function in functions {
            let Some(module) = self.of(function.module) else { continue };
            let Some(found) = module.tables.function_at(function.address) else { continue };
            let (number, language) = (found.number, found.language);
            let places: Vec<Place> =
                module.tables.lines_of(number).map(|line| line.place).collect();
            places.iter().for_each(|place| module.want(place, language));
        }
    }

    /// The files in which calls are made.
    pub(crate) fn sites(&mut self, sites: &[(ModuleId, u64)]) {
        for (module, return_address) in sites {
            let Some(module) = self.of(*module) else { continue };
            let frames = module.tables.call_site(*return_address);
            let frames: Vec<(Place, FunctionNumber)> =
                frames.iter().map(|frame| (frame.place, frame.function)).collect();
            for (place, function) in frames {
                let function = module.tables.function(function);
                let language = function.map_or(code::Language::Other(0), |found| found.language);
                module.want(&place, language);
            }
        }
    }

    /// Reads what is wanted; all that was read so far.
    pub(crate) fn read(&mut self) -> Result<&Sources, CodeError> {
        for module in &mut self.modules {
            let wanted: Vec<_> = std::mem::take(&mut module.wanted).into_iter().collect();
            let found: Vec<_> = wanted
                .par_iter()
                .filter_map(|(number, language)| {
                    let file = module.tables.file(*number)?;
                    let found = find_source(&self.map, &file, module.modified);
                    Some((file, *language, found))
                })
                .collect();
            for (file, language, found) in found {
                add(&mut self.sources, &file, language, &found)?;
            }
        }
        Ok(&self.sources)
    }

    /// All that was read.
    pub(crate) fn into_sources(self) -> Sources {
        self.sources
    }

    fn of(&mut self, id: ModuleId) -> Option<&mut GatheredModule> {
        self.modules.iter_mut().find(|module| module.id == id)
    }
}

impl GatheredModule {
    fn want(&mut self, place: &Place, language: code::Language) {
        if let Some(file) = place.file {
            self.wanted.entry(file).or_insert(language);
        }
    }
}

fn add(
    sources: &mut Sources,
    file: &code::SourceFile<'_>,
    language: code::Language,
    found: &FoundSource,
) -> Result<(), CodeError> {
    let freshness = Freshness::of(found, file.md5.is_some());
    let (Some(freshness), Some(text)) = (freshness, &found.contents) else { return Ok(()) };
    let by_path = Language::by_path(file.path).map_or("", Language::name);
    let language = match (by_path, language) {
        // A header is of the language that includes it.
        ("c", code::Language::Cpp) => "cpp",
        (known, _) => known,
    };
    let name = project_path(file.path, file.compiled_in);
    sources.add(NewSource { path: file.path, name, language, freshness, text })
}
