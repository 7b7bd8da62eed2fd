//! `scope pack`: a trace as one file, to hand to somebody. Every reading command takes it as it is.

use std::io::Write;
use std::process::ExitCode;

use crate::cli::PackArgs;
use crate::output::{self, units};

/// Packs a trace.
pub fn run(args: &PackArgs) -> anyhow::Result<ExitCode> {
    scope_store::pack(&args.trace, &args.file)?;
    let bytes = std::fs::metadata(&args.file)?.len();
    let mut out = output::stdout();
    writeln!(out, "{} in {}", units::size(bytes), args.file.display())?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
