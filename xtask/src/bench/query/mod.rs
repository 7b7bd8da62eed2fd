//! `cargo xtask bench query`: how fast SQL over a trace is, beside DuckDB over the Parquet that `scope
//! export` writes of it, and beside SQLite with indexes over the calls of a shorter one.
//!
//! Times of all three are from the statement to its last row, in a process that has opened its data;
//! scope, asked as a person would, is a new process each time and says that time itself. First rows
//! are timed from the start of the process to its end.

mod rivals;
mod scope;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use scope_store::Trace;

use super::code::stay_on_two_cpus;
use super::goals::{self, Goal};
use super::results::Results;
use super::sample::millis;
use super::series::Series;
use super::store::{real, synthetic};
use super::table::Rows;
use crate::project::{cargo, is_root, run as run_command, target_dir, which};
use rivals::Rival;
use scope::Scope;

/// CPUs that all of them may use.
const CPUS: usize = 2;
/// The fewest events that say anything.
const FEWEST: u64 = 100_000;
/// Events of the trace that SQLite gets the calls of: it takes minutes to load more.
const SQLITE_EVENTS: u64 = 10_000_000;
/// How much two ways to count percentiles may differ: three digits, and one rank.
const TOLERANCE: f64 = 0.01;

const GOALS: [(&str, Goal); 6] = [
    ("full_scan_events_per_s", Goal::AtLeast(30e6)),
    ("full_scan_over_duckdb", Goal::AtMost(1.0)),
    ("window_speedup", Goal::AtLeast(20.0)),
    ("join_over_scan", Goal::AtMost(1.5)),
    ("first_rows_ms", Goal::AtMost(50.0)),
    ("peak_rss_mib", Goal::AtMost(512.0)),
];

/// A function, its calls, and the 99th percentile of their durations.
type Row = (i64, i64, Option<i64>);

/// Options of `cargo xtask bench query`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Events of the synthetic trace.
    #[arg(long, default_value_t = 100_000_000, value_name = "N")]
    events: u64,
    /// Ask this trace in place of a synthetic one; it stays as it is.
    #[arg(long, value_name = "TRACE")]
    trace: Option<PathBuf>,
    /// The `scope` to ask, in place of the one that is built.
    #[arg(long, value_name = "FILE")]
    scope: Option<PathBuf>,
    /// Folder for traces and exports; what is put there is removed at the end.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs the bench.
pub fn run(options: &Options, rounds: u32) -> Result<Results> {
    ensure!(options.events >= FEWEST, "a trace of fewer than {FEWEST} events says nothing");
    let scope = match &options.scope {
        Some(scope) => scope.canonicalize().context("there is no such scope")?,
        None => {
            progress("building scope: takes half an hour the first time");
            run_command(cargo().args(["build", "--quiet", "--release", "-p", "tracer-user"]))?;
            target_dir().join("release/scope")
        }
    };
    let folder = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = folder.join(format!("scope-bench-query-{}", std::process::id()));
    fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let mut results = Results::default();
    if let Ok(load) = fs::read_to_string("/proc/loadavg") {
        let load = load.split_whitespace().next().unwrap_or_default().to_owned();
        results.remark(format!("load average before the run: {load}"));
    }
    let measured =
        stay_on_two_cpus().and_then(|()| measure(&folder, options, &scope, rounds, &mut results));
    // Whatever happened, the space is given back.
    let removed = fs::remove_dir_all(&folder);
    measured?;
    removed.context("cannot remove the traces")?;
    Ok(results)
}

fn measure(
    folder: &Path,
    options: &Options,
    scope: &Path,
    rounds: u32,
    results: &mut Results,
) -> Result<()> {
    let trace = match &options.trace {
        Some(trace) => trace.clone(),
        None => {
            progress(&format!("writing {} events", options.events));
            synthetic::stream(&folder.join("long.scope"), options.events)?
        }
    };
    // The numbers of functions of a made-up trace stand for their complexity, which they have not.
    let question = Question::of(&trace, "f.line > 1000")?;
    ask("", &question, scope, folder, rounds, results)?;
    if options.trace.is_none() {
        fs::remove_dir_all(&trace)?;
    }
    sqlite(scope, folder, options.events.min(SQLITE_EVENTS), rounds, results)?;
    recorded(scope, folder, rounds, results)?;
    goals::show("the goals, at 1e8 events", &GOALS, results);
    Ok(())
}

