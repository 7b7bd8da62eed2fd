//! One recording from its first probe to its last byte.

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use aya::maps::{Array, HashMap as BpfHashMap};
use scope_model::{Function, LeftOut, Module, Pid};
use scope_store::{
    Clock, Host, Manifest, RecorderStats, Steps, Target, Trace, TraceWriter, WriterOptions,
};
use scope_symbols::sources::SourceMap;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tracer_common::{MAX_CPUS, MAX_FUNCTIONS, Settings};

use super::drain::{Drains, clock_ns, now_ns};
use super::health::{Subject, Teller};
use super::loaded::{LoadedModules, ModuleFacts};
use super::pipeline::{Finished, Notice, Pipeline, Progress};
use super::returns::Decision;
use super::scribe::{ModuleCode, Scribe};
use super::switches::SharedSwitches;
use super::target::Files;
use super::threads;
use super::trigger::{Condition, Trigger};
use crate::guard::{Guard, Orders, posts};
use crate::output::units;
use crate::probe::attach::{FileSites, Mechanism, Probes, ReturnProbes};
use crate::probe::btf::KernelTypes;
use crate::probe::loss::Losses;
use crate::probe::object::{self, Object, Size};
use crate::probe::ring::Ring;
use crate::probe::sys;

/// Raw tracepoints that say what happens to threads, in the order they are attached.
pub const TRACEPOINTS: [&str; 6] = [
    "task_newtask",
    "sched_process_exit",
    "sched_process_exec",
    "task_rename",
    "sched_switch",
    "sched_waking",
];

/// Tracepoints of system calls. A return probe enters the kernel by one, so these cost each traced call.
/// Exits come first: a call seen to begin is then seen to end.
pub const SYSCALL_TRACEPOINTS: [&str; 2] = ["sys_exit", "sys_enter"];

/// Batches that wait for the pipeline, per ring; beyond that the rings fill, and what does not fit is
/// counted.
const WAITING_BATCHES: usize = 8;

/// What to record.
#[derive(Debug)]
pub struct Setup {
    /// The target's process.
    pub pid: u32,
    /// It was started by us and has not run its program yet.
    pub started_by_scope: bool,
    /// Command line, for the record.
    pub command: Vec<String>,
    /// Its files.
    pub files: Files,
    /// Functions to probe, by id.
    pub functions: Vec<Function>,
    /// Probe sites: module index and file offset, by function id.
    pub sites: Vec<(usize, u64)>,
    /// Functions not probed.
    pub left_out: Vec<LeftOut>,
    /// Record children too.
    pub follow_forks: bool,
    /// Record system calls.
    pub syscalls: bool,
    /// Bytes of each ring, a power of two.
    pub ring_size: u32,
    /// Where to write.
    pub output: PathBuf,
    /// How much of the trace is kept.
    pub retention: Retention,
    /// How it is written.
    pub tuning: Tuning,
    /// The call that ends the recording.
    pub trigger: Option<Condition>,
    /// Where sources are looked for.
    pub source_map: SourceMap,
    /// Remarks, kept in the trace.
    pub warnings: Vec<String>,
}

/// Limits of a flight recording; its oldest part goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retention {
    /// Most bytes.
    pub max_bytes: Option<u64>,
    /// Least time before the end, ns.
    pub keep_ns: Option<u64>,
}

/// How a trace is written, where that differs from the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tuning {
    /// Bytes of a hot segment.
    pub segment_bytes: Option<u32>,
    /// Hot segments there may be.
    pub hot_segments: Option<u32>,
    /// By how much each segment is sealed later than it could be, for tests.
    pub seal_delay: Option<Duration>,
}

impl Tuning {
    fn apply(self, options: &mut WriterOptions) {
        if let Some(bytes) = self.segment_bytes {
            options.segment_bytes = bytes;
        }
        if let Some(most) = self.hot_segments {
            options.max_hot_segments = most;
        }
        if let Some(delay) = self.seal_delay {
            options.steps = Steps::new(move |step| {
                if step == "seal" {
                    std::thread::sleep(delay);
                }
                Ok(())
            });
        }
    }
}

impl Retention {
    /// Only whole segments go: a small limit needs small ones.
    fn options(self) -> WriterOptions {
        let mut options = WriterOptions {
            max_bytes: self.max_bytes,
            keep_ns: self.keep_ns,
            ..WriterOptions::default()
        };
        if let Some(most) = self.max_bytes {
            let share = u32::try_from(most / SEGMENTS_OF_A_LIMIT).unwrap_or(u32::MAX);
            options.segment_bytes = share.clamp(SMALLEST_SEGMENT, options.segment_bytes);
        }
        options
    }
}

/// Segments that a size limit is divided into; sealed, they take about a tenth of it each.
const SEGMENTS_OF_A_LIMIT: u64 = 4;

