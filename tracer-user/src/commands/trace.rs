//! `scope trace`: record a running process or a command.

pub mod ui;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ExitCode, ExitStatus};

use anyhow::{Context, bail, ensure};
use rustix::event::{PollFd, PollFlags, poll};
use scope_model::Function;
use scope_symbols::glob::Glob;
use scope_symbols::select::{Plan, Selection, plan};
use scope_tui::Exit;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use self::ui::{Ui, Word};
use crate::cli::{self, TraceArgs};
use crate::output::{self, json, units};
use crate::probe::gate::Gated;
use crate::record::pipeline::Notice;
use crate::record::session::{Kernel, Outcome, Recording, Retention, Setup, Tuning};
use crate::record::status::StatusLine;
use crate::record::target::{self, Files};
use crate::record::{privilege, returns};

/// A descriptor that gets one byte once all probes are in.
const READY_VARIABLE: &str = "SCOPE_READY_FD";

/// The end of a recording whose terminal is gone.
const HUNG_UP: &str = "the terminal was closed (SIGHUP)";

/// Smallest ring, bytes: a page.
const SMALLEST_RING: u64 = 4096;
/// Largest ring, bytes.
const LARGEST_RING: u64 = 1 << 30;

/// A line on standard error. Somebody who closed it does not want to hear; the recording goes on.
macro_rules! say {
    ($($words:tt)*) => {
        let _ = writeln!(std::io::stderr(), $($words)*);
    };
}

/// Runs the command.
///
/// # Errors
///
/// When the target cannot be recorded; the message says why and what to do.
pub fn run(args: TraceArgs) -> anyhow::Result<ExitCode> {
    // First, since without privilege not even the target's files can be looked at.
    if !args.dry_run {
        privilege::require()?;
    }
    let program = args.command.first().map(target::find_program).transpose()?;
    if let Some(pid) = args.pid {
        target::check(pid)?;
    }
    let files = match (&program, args.pid) {
        (Some(program), _) => target::of_command(program, &args.selection.modules)?,
        (None, Some(pid)) => target::of_process(pid, &args.selection.modules)?,
        (None, None) => bail!("nothing to trace: give a process id, or a command after --"),
    };
    let plan = choose(&files, &args.selection, args.max_functions)?;
    if args.dry_run {
        return print_plan(&plan, args.json);
    }
    ensure!(
        !plan.chosen.is_empty(),
        "no function can be probed: {}; `scope list` shows each with its reason",
        why_nothing(&plan)
    );
    let output = args.output.clone().unwrap_or_else(|| default_output(&args));
    ensure!(
        std::fs::symlink_metadata(&output).is_err(),
        "{} exists already; choose another with --output, or remove it",
        output.display()
    );
    let ring_size = ring_size(args.ring_size)?;
    let kernel = Kernel::open()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the event loop")?;
    runtime.block_on(record(args, program, files, plan, output, ring_size, &kernel))
}

/// The functions that a command line chooses in a target's files.
///
/// # Errors
///
/// When a pattern matches nothing.
pub fn choose(
    files: &Files,
    wish: &cli::Selection,
    max_functions: Option<usize>,
) -> anyhow::Result<Plan> {
    let (main, images) = files.images().context("the target has no main executable")?;
    let mut selection = selection(wish);
    // By their paths now: names were resolved when the files were found.
    selection.modules = files.named();
    selection.max_functions = max_functions;
    Ok(plan(&images, main, &selection)?)
}

/// The selection of the command line, checked.
#[must_use]
pub fn selection(args: &cli::Selection) -> Selection {
    let globs = |patterns: &[String]| patterns.iter().map(|pattern| Glob::new(pattern)).collect();
    Selection {
        functions: globs(&args.functions),
        exclude: globs(&args.exclude),
        files: globs(&args.files),
        modules: args.modules.clone(),
        all: args.all,
        max_functions: None,
    }
}

fn why_nothing(plan: &Plan) -> String {
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for left_out in &plan.left_out {
        match reasons.iter_mut().find(|(reason, _)| *reason == left_out.reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((&left_out.reason, 1)),
        }
    }
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut texts: Vec<String> =
        reasons.iter().take(3).map(|(reason, count)| format!("{reason} ({count})")).collect();
    texts.extend(plan.notes.first().cloned());
    if texts.is_empty() { "the target has none".into() } else { texts.join("; ") }
}

