//! `scope trace` (being written).

/// Placeholder.
pub fn run(_args: crate::cli::TraceArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("trace: not built yet")
}
