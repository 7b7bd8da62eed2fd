//! Where modules are loaded in the traced processes, and from where they are called, found out from the
//! records as they come.
//!
//! A return address names a call site only to whoever knows where its module lies. For a process that
//! was there, and for one that was forked from it, that is known from the start. After `exec` the kernel
//! half tells where the program's code begins, and that it is one of the modules shows when one of its
//! functions is called; for a library, `/proc/PID/maps` is read when one of its functions is called
//! first.

use std::fs::File;
use std::os::unix::fs::MetadataExt;

use rustc_hash::{FxHashMap, FxHashSet};
use scope_code::{Layout, LoadedModule as Loaded};
use scope_model::{Function, ModuleId, Pid, RawEvent, RawKind, Tid};
use scope_symbols::image::Segment;
use scope_symbols::process::{self, Mappings, ProcessModule};

use super::target::LoadedModule;

/// Call sites that were seen lately: nearly every call comes from one of them.
const RECENT: usize = 1 << 12;
/// Call sites that are remembered, at most.
const MOST_SITES: usize = 1 << 20;

/// A file that functions are probed in.
#[derive(Clone, Debug)]
pub struct ModuleFacts {
    id: ModuleId,
    path: String,
    inode: Option<u64>,
    segments: Vec<Segment>,
}

impl ModuleFacts {
    /// Of a file that was looked at.
    #[must_use]
    pub fn of(module: &LoadedModule) -> Self {
        Self {
            id: module.module.id,
            path: module.module.path.clone(),
            inode: inode(&module.file),
            segments: module.image.segments.clone(),
        }
    }

    fn is(&self, mapped: &ProcessModule) -> bool {
        self.inode == Some(mapped.inode) || self.path == mapped.path
    }

    fn code(&self) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(|segment| segment.executable)
    }

    /// What is added to its addresses where its code begins at this address: the kernel takes the lowest
    /// executable segment (`load_elf_binary`).
    fn bias_of_program(&self, code_start: u64) -> Option<u64> {
        Some(code_start.wrapping_sub(self.code().map(|segment| segment.address).min()?))
    }

    fn holds(&self, address: u64) -> bool {
        self.code().any(|segment| address.wrapping_sub(segment.address) < segment.file_size)
    }
}

fn inode(file: &File) -> Option<u64> {
    Some(file.metadata().ok()?.ino())
}

/// Follows the processes of a recording.
#[derive(Debug)]
pub struct LoadedModules {
    modules: Vec<ModuleFacts>,
    module_of: Vec<ModuleId>,
    processes: FxHashMap<Pid, Process>,
    /// Of the traced threads; children name their parent by its thread.
    threads: FxHashMap<Tid, Pid>,
    layouts: Vec<Layout>,
    changed: bool,
    /// The process and module of the latest call.
    latest: Option<(Pid, ModuleId)>,
    recent: Vec<(Pid, u64)>,
    sites: FxHashSet<(ModuleId, u64)>,
}

/// What is known of a process.
#[derive(Clone, Debug, Default)]
struct Process {
    /// Its layout, which may be that of the process it was forked from.
    layout: Option<usize>,
    /// When the present program was begun, or the process forked, ns; 0: before the recording.
    since_ns: u64,
    /// Where the code of the program begins.
    code_start: Option<u64>,
    /// Modules that were looked for, found or not.
    looked_for: FxHashSet<ModuleId>,
}

impl LoadedModules {
    /// For the modules and functions of a recording. `running`: the process is there and runs its program
    /// already; else its layout is known when it does.
    #[must_use]
    pub fn new(
        modules: Vec<ModuleFacts>,
        functions: &[Function],
        target: Pid,
        running: bool,
    ) -> Self {
        let mut found = Self {
            modules,
            module_of: functions.iter().map(|function| function.module).collect(),
            processes: FxHashMap::default(),
            threads: FxHashMap::default(),
            layouts: Vec::new(),
            changed: false,
            latest: None,
            recent: vec![(Pid(0), 0); RECENT],
            sites: FxHashSet::default(),
        };
        let mut process = Process::default();
        if running && let Ok(mappings) = process::modules(target.0) {
            found.layouts.push(Layout { pid: target, since_ns: 0, modules: Vec::new() });
            process.layout = Some(0);
            found.locate_all(&mut process, &mappings);
        }
        found.processes.insert(target, process);
        found
    }

    /// Takes note of a thread that is there already.
    pub fn thread(&mut self, tid: Tid, pid: Pid) {
        self.threads.insert(tid, pid);
    }

