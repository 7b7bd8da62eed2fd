//! `scope verify` (being written).

/// Placeholder.
pub fn run(_args: &crate::cli::VerifyArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("verify: not built yet")
}
