//! `scope report` (being written).

/// Placeholder.
pub fn run(_args: &crate::cli::ReportArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("report: not built yet")
}