    /// Takes note of a record.
    #[inline]
    pub fn see(&mut self, raw: &RawEvent) {
        match raw.kind {
            RawKind::Entry { function, return_address, .. } => {
                let Some(module) = self.module_of.get(function.index()).copied() else { return };
                if self.latest != Some((raw.pid, module)) {
                    self.first_call(raw.pid, module);
                    self.latest = Some((raw.pid, module));
                }
                let place = &mut self.recent[slot(raw.pid, return_address)];
                if *place != (raw.pid, return_address) {
                    *place = (raw.pid, return_address);
                    self.note_site(raw.pid, return_address);
                }
            }
            RawKind::NewTask { parent, same_process, .. } => {
                self.threads.insert(raw.tid, raw.pid);
                if !same_process {
                    self.fork(raw.pid, parent, raw.time_ns);
                }
            }
            RawKind::Exec { .. } => {
                let since_ns = raw.time_ns;
                self.processes.insert(raw.pid, Process { since_ns, ..Process::default() });
                self.latest = None;
            }
            RawKind::Program { code_start } => {
                if let Some(process) = self.processes.get_mut(&raw.pid) {
                    process.code_start = Some(code_start);
                }
            }
            RawKind::TaskExit { last, .. } => {
                self.threads.remove(&raw.tid);
                if last {
                    self.processes.remove(&raw.pid);
                }
            }
            _ => {}
        }
    }

    /// The layouts so far, if any came since they were taken last.
    pub fn take_changed(&mut self) -> Option<Vec<Layout>> {
        std::mem::take(&mut self.changed).then(|| self.layouts.clone())
    }

    /// All layouts, and all call sites: return addresses in their module.
    #[must_use]
    pub fn finish(self) -> (Vec<Layout>, Vec<(ModuleId, u64)>) {
        let mut sites: Vec<_> = self.sites.into_iter().collect();
        sites.sort_unstable();
        (self.layouts, sites)
    }

    fn fork(&mut self, child: Pid, parent: Tid, since_ns: u64) {
        let parent = self.threads.get(&parent).copied().unwrap_or(Pid(parent.0));
        let inherited = self.processes.get(&parent).cloned().unwrap_or_default();
        self.processes.insert(child, Process { since_ns, ..inherited });
    }

    /// A function of the module is called in the process, perhaps for the first time.
    #[cold]
    fn first_call(&mut self, pid: Pid, module: ModuleId) {
        let mut process = self.processes.remove(&pid).unwrap_or_default();
        self.own_layout(pid, &mut process);
        if process.looked_for.insert(module) {
            let known = |found: &Self, process: &Process| {
                let layout = process.layout.and_then(|index| found.layouts.get(index));
                layout.is_some_and(|layout| layout.bias(module).is_some())
            };
            // The program itself comes first among the modules.
            if !known(self, &process)
                && module == ModuleId(0)
                && let Some(start) = process.code_start
                && let Some(bias) =
                    self.modules.first().and_then(|file| file.bias_of_program(start))
            {
                self.add(&process, Loaded { module, bias });
            }
            if !known(self, &process)
                && let Ok(mappings) = process::modules(pid.0)
            {
                self.locate_all(&mut process, &mappings);
            }
        }
        self.processes.insert(pid, process);
    }

    /// Gives a process a layout that it may add to. The target's first one serves its children too: a
    /// process without one of its own is read as having that.
    fn own_layout(&mut self, pid: Pid, process: &mut Process) {
        let of_other = process.layout.filter(|index| {
            *index != 0 && self.layouts.get(*index).is_none_or(|layout| layout.pid != pid)
        });
        if process.layout.is_some() && of_other.is_none() {
            return;
        }
        let inherited = of_other.and_then(|index| self.layouts.get(index));
        let modules = inherited.map(|layout| layout.modules.clone()).unwrap_or_default();
        process.layout = Some(self.layouts.len());
        self.layouts.push(Layout { pid, since_ns: process.since_ns, modules });
        self.changed = true;
    }

    fn locate_all(&mut self, process: &mut Process, mappings: &Mappings) {
        for file in self.modules.clone() {
            let mapped = mappings.modules.iter().find(|mapped| file.is(mapped));
            if let Some(bias) = mapped.and_then(|mapped| mapped.bias(&file.segments)) {
                process.looked_for.insert(file.id);
                self.add(process, Loaded { module: file.id, bias });
            }
        }
    }

    fn add(&mut self, process: &Process, loaded: Loaded) {
        let layout = process.layout.and_then(|index| self.layouts.get_mut(index));
        if let Some(layout) = layout
            && layout.bias(loaded.module).is_none()
        {
            layout.modules.push(loaded);
            self.changed = true;
        }
    }

    #[cold]
    fn note_site(&mut self, pid: Pid, return_address: u64) {
        let Some(layout) = self.processes.get(&pid).and_then(|process| process.layout) else {
            return;
        };
        let Some(layout) = self.layouts.get(layout) else { return };
        let inside = layout.modules.iter().find_map(|loaded| {
            let address = return_address.wrapping_sub(loaded.bias);
            let file = self.modules.get(loaded.module.0 as usize)?;
            // The call ends just before.
            file.holds(address.wrapping_sub(1)).then_some((loaded.module, address))
        });
        if let Some(site) = inside
            && self.sites.len() < MOST_SITES
        {
            self.sites.insert(site);
        }
    }
}

/// Where a call site is among the recent ones.
fn slot(pid: Pid, return_address: u64) -> usize {
    let mixed = (return_address ^ u64::from(pid.0) << 40).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 52) as usize % RECENT
}

#[cfg(test)]
mod tests {
    use scope_model::{FunctionId, SiteClass, ThreadName};