fn print_plan(plan: &Plan, as_json: bool) -> anyhow::Result<ExitCode> {
    let mut out = output::stdout();
    if as_json {
        #[derive(serde::Serialize)]
        struct Json<'a> {
            functions: Vec<&'a Function>,
            left_out: &'a [scope_model::LeftOut],
            notes: &'a [String],
        }
        let functions = plan.chosen.iter().map(|chosen| &chosen.function).collect();
        json::document(
            &mut out,
            &Json { functions, left_out: &plan.left_out, notes: &plan.notes },
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    for chosen in &plan.chosen {
        writeln!(out, "{:<15} {}", chosen.function.site, units::printable(&chosen.function.name))?;
    }
    for left_out in &plan.left_out {
        writeln!(
            out,
            "{:<15} {}: {}",
            "left out",
            units::printable(&left_out.name),
            left_out.reason
        )?;
    }
    for note in &plan.notes {
        writeln!(out, "{note}")?;
    }
    writeln!(
        out,
        "{} to probe, {} left out",
        units::counted(plan.chosen.len() as u64, "function"),
        plan.left_out.len()
    )?;
    Ok(ExitCode::SUCCESS)
}

/// `NAME.scope` beside the caller, the first of `NAME.scope`, `NAME.2.scope`, … that is free.
fn default_output(args: &TraceArgs) -> PathBuf {
    let stem = match (args.pid, args.command.first()) {
        (Some(pid), _) => pid.to_string(),
        (None, command) => command
            .and_then(|name| PathBuf::from(name).file_name().map(|name| name.display().to_string()))
            .unwrap_or_else(|| "trace".into()),
    };
    (1..)
        .map(|number| match number {
            1 => PathBuf::from(format!("{stem}.scope")),
            number => PathBuf::from(format!("{stem}.{number}.scope")),
        })
        .find(|path| std::fs::symlink_metadata(path).is_err())
        .unwrap_or_else(|| "trace.scope".into())
}

fn ring_size(wanted: u64) -> anyhow::Result<u32> {
    ensure!(
        (SMALLEST_RING..=LARGEST_RING).contains(&wanted),
        "--ring-size must be between {} and {}",
        units::size(SMALLEST_RING),
        units::size(LARGEST_RING)
    );
    u32::try_from(wanted.next_power_of_two()).context("--ring-size is too large")
}

async fn record(
    args: TraceArgs,
    program: Option<PathBuf>,
    files: Files,
    plan: Plan,
    output: PathBuf,
    ring_size: u32,
    kernel: &Kernel,
) -> anyhow::Result<ExitCode> {
    // Signals are taken before the first probe: from here on every end is an orderly one.
    let mut signals = Signals::new()?;
    let gated = program
        .map(|program| Gated::fork(&program, &args.command))
        .transpose()
        .context("cannot start the command")?;
    let pid = gated.as_ref().map(|gated| gated.pid).or(args.pid).context("no process to trace")?;
    let mut exit = process_exit(pid)?;
    let decision = returns::decide(args.returns, pid, &files, kernel.mechanism);
    let sites = plan.chosen.iter().map(|chosen| (chosen.image, chosen.file_offset)).collect();
    let mut warnings = files.warnings.clone();
    warnings.extend(plan.notes.iter().cloned());
    let setup = Setup {
        pid,
        started_by_scope: gated.is_some(),
        command: command_line(&args.command, pid),
        files,
        functions: plan.chosen.into_iter().map(|chosen| chosen.function).collect(),
        sites,
        left_out: plan.left_out,
        follow_forks: args.follow_forks,
        syscalls: !args.no_syscalls,
        ring_size,
        output: output.clone(),
        retention: Retention {
            max_bytes: args.max_size,
            keep_ns: args.keep.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)),
        },
        tuning: Tuning {
            segment_bytes: args.segment_size,
            hot_segments: args.hot_segments,
            seal_delay: args.seal_delay,
        },
        trigger: args.trigger.clone(),
        source_map: args.sources.map(),
        warnings,
    };
    let mut recording =
        Recording::start(setup, kernel, decision).map_err(|error| target::or_ended(pid, error))?;
    announce(&args, &recording, &output)?;
    let mut ui = match ui::is_wanted(&args) {
        true => Some(Ui::open(&output, recording.switches())?),
        false => None,
    };
    let mut child = gated.map(Gated::open).transpose().context("cannot run the command")?;
    let end = watch(&args, &mut recording, &mut signals, &mut exit, child.as_mut(), &mut ui).await;
    if let (End::Signal(_), Some(ui)) = (&end, &ui) {
        // It takes signals too, but one may have come before it did.
        ui.leave();
    }
    let to_seal = recording.progress().writer().hot_segments;
    let mut status_line = StatusLine::new(args.quiet);
    if ui.is_some() {
        status_line.hide();
    }
    status_line.ending(to_seal);
    let outcome = recording.finish(end.reason(), signals.next_key()).await;
    status_line.end();
    // The trace is whole now: whoever looks at it goes on.
    let looked = match ui {
        Some(ui) => ui.wait().await.map(drop),
        None => Ok(()),
    };
    let status = child.map(|child| wait(child, &end)).transpose()?;
    if let End::Failed(error) = end {
        // Whatever was written before opens; the reason comes first.
        if let Err(second) = outcome {
            log::warn!("{second:#}");
        }
        return Err(error.context(format!("recording ended; {} holds what fits", output.display())));
    }
    if let End::Triggered(call) = &end
        && !args.quiet
    {
        say!("{call}");
    }
    summarize(&args, &outcome?, &output);
    looked?;
    Ok(status.map_or(ExitCode::SUCCESS, exit_code))
}

