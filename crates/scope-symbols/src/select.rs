//! Which functions of a target are probed.
//!
//! A selection as a person writes it becomes a [`Plan`]: the probes, what was left out and why, and
//! remarks. Nothing is dropped silently: what matched and is not probed is in `left_out`.

use scope_model::{Function, FunctionId, LeftOut, ModuleId, SiteClass};

use crate::glob::Glob;
use crate::image::{Image, ImageFunction};
use crate::names;
use crate::reason::Reason;
use crate::site::Site;

/// A single-stepped function of at most this many bytes is left out unless asked for.
const SMALL: u64 = 64;

/// What a user asked for. Empty: the project's own functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Patterns of readable or linkage names; widens beyond the project.
    pub functions: Vec<Glob>,
    /// Patterns of names that are not to be probed.
    pub exclude: Vec<Glob>,
    /// Patterns of source files; widens beyond the project.
    pub files: Vec<Glob>,
    /// Modules besides the main executable: file names (`libfoo` is `libfoo.so.1`, too), paths or
    /// patterns.
    pub modules: Vec<String>,
    /// Everything that can be probed, whatever it costs.
    pub all: bool,
    /// Most functions to probe.
    pub max_functions: Option<usize>,
}

/// What will be probed.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The probes; a function's id is its index here.
    pub chosen: Vec<Chosen>,
    /// Functions that matched and are not probed.
    pub left_out: Vec<LeftOut>,
    /// Remarks for the user, each a sentence.
    pub notes: Vec<String>,
}

/// A function that will be probed.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Index into the images.
    pub image: usize,
    /// Index into the image's functions.
    pub index: usize,
    /// File offset of the entry probe.
    pub file_offset: u64,
    /// Where the probe is in the function.
    pub site: Site,
    /// The function as the trace stores it.
    pub function: Function,
}

/// Why there is no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A pattern of `functions` matches nothing.
    #[error("no function matches {pattern}{}", suggest(nearest, elsewhere))]
    NothingMatches {
        /// The pattern.
        pattern: String,
        /// Readable names close to it.
        nearest: Vec<String>,
        /// Mapped modules that were not named and have a match.
        elsewhere: Vec<String>,
    },
    /// A pattern of `files` matches no source file.
    #[error("no source file matches {pattern}")]
    NoSuchFile {
        /// The pattern.
        pattern: String,
    },
    /// A module is not mapped.
    #[error("no mapped file is called {module}; there are {}", mapped.join(", "))]
    NoSuchModule {
        /// The name.
        module: String,
        /// Names of the mapped files.
        mapped: Vec<String>,
    },
}

fn suggest(nearest: &[String], elsewhere: &[String]) -> String {
    let mut text = String::new();
    if !elsewhere.is_empty() {
        text += &format!("; {} has it (add it with --module)", elsewhere.join(" and "));
    } else if !nearest.is_empty() {
        text += &format!("; nearest: {}", nearest.join(", "));
    }
    text
}

impl Selection {
    /// Whether `modules` names a file.
    #[must_use]
    pub fn names_module(&self, path: &str) -> bool {
        self.modules.iter().any(|module| is_module(module, path))
    }

    fn excludes(&self, function: &ImageFunction) -> bool {
        self.exclude.iter().any(|pattern| fits(pattern, function))
    }
}

/// Whether a user's word for a module means a path.
fn is_module(module: &str, path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let glob = Glob::new(module);
    glob.matches(path)
        || glob.matches(name)
        || name.strip_prefix(module).is_some_and(|rest| {
            let version = rest.strip_prefix('-').unwrap_or_default();
            rest.starts_with(".so") || version.starts_with(|first: char| first.is_ascii_digit())
        })
}

fn fits(pattern: &Glob, function: &ImageFunction) -> bool {
    names::matches(pattern, &function.name)
        || (function.symbol != function.name && pattern.matches(&function.symbol))
        || function.aliases.iter().any(|alias| {
            pattern.matches(alias)
                || (alias.starts_with('_') && names::matches(pattern, &names::demangle(alias)))
        })
}

/// How a function came into the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    No,
    /// By default or by a pattern.
    Loosely,
    /// By its own name.
    ByName,
}

