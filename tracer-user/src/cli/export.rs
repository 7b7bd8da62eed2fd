//! What `scope export` is asked.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use scope_timeline::Place;

use super::MOMENTS;

/// Arguments of `scope export`.
#[derive(Clone, Debug, Args)]
#[command(after_help = format!("{MOMENTS}\n\n\
Examples:\n  scope export 1234.scope --to perfetto -o slow.pftrace\n  \
scope export 1234.scope --to flamegraph --time off-cpu --thread 1240 > slow.svg\n  \
scope export 1234.scope --to perfetto --from 1.5s --to @slow -o slow.pftrace\n  \
scope export 1234.scope --to otlp --endpoint http://localhost:4318"))]
#[command(override_usage = "\
scope export [OPTIONS] --to <FORMAT> [--from <TIME>] [--to <TIME>] <TRACE>")]
pub struct ExportArgs {
    /// The trace.
    #[arg(value_hint = ValueHint::DirPath)]
    pub trace: PathBuf,
    /// The format: perfetto, chrome, firefox, folded, flamegraph, speedscope, parquet or otlp. Given a
    /// second time: the moment to export up to.
    #[arg(long, required = true, value_name = "FORMAT|TIME", allow_hyphen_values = true)]
    pub to: Vec<ExportTo>,
    /// The moment to export from; the start. Calls that are open there are cut, and say so.
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<Place>,
    /// Only this thread.
    #[arg(long, value_name = "TID")]
    pub thread: Option<u32>,
    /// File to write; for parquet a folder. Without it the export goes to standard output.
    #[arg(short, long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub output: Option<PathBuf>,
    /// With folded and flamegraph: which time of the calls.
    #[arg(long, value_enum, default_value_t = ExportTime::Wall, value_name = "KIND")]
    pub time: ExportTime,
    /// With otlp: send the spans to the collector at this address, for example http://localhost:4318.
    #[arg(long, value_name = "URL", conflicts_with = "output")]
    pub endpoint: Option<String>,
}

/// What an export leads to.
#[derive(Clone, Debug, PartialEq)]
pub enum ExportTo {
    /// A format.
    Format(ExportFormat),
    /// The end of the window.
    Moment(Place),
}

impl std::str::FromStr for ExportTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(format) = ExportFormat::from_str(text, false) {
            return Ok(Self::Format(format));
        }
        let formats: Vec<_> = ExportFormat::value_variants()
            .iter()
            .filter_map(ValueEnum::to_possible_value)
            .map(|value| value.get_name().to_owned())
            .collect();
        text.parse()
            .map(Self::Moment)
            .map_err(|error| format!("no format ({}), and no moment: {error}", formats.join(", ")))
    }
}

/// Formats of other tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Perfetto's protobuf.
    Perfetto,
    /// Chrome's JSON.
    Chrome,
    /// Firefox Profiler's processed profile.
    Firefox,
    /// Folded stacks.
    Folded,
    /// A flame graph, as SVG.
    Flamegraph,
    /// speedscope's JSON.
    Speedscope,
    /// A folder of Parquet tables.
    Parquet,
    /// OpenTelemetry spans.
    Otlp,
}

/// Which time of the calls stacks are weighed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportTime {
    /// All of it.
    Wall,
    /// On a CPU.
    OnCpu,
    /// Off the CPU, waiting for one included.
    OffCpu,
}