/// Smallest size of a hot segment, bytes.
const SMALLEST_SEGMENT: u32 = 1 << 20;

/// The kernel half, loaded; nothing attached.
#[derive(Debug)]
pub struct Kernel {
    types: KernelTypes,
    /// How function probes will be attached.
    pub mechanism: Mechanism,
}

impl Kernel {
    /// Finds out what the running kernel offers.
    ///
    /// # Errors
    ///
    /// Without BTF or privilege.
    pub fn open() -> anyhow::Result<Self> {
        let types = KernelTypes::load()?;
        let uprobes = types.uprobe_offsets()?;
        let object = Object::load(Settings::NONE, uprobes, Size::Guard)?;
        Ok(Self { mechanism: Mechanism::detect(&object)?, types })
    }
}

/// A running recording.
#[derive(Debug)]
pub struct Recording {
    object: Object,
    probes: Probes,
    guard: Option<Guard>,
    drains: Drains,
    pipeline: JoinHandle<Finished>,
    scribe: Scribe,
    notices: UnboundedReceiver<Notice>,
    progress: Arc<Progress>,
    mechanism: Mechanism,
    returns: ReturnProbes,
    warnings: Vec<String>,
    cpu_before_ns: u64,
    start_ns: u64,
    switches: SharedSwitches,
    teller: Teller,
}

/// What a recording came to.
#[derive(Debug)]
pub struct Outcome {
    /// Events written.
    pub events: u64,
    /// Records lost in the rings.
    pub lost: u64,
    /// Records dropped since sealing or the disk was behind.
    pub dropped: u64,
    /// Bytes of the trace.
    pub bytes: u64,
}

impl Recording {
    /// Attaches everything and begins.
    ///
    /// # Errors
    ///
    /// When the kernel or the disk refuses; nothing stays attached and no trace is left then.
    pub fn start(setup: Setup, kernel: &Kernel, decision: Decision) -> anyhow::Result<Self> {
        if setup.functions.len() > MAX_FUNCTIONS as usize {
            bail!(
                "{} functions are more than the {MAX_FUNCTIONS} that one recording can probe; \
                 narrow the choice with -F or --max-functions",
                setup.functions.len()
            );
        }
        let trigger = match &setup.trigger {
            None => None,
            Some(condition) => Some(Trigger::new(condition, &setup.functions).with_context(|| {
                format!(
                    "none of the {} probed functions fits --trigger {}; choose it with -F as well",
                    setup.functions.len(),
                    condition.function
                )
            })?),
        };
        let mut warnings = setup.warnings;
        warnings.extend(decision.why_not);
        if !setup.syscalls {
            warnings.push("system calls were not recorded (--no-syscalls)".into());
        }
        let mut returns = decision.probes;
        let guard = if returns == ReturnProbes::Replace && kernel.mechanism != Mechanism::PerfEvent
        {
            start_guard(setup.pid, setup.follow_forks, &setup.files).unwrap_or_else(|error| {
                returns = ReturnProbes::None;
                warnings.push(format!(
                    "calls are counted but not timed: the guard against broken stack unwinding did \
                     not start: {error:#}"
                ));
                None
            })
        } else {
            None
        };

        let everywhere = setup.follow_forks || kernel.mechanism == Mechanism::PerfEvent;
        let settings = Settings {
            filter_functions: u32::from(everywhere),
            watch_returns: u32::from(returns == ReturnProbes::Replace),
            follow_forks: u32::from(setup.follow_forks),
            task: kernel.types.task_offsets()?,
        };
        let mut object = Object::load(settings, kernel.types.uprobe_offsets()?, Size::Recording)?;
        let rings = create_rings(&mut object, setup.ring_size)?;
        let flags = Array::try_from(object.take_map("FUNCTIONS")?)?;
        let switches = SharedSwitches::new(flags, &setup.functions)?;
        trace_process(&mut object, setup.pid)?;
        let losses = Losses::new(&mut object)?;

        let start_ns = now_ns();
        let manifest = manifest(
            setup.pid,
            setup.started_by_scope,
            setup.command,
            setup.files.modules.iter().map(|module| module.module.clone()).collect(),
            start_ns,
        );
        let pid = Pid(setup.pid);
        let facts = setup.files.modules.iter().map(ModuleFacts::of).collect();
        let loaded = LoadedModules::new(facts, &setup.functions, pid, !setup.started_by_scope);
        let code = setup.files.modules.iter().map(ModuleCode::of).collect::<Result<_, _>>();
        let code = code.context("cannot keep the target's files open")?;
        let files = file_sites(setup.files, &setup.sites)?;
        let of_syscalls: &[&str] = if setup.syscalls { &SYSCALL_TRACEPOINTS } else { &[] };
        for tracepoint in TRACEPOINTS.iter().chain(of_syscalls) {
            object.attach_tracepoint(tracepoint)?;
        }
        let mut options = setup.retention.options();
        setup.tuning.apply(&mut options);
        let (functions, left_out) = (&setup.functions, &setup.left_out);
        let writer = TraceWriter::create(&setup.output, manifest, functions, left_out, options)?;
        let abandon = |error: anyhow::Error| {
            // Nothing was recorded: an empty trace would only be in the way of the next try.
            let _ = std::fs::remove_dir_all(&setup.output);
            error
        };

        let progress = Arc::new(Progress::default());
        let (notify, notices) = unbounded_channel();
        let (batches_in, batches_out) = sync_channel(rings.len() * WAITING_BATCHES);
        let live = HashSet::from([pid]);
        let (scribe, inbox) = Scribe::new();
        let reports = (loaded, scribe.clone());
        let mut pipeline = Pipeline::new(
            rings.len(),
            losses,
            writer,
            live,
            notify,
            Arc::clone(&progress),
            reports,
        );
        pipeline.watch_for(trigger);
        pipeline.found(threads::find(setup.pid, start_ns, setup.syscalls));
        let cpu_before_ns = own_cpu_ns();

        let pid = if everywhere { 0 } else { setup.pid };
        let probes = Probes::attach(&mut object, kernel.mechanism, returns, &files, pid)
            .map_err(|error| abandon(error.into()))?;

        let cpus = u32::try_from(rings.len()).unwrap_or(u32::MAX);
        let drains = Drains::start(rings, &batches_in, &progress.fill)
            .context("cannot start the drain threads")
            .map_err(abandon)?;
        let pipeline = std::thread::Builder::new()
            .name("scope-pipeline".into())
            .spawn(move || pipeline.run(&batches_out))
            .context("cannot start the pipeline thread")
            .map_err(abandon)?;
        // Not before the probes are in: it would take its time from that.
        let teller = Teller::start(Subject {
            trace: setup.output.clone(),
            progress: Arc::clone(&progress),
            switches: switches.clone(),
            cpu_before_ns,
            rings: cpus,
            ring_bytes: u64::from(setup.ring_size),
        })
        .context("cannot start the thread that tells how the recording is getting on")?;
        inbox.start(setup.output, code, setup.functions, setup.source_map)?;
        Ok(Self {
            object,
            probes,
            guard,
            drains,
            pipeline,
            scribe,
            notices,
            progress,
            mechanism: kernel.mechanism,
            returns,
            warnings,
            cpu_before_ns,
            start_ns,
            switches,
            teller,
        })
    }