/// What is asked of a trace.
#[derive(Debug)]
struct Question {
    trace: PathBuf,
    events: u64,
    /// A hundredth of its time, in its middle, ns.
    window: (u64, u64),
    /// Of functions: about half of them.
    complex: &'static str,
}

impl Question {
    fn of(path: &Path, complex: &'static str) -> Result<Self> {
        let trace = Trace::open(path)?;
        let events = trace.end_event()? - trace.first_event();
        let last = trace.block_count()?.checked_sub(1).context("the trace has no events")?;
        let length = trace.block_info(last)?.last_ns - trace.manifest().start_ns;
        let from = length / 2;
        let window = (from, from + length / 100);
        Ok(Self { trace: path.to_owned(), events, window, complex })
    }

    /// Calls and a percentile of each function: of all, of the window, or of complex functions.
    fn statement(&self, percentile: &str, part: Part) -> String {
        let select = format!("count(*) as calls, {percentile} as p99");
        match part {
            Part::All => format!("select function_id, {select} from calls group by function_id"),
            Part::Window => {
                let (from, to) = self.window;
                let within = format!("start >= {from} and start < {to}");
                format!(
                    "select function_id, {select} from calls where {within} group by function_id"
                )
            }
            Part::Join => format!(
                "select f.id, {select} from calls join functions f on f.id = function_id \
                 where {} group by f.id",
                self.complex
            ),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    All,
    Window,
    Join,
}

const PARTS: [(&str, Part); 3] =
    [("full_scan", Part::All), ("window", Part::Window), ("join", Part::Join)];
/// scope's percentile is of three digits; DuckDB has an exact one and an approximate one.
const OURS: &str = "percentile(duration, 0.99)";
const THEIRS: [(&str, &str); 2] = [
    ("exact", "quantile_disc(duration, 0.99)"),
    ("approximate", "approx_quantile(duration, 0.99)"),
];

/// Asks scope and DuckDB in turn; the names of the numbers begin with `prefix`.
fn ask(
    prefix: &str,
    question: &Question,
    program: &Path,
    folder: &Path,
    rounds: u32,
    results: &mut Results,
) -> Result<()> {
    let scope = Scope { program, trace: question.trace.clone() };
    let tables = folder.join("tables");
    progress("exporting to Parquet");
    let mut export = Command::new(program);
    export.arg("export").arg(&question.trace).args(["--to", "parquet", "-o"]).arg(&tables);
    run_command(export.stdin(Stdio::null()).stdout(Stdio::null()))?;
    results.number(&format!("{prefix}events"), question.events as f64);
    results.number(&format!("{prefix}trace_bytes"), synthetic::bytes_of(&question.trace)? as f64);
    results.number(&format!("{prefix}parquet_bytes"), synthetic::bytes_of(&tables)? as f64);
    let mut duckdb = match Rival::duckdb(&tables)? {
        Ok(rival) => Some(rival),
        Err(why) => {
            results.remark(format!("not run: DuckDB: {why}"));
            None
        }
    };
    progress("asking scope and DuckDB");
    let mut rows = Rows::default();
    let mut times: BTreeMap<String, Series> = BTreeMap::new();
    let (mut anonymous, mut resident) = (0.0_f64, 0.0_f64);
    for _ in 0..rounds {
        for (name, part) in PARTS {
            let answer = scope.ask(&question.statement(OURS, part))?;
            let ours = answer.rows()?;
            ensure!(!ours.is_empty(), "no function was called: {name}");
            anonymous = anonymous.max(answer.anonymous_mib);
            resident = resident.max(answer.resident_mib);
            let seconds = answer.engine.as_secs_f64();
            times.entry(name.to_owned()).or_default().push(seconds);
            rows.push(&format!("{prefix}{name}_s"), seconds, "s");
            rows.push(&format!("{prefix}{name}_process_s"), answer.process.as_secs_f64(), "s");
            // An export has no metrics: the join of a recorded program is scope's alone.
            let Some(duckdb) = duckdb.as_mut().filter(|_| prefix.is_empty() || part != Part::Join)
            else {
                continue;
            };
            for (how, percentile) in THEIRS {
                let (passed, theirs) = duckdb.ask(&question.statement(percentile, part))?;
                agree(&ours, &theirs, how == "exact")
                    .with_context(|| format!("scope and DuckDB disagree: {name}"))?;
                let name = format!("{name}_duckdb_{how}");
                times.entry(name.clone()).or_default().push(passed.as_secs_f64());
                rows.push(&format!("{prefix}{name}_s"), passed.as_secs_f64(), "s");
            }
        }
        let first = scope.ask("select * from calls limit 10")?;
        ensure!(first.printed.lines().count() == 11, "a statement gave other than ten rows");
        rows.push(&format!("{prefix}first_rows_ms"), millis(first.process), "ms");
    }
    fs::remove_dir_all(&tables)?;
    let time = |name: &str| times.get(name).and_then(Series::median);
    let full = time("full_scan").context("at least one round is run")?;
    let mut single = |name: &str, value: Option<f64>, unit: &str| {
        if let Some(value) = value {
            results.single(&format!("{prefix}{name}"), value, unit);
        }
    };
    single("full_scan_events_per_s", Some(question.events as f64 / full), "/s");
    for (name, _) in PARTS {
        let theirs = THEIRS.iter().filter_map(|(how, _)| time(&format!("{name}_duckdb_{how}")));
        let fastest = theirs.reduce(f64::min);
        let ratio = fastest.zip(time(name)).map(|(theirs, ours)| ours / theirs);
        single(&format!("{name}_over_duckdb"), ratio, "of the faster of its percentiles");
    }
    single("window_speedup", time("window").map(|window| full / window), "");
    single("join_over_scan", time("join").map(|join| join / full), "");
    single("peak_rss_mib", Some(anonymous), "MiB, not of files");
    single("peak_rss_with_files_mib", Some(resident), "MiB, pages of the trace included");
    rows.report(results);
    Ok(())
}

/// Whether two answers are of the same calls, and say the same of them.
fn agree(ours: &[Row], theirs: &[Row], exact: bool) -> Result<()> {
    let by_function = |rows: &[Row]| -> BTreeMap<i64, (i64, Option<i64>)> {
        rows.iter().map(|(id, calls, p99)| (*id, (*calls, *p99))).collect()
    };
    let (ours, theirs) = (by_function(ours), by_function(theirs));
    ensure!(ours.len() == theirs.len(), "{} functions and {}", ours.len(), theirs.len());
    for (id, (calls, p99)) in &ours {
        let (their_calls, their_p99) = theirs.get(id).context("another function")?;
        ensure!(calls == their_calls, "{calls} calls and {their_calls} of function {id}");
        // What DuckDB approximates may be far off where calls are few.
        if let (Some(ours), Some(theirs), true) = (p99, their_p99, exact) {
            let off = (ours - theirs).abs() as f64 / (*theirs as f64).max(1.0);
            // Of few calls one rank is a step.
            ensure!(off < TOLERANCE || *calls < 10_000, "p99 {ours} and {theirs} of function {id}");
        }
    }
    Ok(())
}

/// SQLite with indexes, and scope, on a trace of its own.
fn sqlite(
    program: &Path,
    folder: &Path,
    events: u64,
    rounds: u32,
    results: &mut Results,
) -> Result<()> {
    progress(&format!("writing {events} events, and loading their calls into SQLite"));
    let trace = synthetic::stream(&folder.join("short.scope"), events)?;
    let question = Question::of(&trace, "f.line > 1000")?;
    let scope = Scope { program, trace: trace.clone() };
    let all = scope.ask("select function_id, start, duration from calls")?;
    let csv = folder.join("calls.csv");
    let (_, lines) = all.printed.split_once('\n').context("CSV has a head")?;
    fs::write(&csv, lines)?;
    drop(all);
    let mut sqlite = match Rival::sqlite(&csv, &folder.join("calls.sqlite"))? {
        Ok(rival) => rival,
        Err(why) => {
            results.remark(format!("not run: SQLite: {why}"));
            return Ok(());
        }
    };
    let mut rows = Rows::default();
    let mut ratios: BTreeMap<&str, (Series, Series)> = BTreeMap::new();
    for _ in 0..rounds {
        for (name, part) in [("full_scan", Part::All), ("window", Part::Window)] {
            let answer = scope.ask(&question.statement(OURS, part))?;
            let (from, to) = match part {
                Part::Window => question.window,
                _ => (0, i64::MAX as u64),
            };
            let (passed, theirs) = sqlite.ask(&format!(
                "select function_id, max(calls), min(duration) filter (where place >= 0.99 * known) from (\
                 select function_id, duration, \
                 count(*) over (partition by function_id) as calls, \
                 count(duration) over (partition by function_id) as known, \
                 sum(duration is not null) over (partition by function_id order by duration rows unbounded preceding) as place \
                 from calls where start >= {from} and start < {to}) group by function_id"
            ))?;
            agree(&answer.rows()?, &theirs, true)
                .with_context(|| format!("scope and SQLite disagree: {name}"))?;
            let of = ratios.entry(name).or_default();
            of.0.push(answer.engine.as_secs_f64());
            of.1.push(passed.as_secs_f64());
            rows.push(&format!("{name}_sqlite_s"), passed.as_secs_f64(), "s");
            rows.push(&format!("{name}_beside_sqlite_s"), answer.engine.as_secs_f64(), "s");
        }
    }
    rows.report(results);
    for (name, (ours, theirs)) in ratios {
        if let Some((ours, theirs)) = ours.median().zip(theirs.median()) {
            let unit = format!("at {events} events, two indexes, one thread");
            results.single(&format!("{name}_over_sqlite"), ours / theirs, &unit);
        }
    }
    fs::remove_dir_all(&trace)?;
    Ok(())
}

/// A recording of a real program, joined with what its sources say.
fn recorded(program: &Path, folder: &Path, rounds: u32, results: &mut Results) -> Result<()> {
    for (missing, what) in [(!is_root(), "root"), (which("cc").is_none(), "a C compiler")] {
        if missing {
            results.remark(format!("not run: the recorded trace, which needs {what}"));
            return Ok(());
        }
    }
    progress("recording a real program");
    let folder = folder.join("real");
    fs::create_dir(&folder)?;
    let trace = folder.join("real.scope");
    real::record(program, &real::Program::build(&folder)?, &trace)?;
    let question = Question::of(&trace, "f.cyclomatic > 3")?;
    ask("real_", &question, program, &folder, rounds, results)
}

/// Says what goes on.
fn progress(what: &str) {
    eprintln!("{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_agree_on_calls_exactly_and_on_percentiles_nearly() {
        let ours = [(1, 20_000, Some(1_000)), (2, 3, None)];
        assert!(agree(&ours, &[(2, 3, None), (1, 20_000, Some(1_004))], true).is_ok());
        assert!(agree(&ours, &[(2, 3, None), (1, 20_000, Some(1_100))], true).is_err());
        assert!(agree(&ours, &[(2, 4, None), (1, 20_000, Some(1_000))], false).is_err());
        assert!(agree(&ours, &ours[..1], false).is_err());
    }

    #[test]
    fn a_window_is_a_hundredth_in_the_middle() {
        let folder = std::env::temp_dir().join(format!("scope-bench-q-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let trace = synthetic::stream(&folder.join("t.scope"), FEWEST).unwrap();
        let question = Question::of(&trace, "true").unwrap();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(question.events, FEWEST);
        let (from, to) = question.window;
        assert!((from.div_ceil(50)).abs_diff(to - from) <= 1, "{from} {to}");
        let statement = question.statement(OURS, Part::Window);
        assert!(statement.contains(&format!("start >= {from} and start < {to}")), "{statement}");
    }
}
