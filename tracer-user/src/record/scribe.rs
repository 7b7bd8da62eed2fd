//! Keeps the code of the target in the trace: tables of its modules, where they are loaded, sources.
//!
//! That takes seconds for a large program that was never seen before, so it is done aside, while the
//! recording runs, by threads that get what CPU time nobody else wants. The target's call sites are
//! known at the end: then come the sources that they stand in.

use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use rustix::process::{Pid, setpriority_process};
use rustix::thread::gettid;
use scope_code::{Keeper, Layout, ModuleFile};
use scope_model::{Function, ModuleId};
use scope_symbols::DebugFiles;
use scope_symbols::code::CodeCache;
use scope_symbols::sources::SourceMap;
use tokio::sync::oneshot;

use super::target::LoadedModule;

/// A module whose code is to be kept.
#[derive(Debug)]
pub struct ModuleCode {
    id: ModuleId,
    path: String,
    file: File,
    debug_files: DebugFiles,
}

impl ModuleCode {
    /// Of a file that functions are probed in.
    ///
    /// # Errors
    ///
    /// When there are too many open files.
    pub fn of(module: &LoadedModule) -> std::io::Result<Self> {
        Ok(Self {
            id: module.module.id,
            path: module.module.path.clone(),
            file: module.file.try_clone()?,
            debug_files: module.debug_files.clone(),
        })
    }
}

/// What the recording found out.
#[derive(Debug)]
enum News {
    Layouts(Vec<Layout>),
    End(Vec<Layout>, Vec<(ModuleId, u64)>, oneshot::Sender<Vec<String>>),
}

/// What a scribe will be told.
#[derive(Debug)]
pub struct Inbox {
    news: Receiver<News>,
    crew: Crew,
}

impl Inbox {
    /// Begins with the modules, for the trace in a folder.
    ///
    /// # Errors
    ///
    /// When no thread can be started.
    pub fn start(
        self,
        trace: PathBuf,
        modules: Vec<ModuleCode>,
        functions: Vec<Function>,
        map: SourceMap,
    ) -> anyhow::Result<()> {
        std::thread::Builder::new()
            .name("scope-code".into())
            .spawn(move || {
                self.crew.join();
                let keeper = Keeper::new(trace, map);
                let work = Work { keeper, modules, functions, warnings: Vec::new() };
                work.run(&self.news, &self.crew);
            })
            .context("cannot start the thread that keeps the code")?;
        Ok(())
    }
}

/// The thread that writes, once [`Inbox::start`] was called.
#[derive(Clone, Debug)]
pub struct Scribe {
    news: Sender<News>,
    crew: Crew,
}

impl Scribe {
    /// A scribe that has not begun.
    #[must_use]
    pub fn new() -> (Self, Inbox) {
        let (sender, news) = channel();
        let crew = Crew::default();
        (Self { news: sender, crew: crew.clone() }, Inbox { news, crew })
    }

    /// Tells where modules are loaded now.
    pub fn layouts(&self, all: Vec<Layout>) {
        // The thread is gone only after a panic, which `finish` reports.
        let _ = self.news.send(News::Layouts(all));
    }

    /// Has the rest written. What comes back: remarks for the user, once all is written.
    #[must_use]
    pub fn finish(
        &self,
        layouts: Vec<Layout>,
        sites: Vec<(ModuleId, u64)>,
    ) -> oneshot::Receiver<Vec<String>> {
        let (done, written) = oneshot::channel();
        // As above.
        let _ = self.news.send(News::End(layouts, sites, done));
        self.crew.hurry();
        written
    }
}

struct Work {
    keeper: Keeper,
    modules: Vec<ModuleCode>,
    functions: Vec<Function>,
    warnings: Vec<String>,
}

impl Work {
    fn run(mut self, news: &Receiver<News>, crew: &Crew) {
        let members = crew.clone();
        let threads = rayon::ThreadPoolBuilder::new()
            .thread_name(|number| format!("scope-code-{number}"))
            .start_handler(move |_| members.join())
            .build();
        match threads {
            Ok(threads) => threads.install(|| self.begin()),
            Err(error) => self.warn("its modules were not read", &error),
        }
        while let Ok(mut next) = news.recv() {
            // Of several layouts the last counts.
            while matches!(next, News::Layouts(_))
                && let Ok(newer) = news.try_recv()
            {
                next = newer;
            }
            match next {
                News::Layouts(all) => self.layouts(&all),
                News::End(all, sites, done) => {
                    self.layouts(&all);
                    self.keeper.want(&self.functions, &sites);
                    self.sources();
                    // Nobody waits any more after a second Ctrl-C.
                    let _ = done.send(self.warnings);
                    return;
                }
            }
        }
    }

    fn begin(&mut self) {
        let cache = CodeCache::of_user();
        for module in std::mem::take(&mut self.modules) {
            let ModuleCode { id, path, file, debug_files } = &module;
            let file = ModuleFile {
                id: *id,
                path,
                file,
                debug_files,
                cache: cache.as_ref(),
                progress: &|_| {},
            };
            if let Err(error) = self.keeper.module(&file) {
                self.warn(&format!("nothing is known of the code of {path}"), &error);
            }
        }
        self.keeper.want(&self.functions, &[]);
        self.sources();
    }

    fn layouts(&mut self, all: &[Layout]) {
        if let Err(error) = self.keeper.layouts(all) {
            self.warn("where modules were loaded is not kept", &error);
        }
    }

    fn sources(&mut self) {
        if let Err(error) = self.keeper.sources() {
            self.warn("sources are not kept", &error);
        }
    }

    fn warn(&mut self, what: &str, error: &dyn std::error::Error) {
        self.warnings.push(format!("the code map is not whole: {what}: {error}"));
    }
}

/// The threads that read the code, which give way to everybody else until the recording has ended.
#[derive(Clone, Debug, Default)]
struct Crew(Arc<Mutex<Vec<Pid>>>);

impl Crew {
    /// The calling thread joins. Failing leaves the target a little slower, not wrong.
    fn join(&self) {
        let thread = gettid();
        let _ = setpriority_process(Some(thread), 19);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
    }

    /// Somebody waits for them now.
    fn hurry(&self) {
        for thread in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // A thread that has ended needs no time; one that may not be hurried goes on as it is.
            let _ = setpriority_process(Some(*thread), 0);
        }
    }
}