    /// The next thing the pipeline has to say.
    pub async fn notice(&mut self) -> Option<Notice> {
        self.notices.recv().await
    }

    /// Numbers of the running recording.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// Which functions' calls are recorded, to be changed while it runs.
    #[must_use]
    pub fn switches(&self) -> SharedSwitches {
        self.switches.clone()
    }

    /// Remarks for the user.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// CPU time that the tracer has taken since it began recording, ns.
    #[must_use]
    pub fn cpu_ns(&self) -> u64 {
        own_cpu_ns().saturating_sub(self.cpu_before_ns)
    }

    /// Detaches, takes what is left in the rings and completes the trace. The code of the target is given
    /// up when `give_up` is ready before it is written.
    ///
    /// # Errors
    ///
    /// When the trace cannot be completed; it opens all the same.
    pub async fn finish(
        self,
        reason: &str,
        give_up: impl Future<Output = &'static str>,
    ) -> anyhow::Result<Outcome> {
        let Self { object, probes, guard, drains, pipeline, scribe, progress, .. } = self;
        let missed = probes.missed();
        drop(probes);
        let end_ns = now_ns();
        // Tracepoints go with the object, and so do probes that are perf events; after that nothing
        // more is written into the rings.
        drop(object);
        drains.finish();
        let finished = pipeline.join().map_err(|_| anyhow!("the pipeline thread panicked"))?;
        // Its last numbers are those of the end.
        drop(self.teller);
        if let Some(guard) = guard {
            guard.dismiss();
        }
        let mut warnings = self.warnings;
        warnings.extend(self.switches.done_since(0).into_iter().map(|note| {
            let at = units::duration(note.time_ns.saturating_sub(self.start_ns));
            format!("from {at} after the start on: {}", note.text)
        }));
        let (layouts, sites) = finished.loaded.finish();
        tokio::select! {
            remarks = scribe.finish(layouts, sites) => match remarks {
                Ok(remarks) => warnings.extend(remarks),
                Err(_) => warnings.push("the code map is not whole: its thread panicked".into()),
            },
            why = give_up => warnings.push(format!("the code map is not whole: {why}")),
        }
        if finished.unknown_records > 0 {
            warnings.push(format!("{} records of unknown kind", finished.unknown_records));
        }
        let stats = RecorderStats {
            orphan_exits: finished.orphan_exits,
            late_records: finished.late_records,
            unattributed_losses: finished.unattributed_losses,
            dropped_records: finished.dropped,
            cut_off_events: finished.cut.map_or(0, |cut| cut.events),
            kernel_missed: missed,
            cpu_ns: own_cpu_ns().saturating_sub(self.cpu_before_ns),
            return_probes: match self.returns {
                ReturnProbes::Replace => "return_probe".into(),
                ReturnProbes::None => "none".into(),
            },
            attach_mechanism: self.mechanism.name().into(),
            warnings,
        };
        // A trace that could not go on ends where it is whole.
        let end_ns = finished.cut.map_or(end_ns, |cut| cut.until_ns.min(end_ns));
        let (events, path) = (finished.writer.events(), finished.writer.path().to_path_buf());
        finished.writer.finish(end_ns, reason, stats)?;
        // Sealing made it smaller.
        let bytes = Trace::open(&path)?.bytes();
        let lost = progress.lost.load(std::sync::atomic::Ordering::Relaxed);
        Ok(Outcome { events, lost, dropped: finished.dropped, bytes })
    }
}

