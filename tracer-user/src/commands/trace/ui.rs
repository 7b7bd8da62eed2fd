//! The terminal UI over the recording of this process: a thread that reads the trace as any other reader
//! does, and asks the recording for what its user wants done.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Context;
use rustix::process::setpriority_process;
use rustix::thread::gettid;
use scope_tui::control::{Order, Recorder};
use scope_tui::{Exit, TuiError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::cli::TraceArgs;
use crate::commands::replay;
use crate::output;
use crate::record::switches::SharedSwitches;

/// How much the threads of the UI give way to those that drain rings.
const NICE: i32 = 10;

/// Whether the UI is wanted: on a terminal that is not the command's.
pub fn is_wanted(args: &TraceArgs) -> bool {
    let terminals = std::io::stdin().is_terminal()
        && std::io::stdout().is_terminal()
        && std::io::stderr().is_terminal();
    // A terminal that says so cannot place anything.
    let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
    terminals && !dumb && !args.no_tui && !args.quiet && args.pid.is_some()
}

/// What the UI has to say.
#[derive(Debug)]
pub enum Word {
    /// End the recording.
    Stop,
    /// The UI has ended, and the terminal is as it was before.
    Over(Result<Exit, TuiError>),
}

/// The UI, on a thread of its own.
#[derive(Debug)]
pub struct Ui {
    words: UnboundedReceiver<Word>,
    thread: JoinHandle<()>,
    trace: PathBuf,
    leave: Arc<AtomicBool>,
}

impl Ui {
    /// Opens it on the trace that is being recorded.
    ///
    /// # Errors
    ///
    /// When the trace cannot be read, or the system gives no thread.
    pub fn open(trace: &Path, switches: SharedSwitches) -> anyhow::Result<Self> {
        let mut options = replay::options(trace, None)?;
        let (say, words) = unbounded_channel();
        options.recorder = Some(Box::new(Steering { switches, say: say.clone() }));
        let leave = Arc::clone(&options.leave);
        output::hold_warnings();
        let thread = std::thread::Builder::new()
            .name("scope-ui".into())
            .spawn(move || {
                // The threads that it starts inherit this. Failing leaves it as important as others.
                let _ = setpriority_process(Some(gettid()), NICE);
                let over = Over(say);
                let result = scope_tui::run(options);
                over.tell(result);
            })
            .context("cannot start the terminal UI")?;
        Ok(Self { words, thread, trace: trace.to_path_buf(), leave })
    }

    /// The next thing it has to say; after its end, nothing.
    pub async fn word(&mut self) -> Word {
        match self.words.recv().await {
            Some(word) => word,
            None => std::future::pending().await,
        }
    }

    /// Has it end by itself, as by a signal.
    pub fn leave(&self) {
        self.leave.store(true, Ordering::Relaxed);
    }

    /// Waits until its user leaves it.
    pub async fn wait(mut self) -> anyhow::Result<Exit> {
        loop {
            if let Word::Over(result) = self.word().await {
                return self.over(result);
            }
        }
    }

    /// What became of it, once it said that it is over.
    ///
    /// # Errors
    ///
    /// Why it could not go on.
    pub fn over(self, result: Result<Exit, TuiError>) -> anyhow::Result<Exit> {
        // It ends right after its last word; of its panic that word says.
        let _ = self.thread.join();
        output::release_warnings();
        result.map_err(|error| replay::explained(&self.trace, error))
    }
}

/// Says that the UI is over, also when its thread panics.
struct Over(UnboundedSender<Word>);

impl Over {
    fn tell(self, result: Result<Exit, TuiError>) {
        // Nobody listens only when the program is ending.
        let _ = self.0.send(Word::Over(result));
        std::mem::forget(self);
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        let _ = self.0.send(Word::Over(Err(TuiError::Panicked)));
    }
}

/// Has the recording do what the UI's user wants.
struct Steering {
    switches: SharedSwitches,
    say: UnboundedSender<Word>,
}

impl Recorder for Steering {
    fn order(&mut self, order: Order) -> Result<(), String> {
        let done = match order {
            Order::Pause => self.switches.pause(true),
            Order::Resume => self.switches.pause(false),
            Order::Enable(function) => self.switches.enable(function, true),
            Order::Disable(function) => self.switches.enable(function, false),
            Order::Stop => {
                // As above.
                let _ = self.say.send(Word::Stop);
                Ok(())
            }
        };
        done.map_err(|error| format!("the kernel refuses: {error}"))
    }
}
