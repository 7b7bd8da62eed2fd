//! `cargo xtask bench code`: how long the tables of a binary take to build and to load, how fast
//! sources are parsed and their graphs built, and how fast addresses are looked up; beside
//! tree-sitter's parse alone, and beside `addr2line` and `llvm-symbolizer`.
//!
//! All of it, rivals too, runs on two CPUs. Left out: tools that make graphs of code, such as joern, which
//! is no program that a package manager installs.

pub mod index;
mod lookups;
mod program;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use object::{Object as _, ObjectSection as _};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use scope_symbols::CodeTables;

use super::goals::{self, Goal};
use super::results::Results;
use super::table::Rows;
use crate::project::target_dir;
use sources::Corpus;

/// Functions with code that the program has at least.
const FUNCTIONS: usize = 20_000;
/// Addresses that are looked up in each round.
const LOOKUPS: usize = 10_000;
/// CPUs that are used.
const CPUS: usize = 2;

const GOALS: [(&str, Goal); 3] = [
    ("index_20k_cold_s", Goal::AtMost(3.0)),
    ("index_20k_cached_s", Goal::AtMost(0.2)),
    ("graphs_over_parse", Goal::AtLeast(0.6)),
];

/// Options of `cargo xtask bench code`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Measure this binary, of whatever size, in place of the program that is built.
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
}

/// Runs the bench.
pub fn run(options: &Options, rounds: u32) -> Result<Results> {
    let folder = target_dir().join("bench-code");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let (binary, functions) = match &options.binary {
        Some(binary) => (binary.canonicalize().context("there is no such binary")?, 1),
        None => {
            progress("building a program of 20,000 functions: takes minutes the first time");
            (program::build(&folder, program::LARGE)?, FUNCTIONS)
        }
    };
    let corpus = Corpus::read(&sources::CRATES)?;
    stay_on_two_cpus()?;
    let mut results = Results::default();
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        let load = load.split_whitespace().next().unwrap_or_default().to_owned();
        results.remark(format!("load average before the run: {load}"));
    }
    let effort = Effort { rounds, lookups: LOOKUPS, functions };
    measure(&folder, &binary, &corpus, effort, &mut results)?;
    goals::show("goals", &GOALS, &mut results);
    Ok(results)
}

/// How much is done.
#[derive(Clone, Copy, Debug)]
struct Effort {
    rounds: u32,
    lookups: usize,
    /// Functions that the program must have.
    functions: usize,
}

fn measure(
    folder: &Path,
    binary: &Path,
    corpus: &Corpus,
    effort: Effort,
    results: &mut Results,
) -> Result<()> {
    let cache = folder.join("cache");
    let mut rows = Rows::default();
    index::measure(binary, &cache, effort.rounds, &mut rows, results)?;
    let (tables, _) = index::load(binary, &cache)?;
    describe(&tables, binary, effort, results)?;
    sources::measure(corpus, effort.rounds, &mut rows, results)?;
    lookups::measure(&tables, binary, folder, effort, &mut rows, results)?;
    rows.report(results);
    results.remark("not run: joern and its like, which no package manager installs".to_owned());
    Ok(())
}

/// Adds what the program is to the results.
fn describe(
    tables: &CodeTables,
    binary: &Path,
    effort: Effort,
    results: &mut Results,
) -> Result<()> {
    let functions = tables.functions_with_code();
    ensure!(
        functions >= effort.functions,
        "the program has {functions} functions, fewer than {}",
        effort.functions
    );
    let own = tables.functions().take(functions);
    let own = own.filter(|function| tables.path(&function.declared).contains("/bench-code/"));
    let own = own.count();
    let inlined = tables.inlined_copies().len();
    let bytes = fs::read(binary).with_context(|| format!("cannot read {}", binary.display()))?;
    let file = object::File::parse(&*bytes).context("the program is no ELF file")?;
    let section = file.section_by_name(".debug_info").context("the program has no .debug_info")?;
    let debug_info = section.size() as f64 / f64::from(1 << 20);
    let whole = bytes.len() as f64 / f64::from(1 << 20);
    results.number("binary_functions", functions as f64);
    results.number("binary_own_functions", own as f64);
    results.number("binary_inlined", inlined as f64);
    results.number("binary_debug_info_mib", debug_info);
    results.number("binary_mib", whole);
    results.remark(format!(
        "the binary: {functions} functions with code, {own} of them from its own sources, \
         {inlined} inlined copies, {debug_info:.1} MiB .debug_info of {whole:.1} MiB"
    ));
    Ok(())
}

/// Keeps this process, and all that it starts from now on, on the first two of its CPUs.
pub fn stay_on_two_cpus() -> Result<()> {
    let allowed = sched_getaffinity(None).context("cannot ask for the CPUs of this process")?;
    let mut chosen = CpuSet::new();
    let first = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).take(CPUS);
    first.for_each(|cpu| chosen.set(cpu));
    if (chosen.count() as usize) < CPUS {
        bail!("the bench needs {CPUS} CPUs");
    }
    sched_setaffinity(None, &chosen).context("cannot choose the CPUs of this process")
}

/// Says what goes on.
fn progress(what: &str) {
    eprintln!("{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that any machine must give. The process that measures the index is not a test's.
    const NAMES: [&str; 9] = [
        "binary_functions",
        "binary_inlined",
        "binary_debug_info_mib",
        "parse_mb_per_s",
        "source_mb_per_s",
        "graphs_over_parse",
        "source_functions",
        "scope_lookup_us",
        "scope_frames_at_us",
    ];

    #[test]
    fn a_small_run_yields_the_names_and_rivals_agree() {
        let folder = std::env::temp_dir().join(format!("scope-bench-code-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let binary = program::build(&folder, program::Size { parts: 1, copies: 1 }).unwrap();
        let effort = Effort { rounds: 1, lookups: 500, functions: 800 };
        let (mut results, mut rows) = (Results::default(), Rows::default());
        let cache = folder.join("cache");
        let (tables, from_cache) = index::load(&binary, &cache).unwrap();
        assert!(!from_cache && index::load(&binary, &cache).unwrap().1);
        describe(&tables, &binary, effort, &mut results).unwrap();
        let corpus = Corpus::read(&["indexmap"]).unwrap();
        sources::measure(&corpus, 1, &mut rows, &mut results).unwrap();
        lookups::measure(&tables, &binary, &folder, effort, &mut rows, &mut results).unwrap();
        rows.report(&mut results);
        fs::remove_dir_all(&folder).unwrap();
        let missing: Vec<_> = NAMES.iter().filter(|name| results.get(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        for rival in ["addr2line", "llvm_symbolizer"] {
            let places = results.get(&format!("{rival}_places_agreement"));
            assert!(places.is_none_or(|share| share > 0.95), "{rival}: {places:?}");
        }
    }
}