fn announce(
    args: &TraceArgs,
    recording: &Recording,
    output: &std::path::Path,
) -> anyhow::Result<()> {
    if !args.quiet {
        for warning in recording.warnings() {
            say!("scope: note: {warning}");
        }
        let how = if args.pid.is_some() { "; Ctrl-C ends it" } else { "" };
        say!("recording to {}{how}", output.display());
    }
    tell_ready()
}

/// Tells whoever asked for it that all probes are in.
///
/// # Errors
///
/// When the descriptor named by the environment is of no use.
pub fn tell_ready() -> anyhow::Result<()> {
    if let Ok(text) = std::env::var(READY_VARIABLE) {
        let number: i32 = text.parse().ok().filter(|fd| *fd > 2).with_context(|| {
            format!("{READY_VARIABLE} is {text}, which is no descriptor of the caller")
        })?;
        let path = format!("/proc/self/fd/{number}");
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .and_then(|mut file| file.write_all(b"R"))
            .with_context(|| format!("cannot write to {path}, named by {READY_VARIABLE}"))?;
    }
    Ok(())
}

/// What the UI says next, where there is one.
async fn next_word(ui: &mut Option<Ui>) -> Word {
    match ui {
        Some(ui) => ui.word().await,
        None => std::future::pending().await,
    }
}

/// Why a recording ends.
#[derive(Debug)]
enum End {
    Stopped,
    Exited,
    Duration,
    Signal(&'static str),
    Triggered(String),
    Failed(anyhow::Error),
}

impl End {
    fn reason(&self) -> &str {
        match self {
            Self::Stopped => "its user ended it",
            Self::Exited => "the target ended",
            Self::Duration => "the duration was over",
            Self::Signal(name) => name,
            Self::Triggered(call) => call,
            Self::Failed(_) => "recording failed",
        }
    }
}

/// The signals that end a recording.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes SIGINT, SIGTERM and SIGHUP from here on.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn new() -> anyhow::Result<Self> {
        let take = |kind| signal(kind).context("cannot handle signals");
        Ok(Self {
            interrupt: take(SignalKind::interrupt())?,
            terminate: take(SignalKind::terminate())?,
            hang_up: take(SignalKind::hangup())?,
        })
    }

    /// The next one that somebody sent on purpose: a closed terminal closes once for all who use it.
    async fn next_key(&mut self) -> &'static str {
        loop {
            let name = self.next().await;
            if name != HUNG_UP {
                return name;
            }
        }
    }

    /// The next one, as the reason of an end.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted (SIGINT)",
            _ = self.terminate.recv() => "terminated (SIGTERM)",
            _ = self.hang_up.recv() => HUNG_UP,
        }
    }
}

/// Ready when the process has ended. A thread waits: it ends with the program.
fn process_exit(pid: u32) -> anyhow::Result<oneshot::Receiver<()>> {
    let raw = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    let pid = raw.context("not a process id")?;
    let fd = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())
        .with_context(|| format!("process {pid} has ended"))?;
    let (ended, exit) = oneshot::channel();
    std::thread::Builder::new()
        .name("scope-exit".into())
        .spawn(move || {
            let mut fds = [PollFd::new(&fd, PollFlags::IN)];
            while poll(&mut fds, None) == Err(rustix::io::Errno::INTR) {}
            // The receiver is gone when the recording ended first.
            let _ = ended.send(());
        })
        .context("cannot watch the process")?;
    Ok(exit)
}

