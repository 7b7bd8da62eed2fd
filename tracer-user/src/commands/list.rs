//! `scope list` (being written).

/// Placeholder.
pub fn run(_args: &crate::cli::ListArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("list: not built yet")
}