/// Chooses what to probe: in the main executable and in the modules that the selection names.
///
/// # Errors
///
/// When a pattern or a module name matches nothing.
pub fn plan(
    images: &[(ModuleId, &Image)],
    main: ModuleId,
    selection: &Selection,
) -> Result<Plan, PlanError> {
    check_modules(images, selection)?;
    let considered =
        |id: ModuleId, image: &Image| id == main || selection.names_module(&image.path);
    let mut plan = Plan::default();
    let mut matched = vec![false; selection.functions.len()];
    let mut matched_files = vec![false; selection.files.len()];
    for (index, (id, image)) in images.iter().enumerate() {
        if !considered(*id, image) {
            continue;
        }
        let own = image
            .functions
            .iter()
            .any(|function| function.address != 0 && function.in_project == Some(true));
        for (at, function) in image.functions.iter().enumerate() {
            let wanted = wanted(function, own, selection, &mut matched, &mut matched_files);
            if wanted == Wanted::No {
                continue;
            }
            match judge(function, wanted, selection) {
                Ok(site) => plan.chosen.push(chosen(index, at, *id, function, site)),
                Err(reason) => plan.leave_out(function, &reason),
            }
        }
        if image.is_go {
            plan.notes.push(format!("{} is a Go program, which cannot be traced yet", image.path));
        }
    }
    if let Some(at) = matched.iter().position(|matched| !matched) {
        let pattern = &selection.functions[at];
        return Err(PlanError::NothingMatches {
            pattern: pattern.pattern().to_owned(),
            nearest: nearest(images, &considered, pattern),
            elsewhere: elsewhere(images, &considered, pattern),
        });
    }
    if let Some(at) = matched_files.iter().position(|matched| !matched) {
        return Err(PlanError::NoSuchFile { pattern: selection.files[at].pattern().to_owned() });
    }
    plan.limit(images, selection);
    plan.number();
    plan.remark(images);
    Ok(plan)
}

fn check_modules(images: &[(ModuleId, &Image)], selection: &Selection) -> Result<(), PlanError> {
    for module in &selection.modules {
        if !images.iter().any(|(_, image)| is_module(module, &image.path)) {
            let name = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
            return Err(PlanError::NoSuchModule {
                module: module.clone(),
                mapped: images.iter().map(|(_, image)| name(&image.path)).collect(),
            });
        }
    }
    Ok(())
}

fn wanted(
    function: &ImageFunction,
    own: bool,
    selection: &Selection,
    matched: &mut [bool],
    matched_files: &mut [bool],
) -> Wanted {
    let mut by_file = selection.files.is_empty();
    for (pattern, matched) in selection.files.iter().zip(matched_files) {
        if function.file.as_deref().is_some_and(|file| pattern.matches_path(file)) {
            *matched = true;
            by_file = true;
        }
    }
    let imported = function.site == Err(Reason::Imported);
    let mut best = Wanted::No;
    for (pattern, matched) in selection.functions.iter().zip(matched) {
        if fits(pattern, function) {
            // A stub alone is no match: the error then says which module has the function.
            *matched |= !imported;
            if pattern.is_literal() {
                best = Wanted::ByName;
            } else if best == Wanted::No {
                best = Wanted::Loosely;
            }
        }
    }
    match (selection.functions.is_empty(), selection.files.is_empty()) {
        _ if !by_file => Wanted::No,
        (false, _) => best,
        (true, _) if imported => Wanted::No,
        (true, false) => Wanted::Loosely,
        (true, true) if selection.all => Wanted::Loosely,
        (true, true) if own && function.in_project == Some(true) => Wanted::Loosely,
        (true, true) if !own && function.in_project != Some(false) => Wanted::Loosely,
        _ => Wanted::No,
    }
}

fn judge(function: &ImageFunction, wanted: Wanted, selection: &Selection) -> Result<Site, Reason> {
    if selection.excludes(function) {
        return Err(Reason::Excluded);
    }
    let site = function.site.clone()?;
    if selection.all || wanted == Wanted::ByName {
        return Ok(site);
    }
    if is_glue(&function.symbol) {
        return Err(Reason::RuntimeGlue);
    }
    if site.loops_to_start {
        return Err(Reason::LoopsToStart);
    }
    if site.class == SiteClass::SingleStepped && function.size <= SMALL {
        return Err(Reason::SmallSingleStepped { size: function.size });
    }
    Ok(site)
}