async fn watch(
    args: &TraceArgs,
    recording: &mut Recording,
    signals: &mut Signals,
    exit: &mut oneshot::Receiver<()>,
    mut child: Option<&mut Child>,
    ui: &mut Option<Ui>,
) -> End {
    let mut status = StatusLine::new(args.quiet);
    if ui.is_some() {
        status.hide();
    }
    let mut tick = tokio::time::interval(StatusLine::PERIOD);
    let deadline = args.duration.map(|duration| tokio::time::Instant::now() + duration);
    let mut interrupted = false;
    let end = loop {
        tokio::select! {
            _ = &mut *exit, if !args.follow_forks => break End::Exited,
            notice = recording.notice() => match notice {
                Some(Notice::AllExited) | None => break End::Exited,
                Some(Notice::Triggered(call)) => break End::Triggered(call.to_string()),
                Some(Notice::Failed(error)) => break End::Failed(error.into()),
            },
            () = sleep_until(deadline) => break End::Duration,
            word = next_word(ui) => match word {
                Word::Stop => break End::Stopped,
                Word::Over(result) => {
                    let over = match ui.take() {
                        Some(ui) => ui.over(result),
                        None => continue,
                    };
                    match over {
                        Ok(Exit::Left) => break End::Stopped,
                        // The signal comes here too.
                        Ok(Exit::Signal) => {}
                        Ok(Exit::TerminalGone) if !args.ignore_hangup => break End::Signal(HUNG_UP),
                        Ok(Exit::Detached | Exit::TerminalGone) => {
                            status.show(args.quiet);
                        }
                        Err(error) => break End::Failed(error),
                    }
                }
            },
            name = signals.next() => {
                if name == HUNG_UP && args.ignore_hangup {
                    continue;
                }
                // A command gets the terminal's Ctrl-C itself; how it ends belongs to the recording.
                if let Some(child) = child.as_mut()
                    && !std::mem::replace(&mut interrupted, true)
                {
                    if name.contains("SIGTERM") {
                        forward_termination(child);
                    }
                    continue;
                }
                break End::Signal(name);
            }
            _ = tick.tick() => status.update(recording),
        }
    };
    status.clear();
    end
}

async fn sleep_until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn forward_termination(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw)
        && let Err(error) = rustix::process::kill_process(pid, rustix::process::Signal::TERM)
    {
        log::warn!("cannot pass SIGTERM on to the command: {error}");
    }
}

/// The command's status. One that outlives the recording goes on alone.
fn wait(mut child: Child, end: &End) -> anyhow::Result<Option<ExitStatus>> {
    match end {
        End::Exited => child.wait().map(Some).context("cannot wait for the command"),
        _ => child.try_wait().context("cannot wait for the command"),
    }
}

fn exit_code(status: Option<ExitStatus>) -> ExitCode {
    let Some(status) = status else { return ExitCode::SUCCESS };
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code & 0xff).unwrap_or(1))
}

fn summarize(args: &TraceArgs, outcome: &Outcome, output: &std::path::Path) {
    if args.quiet {
        return;
    }
    let mut losses = Vec::new();
    if outcome.lost > 0 {
        losses.push(format!(
            "{} lost (a larger --ring-size or fewer functions help)",
            units::count(outcome.lost)
        ));
    }
    if outcome.dropped > 0 {
        losses.push(format!(
            "{} dropped since sealing or the disk did not keep up (fewer functions or a faster \
             disk help)",
            units::count(outcome.dropped)
        ));
    }
    let lost = if losses.is_empty() { "nothing lost".to_owned() } else { losses.join(", ") };
    say!(
        "{}, {lost}, {} in {}",
        units::counted(outcome.events, "event"),
        units::size(outcome.bytes),
        output.display()
    );
    say!("look at it with: scope report {}", output.display());
}

fn command_line(given: &[OsString], pid: u32) -> Vec<String> {
    if !given.is_empty() {
        return given.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    }
    std::fs::read(format!("/proc/{pid}/cmdline"))
        .unwrap_or_default()
        .split(|byte| *byte == 0)
        .filter(|word| !word.is_empty())
        .map(|word| String::from_utf8_lossy(word).into_owned())
        .collect()
}
