//! `scope doctor` (being written).

/// Placeholder.
pub fn run(_args: crate::cli::DoctorArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("doctor: not built yet")
}
