//! What is looked at: the code of a trace, or of a binary.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, bail};
use scope_code::{CodeFunction, CodeMap, Extent, ModuleFile};
use scope_model::{Function, FunctionId, Module, ModuleId, SiteClass};
use scope_store::Trace;
use scope_symbols::ImageFunction;
use scope_symbols::code::CodeCache;
use scope_symbols::glob::Glob;
use scope_symbols::names;
use scope_symbols::sources::SourceMap;

use crate::commands::reading;
use crate::output::progress::Progress;
use crate::record::target::{self, LoadedModule};

/// The code, and the functions that are of interest in it.
pub struct Subject {
    /// As the user named it.
    pub label: String,
    /// The code.
    pub map: CodeMap,
    /// Of a trace the recorded functions, of a binary the project's own, or all where that is unknown.
    pub functions: Vec<Function>,
    /// The files they are in.
    pub modules: Vec<Module>,
    /// What was recorded, if it is a trace.
    pub trace: Option<Trace>,
}

impl Subject {
    /// Opens a trace or a binary; `map` says where the sources of a binary are.
    pub fn open(path: &Path, map: &SourceMap) -> anyhow::Result<Self> {
        let label = path.display().to_string();
        if is_binary(path) {
            let files = target::of_command(path, &[])?;
            let loaded = files.modules.first().context("no file with functions")?;
            let functions = own_functions(loaded);
            let map = of_binary(loaded, &functions, map, Extent::Bodies)?;
            let modules = vec![loaded.module.clone()];
            return Ok(Self { label, map, functions, modules, trace: None });
        }
        let trace = reading::open(path)?;
        Ok(Self {
            label,
            map: CodeMap::of_trace(&trace),
            functions: trace.functions().to_vec(),
            modules: trace.modules().to_vec(),
            trace: Some(trace),
        })
    }

    /// The functions that a pattern names.
    ///
    /// # Errors
    ///
    /// When there is none; says which names are like it.
    pub fn find(&self, pattern: &str) -> anyhow::Result<Vec<&Function>> {
        let glob = Glob::new(pattern);
        let fits = |function: &&Function| {
            names::matches(&glob, &function.name) || glob.matches(&function.symbol)
        };
        let found: Vec<&Function> = self.functions.iter().filter(fits).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let left_out = self.trace.iter().flat_map(Trace::left_out).find(|left_out| {
            names::matches(&glob, &left_out.name) || glob.matches(&left_out.symbol)
        });
        if let Some(left_out) = left_out {
            bail!("{} was not recorded in {}: {}", left_out.name, self.label, left_out.reason);
        }
        let all = self.functions.iter().map(|function| function.name.as_str());
        let nearest = names::nearest(&glob, all);
        let hint = match nearest.is_empty() {
            true if self.trace.is_some() => {
                "scope code TRACE --metrics lists those recorded".to_owned()
            }
            true => "scope list shows all functions".to_owned(),
            false => format!("perhaps {}", nearest.join(", ")),
        };
        bail!("no function {pattern:?} in {}; {hint}", self.label);
    }

    /// The functions that a pattern names, or all.
    ///
    /// # Errors
    ///
    /// As [`Subject::find`].
    pub fn find_or_all(&self, pattern: Option<&str>) -> anyhow::Result<Vec<&Function>> {
        match pattern {
            Some(pattern) => self.find(pattern),
            None => Ok(self.functions.iter().collect()),
        }
    }

    /// Functions with what is known of each: those of one node, such as instances of a generic
    /// function, once. The first of them stands for all.
    ///
    /// # Errors
    ///
    /// When the code map is damaged.
    pub fn by_node<'f>(
        &self,
        functions: &[&'f Function],
    ) -> anyhow::Result<Vec<(&'f Function, CodeFunction)>> {
        let mut seen = std::collections::HashSet::new();
        let mut found = Vec::new();
        for function in functions {
            let code = self.map.function(function)?;
            if code.node_id().is_none_or(|id| seen.insert(id)) {
                found.push((*function, code));
            }
        }
        Ok(found)
    }

    /// Path of the module that holds a function.
    pub fn module(&self, function: &Function) -> Option<&str> {
        self.modules.get(function.module.0 as usize).map(|module| module.path.as_str())
    }
}

/// The code map of a module that was looked at, with progress.
///
/// # Errors
///
/// When it cannot be read.
pub fn of_binary(
    loaded: &LoadedModule,
    functions: &[Function],
    map: &SourceMap,
    extent: Extent,
) -> anyhow::Result<CodeMap> {
    let progress = Mutex::new(Progress::of_units("reading debug information"));
    let cache = CodeCache::of_user();
    let file = ModuleFile {
        id: loaded.module.id,
        path: &loaded.module.path,
        file: &loaded.file,
        debug_files: &loaded.debug_files,
        cache: cache.as_ref(),
        progress: &|so_far| {
            let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
            progress.of(so_far.done, so_far.total);
        },
    };
    Ok(CodeMap::of_binary(&file, functions, map, extent)?)
}

/// Whether a path names an ELF file.
fn is_binary(path: &Path) -> bool {
    let mut magic = [0; 4];
    path.is_file()
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"\x7fELF"
}

/// The functions with code whose source belongs to the project, or all where none does.
fn own_functions(loaded: &LoadedModule) -> Vec<Function> {
    let all = || loaded.image.functions.iter().filter(|function| function.address != 0);
    let own = all().any(|function| function.in_project == Some(true));
    all()
        .filter(|function| !own || function.in_project == Some(true))
        .zip(0..)
        .map(|(function, id)| as_recorded(function, FunctionId(id), loaded.module.id))
        .collect()
}

/// A function of a file as a trace would have it.
pub fn as_recorded(function: &ImageFunction, id: FunctionId, module: ModuleId) -> Function {
    Function {
        id,
        name: function.name.clone(),
        symbol: function.symbol.clone(),
        module,
        address: function.address,
        size: function.size,
        file: function.file.clone(),
        line: function.line,
        site: function.class().unwrap_or(SiteClass::SingleStepped),
        inlined_copies: function.inlined_copies,
    }
}
