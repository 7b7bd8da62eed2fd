//! `scope query`: SQL over traces, one statement or a prompt.

mod prompt;
mod text;

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anstream::StripStream;
use anyhow::{Context, anyhow, bail};
use clap::error::ErrorKind;
use scope_query::{Answer, Bookmark, Format, Input, Limits, Options, QueryError, Session, Stop};
use scope_store::Trace;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::bookmarks::Kept;
use crate::cli::{self, QueryArgs, QueryFormat};
use crate::output;

/// Status of a program that SIGINT ended, as shells have it.
const INTERRUPTED: u8 = 130;

/// Runs the statement, or those that are typed.
pub fn run(args: &QueryArgs) -> anyhow::Result<ExitCode> {
    let (traces, statement) = split(&args.arguments);
    let format = format(args);
    let mut session = open(&traces)?;
    stop_on_interrupt(session.stop())?;
    let limits = Limits { timeout: args.timeout, rows: (args.limit > 0).then_some(args.limit) };
    let asked = Asked { limits, format, timing: args.timing };
    match statement {
        Some(statement) => {
            let binary = matches!(format, QueryFormat::Parquet | QueryFormat::Arrow);
            if binary && args.output.is_none() && io::stdout().is_terminal() {
                bail!("a terminal cannot show this format; give a file with -o FILE");
            }
            match answer(&mut session, &statement, asked, args.output.as_deref()) {
                Err(error) if was_stopped(&error) => {
                    output::error(&error);
                    return Ok(ExitCode::from(INTERRUPTED));
                }
                answered => answered?,
            };
        }
        None if args.output.is_some() => {
            let message = "there is no statement whose answer -o could take";
            cli::wrong_usage("query", ErrorKind::MissingRequiredArgument, message);
        }
        None => prompt::run(&mut session, asked)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The traces and the statement: what is there on disk is a trace.
fn split(arguments: &[String]) -> (Vec<PathBuf>, Option<String>) {
    let paths = |names: &[String]| names.iter().map(PathBuf::from).collect();
    match arguments.split_last() {
        Some((last, traces)) if !traces.is_empty() && !Path::new(last).exists() => {
            (paths(traces), Some(last.clone()))
        }
        _ => (paths(arguments), None),
    }
}

fn format(args: &QueryArgs) -> QueryFormat {
    let by_name = || {
        let extension = args.output.as_ref()?.extension()?;
        Some(match extension.to_str()? {
            "json" => QueryFormat::Json,
            "jsonl" | "ndjson" => QueryFormat::Jsonl,
            "csv" => QueryFormat::Csv,
            "parquet" => QueryFormat::Parquet,
            "arrow" | "arrows" => QueryFormat::Arrow,
            _ => return None,
        })
    };
    match args.json {
        true => QueryFormat::Json,
        false => args.format.or_else(by_name).unwrap_or(QueryFormat::Table),
    }
}

/// A session over traces, with their bookmarks.
///
/// # Errors
///
/// When one cannot be read.
pub fn open(traces: &[PathBuf]) -> anyhow::Result<Session> {
    let mut inputs: Vec<Input> = Vec::new();
    for path in traces {
        let file = path.file_name().map_or(path.as_os_str(), |name| name);
        let base = file.to_string_lossy();
        let base = base.strip_suffix(".scope").unwrap_or(&base);
        // Traces of one name in several folders are told apart by their paths.
        let taken = inputs.iter().any(|input| input.name == base);
        let name = if taken { path.display().to_string() } else { base.to_owned() };
        let mut input = Input::new(name, path);
        input.bookmarks = Arc::new(bookmarks);
        inputs.push(input);
    }
    Ok(Session::open(inputs, Options::default())?)
}

/// The bookmarks of a trace; where they cannot be read there are none.
fn bookmarks(trace: &Trace) -> Vec<Bookmark> {
    let kept = Kept::of(trace).map(|kept| kept.all()).unwrap_or_default();
    kept.into_iter()
        .map(|(name, mark)| Bookmark {
            name,
            event: mark.moment,
            time_ns: mark.t_ns,
            note: mark.note,
        })
        .collect()
}

/// From here on SIGINT stops the statement that runs; the program where it does not heed the first.
fn stop_on_interrupt(stop: Stop) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("cannot listen to signals")?;
    // Before the thread begins: a signal that comes early must not end the program.
    let entered = runtime.enter();
    let mut interrupts = signal(SignalKind::interrupt()).context("cannot listen to signals")?;
    drop(entered);
    let listen = move || {
        runtime.block_on(async {
            while interrupts.recv().await.is_some() {
                if stop.stop() {
                    eprintln!("scope: the query does not let itself be stopped; left as it is");
                    std::process::exit(INTERRUPTED.into());
                }
            }
        });
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listen)
        .context("cannot listen to signals")?;
    Ok(())
}

/// How statements are answered.
#[derive(Clone, Copy, Debug)]
struct Asked {
    limits: Limits,
    format: QueryFormat,
    /// Say how long each took.
    timing: bool,
}

/// What `--timing` says. Its names are a contract: fields are added, never renamed or removed.
#[derive(Debug, Serialize)]
struct Timing {
    /// From the statement to its plan.
    plan_ns: u64,
    /// From there until all rows were written.
    run_ns: u64,
    rows: u64,
    /// The most memory of the process: all, and what is not of files.
    peak_rss_bytes: Option<u64>,
    peak_anonymous_bytes: Option<u64>,
}

/// Runs a statement and writes its answer. Returns how many rows it had.
fn answer(
    session: &mut Session,
    statement: &str,
    asked: Asked,
    file: Option<&Path>,
) -> anyhow::Result<u64> {
    let begun = Instant::now();
    let mut planned = Duration::ZERO;
    let answered = answered(session, statement, asked, file, || planned = begun.elapsed());
    let whole = begun.elapsed();
    if let (Ok(rows), true) = (&answered, asked.timing) {
        let ns = |passed: Duration| u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
        let (resident, of_files) = peak_memory();
        let timing = Timing {
            plan_ns: ns(planned),
            run_ns: ns(whole.saturating_sub(planned)),
            rows: *rows,
            peak_rss_bytes: resident,
            peak_anonymous_bytes: resident
                .zip(of_files)
                .map(|(all, file)| all.saturating_sub(file)),
        };
        writeln!(io::stderr(), "{}", serde_json::to_string(&timing)?)?;
    }
    for note in session.notes() {
        log::warn!("{note}");
    }
    answered
}

/// Bytes that were resident at the most, and that are of files; where the kernel says.
fn peak_memory() -> (Option<u64>, Option<u64>) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()?.checked_mul(1024)
    };
    (field("VmHWM:"), field("RssFile:"))
}

