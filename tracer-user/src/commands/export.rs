//! `scope export`: a trace in another tool's format.
//!
//! A file appears under its name when it is whole: until then it is `NAME.partial`. What a reader must
//! know before trusting the numbers (losses, calls that had not ended) is printed as well, since not
//! every format can say it: with a file to standard output, else to standard error.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::error::ErrorKind;
use scope_export::folded::Time;
use scope_export::{Error, Summary, Window, chrome, firefox, folded, otlp, perfetto, speedscope};
use scope_model::Tid;
use scope_store::{BlockFilter, Direction};
use scope_timeline::{Place, Timeline};

use super::reading;
use crate::cli::{ExportArgs, ExportFormat, ExportTime, ExportTo, wrong_usage};
use crate::output::progress::Progress;
use crate::output::{self, units};

/// Bytes that are written at once.
const BUFFER: usize = 1 << 18;

/// Writes the export.
pub fn run(args: &ExportArgs) -> anyhow::Result<ExitCode> {
    let trace = reading::open(&args.trace)?;
    let mut progress = Progress::new("exporting", None);
    let summary =
        export(&Timeline::new(&trace), args, &mut |done, whole| progress.of(done, whole))?;
    drop(progress);
    tell(args, &summary)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the export of a trace that is open; `progress` is told the events done, and all there are.
///
/// # Errors
///
/// Why it cannot be written. A file is there as a whole, or not at all.
pub fn export(
    timeline: &Timeline<'_>,
    args: &ExportArgs,
    progress: &mut dyn FnMut(u64, u64),
) -> anyhow::Result<Summary> {
    let (format, to) = destination(args);
    let window = window(timeline, args, to)?;
    let whole = window.events();
    let progress = &mut |done| progress(done, whole);
    let mut export = Export { timeline, window, format, args, progress };
    match (&args.output, &args.endpoint) {
        (None, Some(endpoint)) => export.send(endpoint),
        (Some(path), _) if format == ExportFormat::Parquet => export.write_folder(path),
        (Some(path), _) => export.write_file(path),
        (None, None) => export.write_stdout(),
    }
}

/// The format, and the end of the window, if there is one.
fn destination(args: &ExportArgs) -> (ExportFormat, Option<&Place>) {
    let (mut formats, mut moments) = (Vec::new(), Vec::new());
    for to in &args.to {
        match to {
            ExportTo::Format(format) => formats.push(*format),
            ExportTo::Moment(place) => moments.push(place),
        }
    }
    let wrong = |kind, message: &str| -> ! { wrong_usage("export", kind, message) };
    let &[format] = formats.as_slice() else {
        wrong(ErrorKind::MissingRequiredArgument, "--to must name one format");
    };
    if moments.len() > 1 {
        wrong(ErrorKind::ArgumentConflict, "--to may name one moment");
    }
    if args.endpoint.is_some() && format != ExportFormat::Otlp {
        wrong(ErrorKind::ArgumentConflict, "--endpoint goes with --to otlp");
    }
    if format == ExportFormat::Parquet && args.output.is_none() {
        let message = "parquet is a folder of files: name it with --output";
        wrong(ErrorKind::MissingRequiredArgument, message);
    }
    let stacks = matches!(format, ExportFormat::Folded | ExportFormat::Flamegraph);
    if args.time != ExportTime::Wall && !stacks {
        let message = "--time goes with --to folded and --to flamegraph";
        wrong(ErrorKind::ArgumentConflict, message);
    }
    (format, moments.first().copied())
}

fn window(
    timeline: &Timeline<'_>,
    args: &ExportArgs,
    to: Option<&Place>,
) -> anyhow::Result<Window> {
    let trace = timeline.trace();
    let mut window =
        Window::whole(timeline).map_err(|error| reading::travel_error(trace, error))?;
    if let Some(from) = &args.from {
        window.from = reading::resolve(timeline, from)?;
    }
    if let Some(to) = to {
        window.to = reading::resolve(timeline, to)?;
    }
    if (window.to.event, window.to.time_ns) < (window.from.event, window.from.time_ns) {
        bail!("the export would end before it begins: --from is later than --to");
    }
    if let Some(tid) = args.thread {
        let threads = [Tid(tid)];
        let filter = BlockFilter { threads: Some(&threads), ..BlockFilter::default() };
        let first = timeline.start();
        if trace
            .blocks_with(filter, Direction::Forward, trace_block(timeline, first)?)
            .next()
            .is_none()
        {
            let label = reading::label(trace);
            bail!("thread {tid}: not in {label}; scope report {label} lists its threads");
        }
        window.thread = Some(Tid(tid));
    }
    Ok(window)
}

fn trace_block(timeline: &Timeline<'_>, event: u64) -> anyhow::Result<usize> {
    Ok(timeline.trace().block_of_event(event)?.unwrap_or_default())
}

/// An export that is about to be made.
struct Export<'e> {
    timeline: &'e Timeline<'e>,
    window: Window,
    format: ExportFormat,
    args: &'e ExportArgs,
    progress: &'e mut dyn FnMut(u64),
}

