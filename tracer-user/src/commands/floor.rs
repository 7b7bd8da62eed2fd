//! `scope __floor`: what probes cost at the least, for the benches. Attaches as `scope trace` would,
//! with programs that return at once.

use std::process::ExitCode;

use anyhow::Context;
use tracer_common::Settings;

use super::trace::{Signals, choose, tell_ready};
use crate::cli::FloorArgs;
use crate::probe::attach::Probes;
use crate::probe::btf::KernelTypes;
use crate::probe::object::{Object, Size};
use crate::record::session::{Kernel, file_sites};
use crate::record::{privilege, target};

/// Runs the command until a signal ends it.
///
/// # Errors
///
/// As `scope trace`.
pub fn run(args: &FloorArgs) -> anyhow::Result<ExitCode> {
    target::check(args.pid)?;
    privilege::require()?;
    let files = target::of_process(args.pid, &args.selection.modules)?;
    let plan = choose(&files, &args.selection, None)?;
    let sites: Vec<_> =
        plan.chosen.iter().map(|chosen| (chosen.image, chosen.file_offset)).collect();
    let kernel = Kernel::open()?;
    let uprobes = KernelTypes::load()?.uprobe_offsets()?;
    let mut object = Object::load(Settings::NONE, uprobes, Size::Guard)?;
    let files = file_sites(files, &sites)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        let probes = Probes::attach_empty(&mut object, kernel.mechanism, &files, args.pid)?;
        tell_ready()?;
        signals.next().await;
        drop(probes);
        Ok(ExitCode::SUCCESS)
    })
}