/// Code that every program carries and nobody wrote.
fn is_glue(symbol: &str) -> bool {
    matches!(
        symbol,
        "_start"
            | "_init"
            | "_fini"
            | "frame_dummy"
            | "register_tm_clones"
            | "deregister_tm_clones"
            | "__do_global_dtors_aux"
            | "__do_global_ctors_aux"
            | "__libc_csu_init"
            | "__libc_csu_fini"
            | "__libc_start_main"
            | "__libc_start_call_main"
            | "_dl_relocate_static_pie"
            | "__gmon_start__"
    ) || symbol.starts_with("_GLOBAL__sub_I_")
        || symbol.starts_with("__x86.get_pc_thunk")
}

fn chosen(
    image: usize,
    index: usize,
    module: ModuleId,
    function: &ImageFunction,
    site: Site,
) -> Chosen {
    Chosen {
        image,
        index,
        file_offset: function.file_offset.saturating_add(site.offset),
        site,
        function: Function {
            id: FunctionId(0),
            name: function.name.clone(),
            symbol: function.symbol.clone(),
            module,
            address: function.address,
            size: function.size,
            file: function.file.clone(),
            line: function.line,
            site: site.class,
            inlined_copies: function.inlined_copies,
        },
    }
}

impl Plan {
    fn leave_out(&mut self, function: &ImageFunction, reason: &Reason) {
        self.left_out.push(LeftOut {
            name: function.name.clone(),
            symbol: function.symbol.clone(),
            reason: reason.to_string(),
        });
    }

    /// Keeps the cheapest sites, among those the longest functions.
    fn limit(&mut self, images: &[(ModuleId, &Image)], selection: &Selection) {
        let Some(limit) = selection.max_functions.filter(|limit| *limit < self.chosen.len()) else {
            return;
        };
        self.chosen.sort_by_key(|chosen| {
            (chosen.site.class, std::cmp::Reverse(chosen.function.size), chosen.image, chosen.index)
        });
        for chosen in self.chosen.split_off(limit) {
            let function = &images[chosen.image].1.functions[chosen.index];
            self.leave_out(function, &Reason::OverLimit { limit });
        }
        self.chosen.sort_by_key(|chosen| (chosen.image, chosen.index));
    }

    fn number(&mut self) {
        for (id, chosen) in (0..).zip(&mut self.chosen) {
            chosen.function.id = FunctionId(id);
        }
    }

    fn remark(&mut self, images: &[(ModuleId, &Image)]) {
        let partly = self.chosen.iter().filter(|chosen| chosen.function.inlined_copies > 0).count();
        if partly > 0 {
            self.notes.push(format!(
                "{partly} of the chosen functions also exist as inlined copies, whose calls are not seen"
            ));
        }
        let looping = self.chosen.iter().filter(|chosen| chosen.site.loops_to_start);
        for chosen in looping {
            self.notes.push(format!(
                "{}: its loop jumps back to its first instruction, so each turn counts as a call",
                chosen.function.name
            ));
        }
        for (_, image) in images {
            if image.has_split_dwarf
                && self.chosen.iter().any(|c| images[c.image].1.path == image.path)
            {
                self.notes.push(format!(
                    "{}: its debug information is in .dwo files, which are not read: functions \
                     lack files and lines",
                    image.path
                ));
            }
        }
    }
}

/// The readable names closest to a pattern, the best first.
fn nearest(
    images: &[(ModuleId, &Image)],
    considered: &dyn Fn(ModuleId, &Image) -> bool,
    pattern: &Glob,
) -> Vec<String> {
    let candidates = images
        .iter()
        .filter(|(id, image)| considered(*id, image))
        .flat_map(|(_, image)| &image.functions)
        .filter(|function| function.site != Err(Reason::Imported))
        .map(|function| &*function.name);
    names::nearest(pattern, candidates)
}

/// Mapped files outside the selection that have a match.
fn elsewhere(
    images: &[(ModuleId, &Image)],
    considered: &dyn Fn(ModuleId, &Image) -> bool,
    pattern: &Glob,
) -> Vec<String> {
    let has = |image: &Image| {
        image.functions.iter().any(|function| function.address != 0 && fits(pattern, function))
    };
    images
        .iter()
        .filter(|(id, image)| !considered(*id, image) && has(image))
        .map(|(_, image)| image.path.rsplit('/').next().unwrap_or(&image.path).to_owned())
        .collect()
}