fn start_guard(pid: u32, children: bool, files: &Files) -> anyhow::Result<Option<Guard>> {
    let orders: Vec<_> = files
        .modules
        .iter()
        .chain(&files.others)
        .filter_map(|module| posts::in_file(&module.file, &module.image))
        .collect();
    if orders.is_empty() {
        return Ok(None);
    }
    Ok(Some(Guard::start(&Orders { recorder: std::process::id(), pid, children, files: orders })?))
}

fn create_rings(object: &mut Object, size: u32) -> anyhow::Result<Vec<Ring>> {
    let cpus = aya::util::nr_cpus().map_err(|(path, error)| anyhow!("{path}: {error}"))?;
    if cpus > MAX_CPUS as usize {
        bail!("{cpus} CPUs are more than the {MAX_CPUS} that can be traced");
    }
    let outer =
        object::data(object.map("RINGS")?).context("the map of rings is of another type")?;
    (0..cpus)
        .map(|cpu| {
            let ring = sys::create_ring(size).with_context(|| {
                format!(
                    "cannot create a ring of {size} bytes for CPU {cpu}; try a smaller --ring-size"
                )
            })?;
            sys::set_inner_map(outer.fd().as_fd(), cpu as u32, ring.as_fd())
                .with_context(|| format!("cannot use the ring of CPU {cpu}"))?;
            Ring::new(ring, size).with_context(|| format!("cannot map the ring of CPU {cpu}"))
        })
        .collect()
}

fn trace_process(object: &mut Object, pid: u32) -> anyhow::Result<()> {
    let mut processes: BpfHashMap<_, u32, u32> = object.map("PROCESSES")?.try_into()?;
    processes.insert(pid, 1, 0)?;
    Ok(())
}

/// The sites of each module's file, with the function id as the cookie: module index and file offset, by
/// function id.
///
/// # Errors
///
/// When a site names no module.
pub fn file_sites(files: Files, sites: &[(usize, u64)]) -> anyhow::Result<Vec<FileSites>> {
    let mut by_file: Vec<FileSites> = files
        .modules
        .into_iter()
        .map(|module| FileSites { file: module.file, offsets: Vec::new(), cookies: Vec::new() })
        .collect();
    for (id, (module, offset)) in sites.iter().enumerate() {
        let file = by_file.get_mut(*module).context("a probe site names no module")?;
        file.offsets.push(*offset);
        file.cookies.push(id as u64);
    }
    Ok(by_file)
}

fn manifest(
    pid: u32,
    started_by_scope: bool,
    command: Vec<String>,
    modules: Vec<Module>,
    start_ns: u64,
) -> Manifest {
    let uname = rustix::system::uname();
    let realtime_ns = clock_ns(rustix::time::ClockId::Realtime);
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    Manifest {
        scope_version: env!("CARGO_PKG_VERSION").into(),
        created_unix_ns: realtime_ns,
        host: Host {
            hostname: text(uname.nodename()),
            kernel: text(uname.release()),
            machine: text(uname.machine()),
            cpus: std::thread::available_parallelism().map_or(1, |count| count.get() as u32),
        },
        target: Target {
            pid,
            executable: modules.first().map_or_else(String::new, |module| module.path.clone()),
            command,
            started_by_scope,
        },
        clock: Clock { monotonic_ns: now_ns(), realtime_ns },
        start_ns,
        modules,
        ..Manifest::default()
    }
}

/// CPU time of this process, ns.
pub(super) fn own_cpu_ns() -> u64 {
    clock_ns(rustix::time::ClockId::ProcessCPUTime)
}