impl Export<'_> {
    /// Writes what is one file. Temporary files are made in `folder`.
    fn write(&mut self, folder: &Path, out: &mut dyn Write) -> anyhow::Result<Summary> {
        let (timeline, window) = (self.timeline, &self.window);
        let at = &mut |done| (self.progress)(done);
        let time = match self.args.time {
            ExportTime::Wall => Time::Wall,
            ExportTime::OnCpu => Time::OnCpu,
            ExportTime::OffCpu => Time::OffCpu,
        };
        let summary = match self.format {
            ExportFormat::Perfetto => perfetto::perfetto(timeline, window, at, out),
            ExportFormat::Chrome => chrome::chrome(timeline, window, at, out),
            ExportFormat::Firefox => firefox::firefox(timeline, window, folder, at, out),
            ExportFormat::Folded => folded::folded(timeline, window, time, at, out),
            ExportFormat::Flamegraph => folded::flame_graph(timeline, window, time, at, out),
            ExportFormat::Speedscope => speedscope::speedscope(timeline, window, folder, at, out),
            ExportFormat::Otlp => otlp::otlp_file(timeline, window, at, out),
            ExportFormat::Parquet => bail!("parquet is no single file"),
        };
        let summary = summary.map_err(|error| failed(timeline, error))?;
        out.flush()?;
        Ok(summary)
    }

    fn write_stdout(&mut self) -> anyhow::Result<Summary> {
        let stdout = io::stdout().lock();
        if self.format == ExportFormat::Perfetto && stdout.is_terminal() {
            bail!("a Perfetto trace is binary and would garble the terminal: use --output FILE");
        }
        // Not the coloured one, which changes bytes.
        let mut out = BufWriter::with_capacity(BUFFER, stdout);
        self.write(&std::env::temp_dir(), &mut out)
    }

    fn write_file(&mut self, path: &Path) -> anyhow::Result<Summary> {
        let cannot = || format!("cannot write {}", path.display());
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            // A pipe or a device: there is nothing to replace.
            let file = OpenOptions::new().write(true).open(path).with_context(cannot)?;
            let mut out = BufWriter::with_capacity(BUFFER, file);
            return self.write(&std::env::temp_dir(), &mut out);
        }
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        let mut partial = OsString::from(path);
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial).with_context(cannot)?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        let written = self.write(folder, &mut out).and_then(|summary| {
            fs::rename(&partial, path).with_context(cannot)?;
            Ok(summary)
        });
        if written.is_err() {
            // The error is what counts; that the rest stays is a smaller one.
            let _ = fs::remove_file(&partial);
        }
        written
    }

    #[cfg(feature = "parquet")]
    fn write_folder(&mut self, path: &Path) -> anyhow::Result<Summary> {
        let at = &mut |done| (self.progress)(done);
        scope_export::parquet::parquet(self.timeline, &self.window, path, at)
            .map_err(|error| failed(self.timeline, error))
    }

    #[cfg(not(feature = "parquet"))]
    fn write_folder(&mut self, _: &Path) -> anyhow::Result<Summary> {
        Err(Error::LeftOut { format: "parquet" }.into())
    }

    fn send(&mut self, endpoint: &str) -> anyhow::Result<Summary> {
        let at = &mut |done| (self.progress)(done);
        otlp::otlp_http(self.timeline, &self.window, at, endpoint)
            .map_err(|error| failed(self.timeline, error))
    }
}

/// What to say of an export that failed.
fn failed(timeline: &Timeline<'_>, error: Error) -> anyhow::Error {
    match error {
        Error::Timeline(error) => reading::travel_error(timeline.trace(), error),
        error => error.into(),
    }
}

/// What an export leaves out, or cuts.
pub fn reservations(summary: &Summary) -> Vec<String> {
    let mut lines = Vec::new();
    if summary.lost_events > 0 {
        let lost = units::counted(summary.lost_events, "event");
        lines.push(format!("{lost} lost: what happened meanwhile is missing"));
    }
    if summary.open_calls > 0 {
        lines.push(format!("{} open at the end", units::counted(summary.open_calls, "call")));
    }
    lines
}

/// Says what was exported, and what it leaves out.
fn tell(args: &ExportArgs, summary: &Summary) -> anyhow::Result<()> {
    let lines = reservations(summary);
    let target = match (&args.output, &args.endpoint) {
        (Some(path), _) => path.display().to_string(),
        (None, Some(endpoint)) => endpoint.clone(),
        (None, None) => {
            let mut stderr = anstream::stderr().lock();
            for line in lines {
                // Nobody is left to tell when standard error is gone.
                let _ = writeln!(stderr, "note: {line}");
            }
            return Ok(());
        }
    };
    let mut out = output::stdout();
    writeln!(out, "{} in {target}", units::counted(summary.calls, "call"))?;
    for line in lines {
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(())
}