fn answered(
    session: &mut Session,
    statement: &str,
    asked: Asked,
    file: Option<&Path>,
    planned: impl FnOnce(),
) -> anyhow::Result<u64> {
    let answer = session.run(statement, asked.limits).map_err(told)?;
    planned();
    let format = match asked.format {
        QueryFormat::Table => None,
        QueryFormat::Json => Some(Format::Json),
        QueryFormat::Jsonl => Some(Format::JsonLines),
        QueryFormat::Csv => Some(Format::Csv),
        QueryFormat::Parquet => Some(Format::Parquet),
        QueryFormat::Arrow => Some(Format::Arrow),
    };
    let Some(path) = file else {
        return match format {
            None => text::write(answer, &mut output::stdout()).map_err(told),
            Some(format) => data(answer, format, io::stdout()),
        };
    };
    let cannot = || format!("cannot write {}", path.display());
    let write = |file: File| match format {
        // Colours are for terminals.
        None => text::write(answer, &mut BufWriter::new(StripStream::new(file))).map_err(told),
        Some(format) => data(answer, format, file),
    };
    if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        // A pipe or a device: there is nothing to replace.
        return write(OpenOptions::new().write(true).open(path).with_context(cannot)?);
    }
    // Half an answer is none: a file has its name once it is whole.
    let mut partial = OsString::from(path);
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let rows = write(File::create(&partial).with_context(cannot)?).and_then(|rows| {
        fs::rename(&partial, path).with_context(cannot)?;
        Ok(rows)
    });
    if rows.is_err() {
        // The error is what counts; that the rest stays is a smaller one.
        let _ = fs::remove_file(&partial);
    }
    rows
}

fn was_stopped(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<QueryError>(), Some(QueryError::Stopped))
}

/// Writes an answer for other programs.
fn data(answer: Answer, format: Format, out: impl Write + Send) -> anyhow::Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    let rows = answer.write(format, &mut out).map_err(told)?;
    out.flush()?;
    Ok(rows)
}

/// An error in the words of this program; a reader that has gone stays one.
pub fn told(error: QueryError) -> anyhow::Error {
    match error {
        QueryError::Write(error) => error.into(),
        QueryError::TimedOut(after) => {
            let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
            anyhow!(
                "the query was stopped after {}; a longer --timeout gives it more time",
                output::units::duration(after)
            )
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn the_last_argument_is_the_statement_unless_it_is_there() {
        let here = env!("CARGO_MANIFEST_DIR").to_owned();
        let text = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(|one| (*one).to_owned()).collect();
            let (traces, statement) = split(&arguments);
            (traces.len(), statement)
        };
        assert_eq!(text(&[&here]), (1, None));
        assert_eq!(text(&["missing.scope"]), (1, None));
        assert_eq!(text(&[&here, &here]), (2, None));
        assert_eq!(text(&[&here, "select 1"]), (1, Some("select 1".to_owned())));
        assert_eq!(text(&[&here, &here, "select 1"]), (2, Some("select 1".to_owned())));
    }
}
