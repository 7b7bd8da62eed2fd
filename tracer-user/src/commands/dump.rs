//! `scope dump` (being written).

/// Placeholder.
pub fn run(_args: &crate::cli::DumpArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("dump: not built yet")
}
