//! `scope query` in a program that was built without SQL: how to get it.

use std::process::ExitCode;

use anyhow::bail;

use crate::cli::QueryArgs;

/// Says how to get SQL.
pub fn run(_: &QueryArgs) -> anyhow::Result<ExitCode> {
    bail!(
        "this scope was built without SQL; build it with the feature sql, which is on unless \
        --no-default-features turns it off"
    )
}
