//! `scope info` (being written).

/// Placeholder.
pub fn run(_args: &crate::cli::InfoArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("info: not built yet")
}