    use super::*;

    const CODE: Segment =
        Segment { address: 0x1000, file_offset: 0x1000, file_size: 0x2000, executable: true };

    /// A recording of a program that is not there yet, so that nothing is read from `/proc`.
    fn recording() -> LoadedModules {
        let file = |id: u32| ModuleFacts {
            id: ModuleId(id),
            path: format!("/nowhere/{id}"),
            inode: None,
            segments: vec![CODE],
        };
        let function = Function {
            id: FunctionId(0),
            name: "f".to_owned(),
            symbol: "f".to_owned(),
            module: ModuleId(0),
            address: 0x1000,
            size: 16,
            file: None,
            line: None,
            site: SiteClass::Emulated,
            inlined_copies: 0,
        };
        LoadedModules::new(vec![file(0), file(1)], &[function], Pid(NOBODY), false)
    }

    /// No process has an id so high.
    const NOBODY: u32 = 0x7fff_0000;

    fn raw(time_ns: u64, pid: u32, kind: RawKind) -> RawEvent {
        RawEvent { time_ns, pid: Pid(NOBODY + pid), tid: Tid(NOBODY + pid), kind }
    }

    fn program(recording: &mut LoadedModules, time_ns: u64, pid: u32, code_start: u64) {
        let name = ThreadName::new("program");
        recording.see(&raw(time_ns, pid, RawKind::Exec { old_tid: Tid(NOBODY + pid), name }));
        recording.see(&raw(time_ns + 1, pid, RawKind::Program { code_start }));
    }

    fn call(recording: &mut LoadedModules, time_ns: u64, pid: u32, return_address: u64) {
        let kind = RawKind::Entry {
            function: FunctionId(0),
            stack_pointer: 0,
            return_address,
            watched: true,
            on_signal_stack: false,
        };
        recording.see(&raw(time_ns, pid, kind));
    }

    fn fork(recording: &mut LoadedModules, time_ns: u64, parent: u32, child: u32) {
        let parent = Tid(NOBODY + parent);
        let name = ThreadName::new("child");
        let kind = RawKind::NewTask { parent, same_process: false, shares_memory: false, name };
        recording.see(&raw(time_ns, child, kind));
    }

    fn layout(pid: u32, since_ns: u64, bias: u64) -> Layout {
        let modules = vec![Loaded { module: ModuleId(0), bias }];
        Layout { pid: Pid(NOBODY + pid), since_ns, modules }
    }

    #[test]
    fn a_program_is_located_by_where_its_code_begins() {
        let mut recording = recording();
        program(&mut recording, 10, 0, 0x5000_1000);
        assert_eq!(recording.take_changed(), None);
        call(&mut recording, 20, 0, 0x5000_1234);
        call(&mut recording, 21, 0, 0x5000_1234);
        call(&mut recording, 22, 0, 0x7000_0000);
        assert_eq!(recording.take_changed(), Some(vec![layout(0, 10, 0x5000_0000)]));
        assert_eq!(recording.take_changed(), None);
        let (_, sites) = recording.finish();
        assert_eq!(sites, [(ModuleId(0), 0x1234)]);
    }

    #[test]
    fn a_child_has_the_first_layout_of_the_target_without_being_listed() {
        let mut recording = recording();
        program(&mut recording, 10, 0, 0x5000_1000);
        call(&mut recording, 20, 0, 0x5000_1234);
        fork(&mut recording, 30, 0, 1);
        call(&mut recording, 40, 1, 0x5000_1300);
        let (layouts, sites) = recording.finish();
        assert_eq!(layouts, [layout(0, 10, 0x5000_0000)]);
        assert_eq!(sites, [(ModuleId(0), 0x1234), (ModuleId(0), 0x1300)]);
    }

    #[test]
    fn a_program_run_anew_lies_elsewhere_and_so_do_its_children() {
        let mut recording = recording();
        program(&mut recording, 10, 0, 0x5000_1000);
        call(&mut recording, 20, 0, 0x5000_1234);
        fork(&mut recording, 30, 0, 1);
        program(&mut recording, 40, 1, 0x6000_1000);
        call(&mut recording, 50, 1, 0x6000_1234);
        fork(&mut recording, 60, 1, 2);
        call(&mut recording, 70, 2, 0x6000_1300);
        program(&mut recording, 80, 0, 0x7000_1000);
        call(&mut recording, 90, 0, 0x7000_1400);
        let (layouts, sites) = recording.finish();
        let expected = [
            layout(0, 10, 0x5000_0000),
            layout(1, 40, 0x6000_0000),
            layout(2, 60, 0x6000_0000),
            layout(0, 80, 0x7000_0000),
        ];
        assert_eq!(layouts, expected);
        assert_eq!(sites.len(), 3);
    }

    #[test]
    fn a_process_that_is_gone_has_no_module() {
        let mut recording = recording();
        call(&mut recording, 20, 5, 0x5000_1234);
        let (layouts, sites) = recording.finish();
        let modules = layouts.iter().map(|layout| layout.modules.len());
        assert_eq!(modules.sum::<usize>(), 0);
        assert_eq!(sites, []);
    }
}
