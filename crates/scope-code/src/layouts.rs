//! Where the modules of traced processes were loaded.
//!
//! A module's code lies in a process at its own addresses plus a *bias*, which address space
//! randomisation chooses anew for each program that is run. A forked child has its parent's.

use rustc_hash::FxHashMap;
use scope_model::{ModuleId, Pid};
use serde::{Deserialize, Serialize};

use crate::CodeError;

/// The part of a trace that holds them: a JSON array of [`Layout`]s.
pub(crate) const PART: &str = "layouts";

/// Where modules lie in a process, from a time on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// The process.
    pub pid: Pid,
    /// From when on, ns on the trace's clock; 0: as long as it was recorded.
    pub since_ns: u64,
    /// The modules that were seen in it.
    pub modules: Vec<LoadedModule>,
}

/// A module in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedModule {
    /// Which.
    pub module: ModuleId,
    /// What is added to an address of the module's own.
    pub bias: u64,
}

impl Layout {
    /// What is added to a module's own addresses in this process; `None`: it was not seen there.
    #[must_use]
    pub fn bias(&self, module: ModuleId) -> Option<u64> {
        self.modules.iter().find(|loaded| loaded.module == module).map(|loaded| loaded.bias)
    }
}

/// All layouts of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layouts {
    all: Vec<Layout>,
    of_process: FxHashMap<Pid, Vec<usize>>,
}

impl Layouts {
    /// Of those that a recorder found, the target's first one before all others.
    #[must_use]
    pub fn new(all: Vec<Layout>) -> Self {
        let mut of_process: FxHashMap<Pid, Vec<usize>> = FxHashMap::default();
        for (index, layout) in all.iter().enumerate() {
            of_process.entry(layout.pid).or_default().push(index);
        }
        for indices in of_process.values_mut() {
            indices.sort_by_key(|index| all[*index].since_ns);
        }
        Self { all, of_process }
    }

    /// The layout of a process at a time. One without any of its own has the target's first: it was
    /// forked, and has run no program since.
    #[must_use]
    pub fn at(&self, pid: Pid, time_ns: u64) -> Option<&Layout> {
        let own = self.of_process.get(&pid).and_then(|indices| {
            let after = indices.partition_point(|index| self.all[*index].since_ns <= time_ns);
            // What was seen of a process before its first known program ran belongs to that one: the
            // time says when the layout was noticed.
            indices.get(after.saturating_sub(1)).map(|index| &self.all[*index])
        });
        own.or_else(|| self.all.first())
    }

    /// In the order in which they were found.
    #[must_use]
    pub fn all(&self) -> &[Layout] {
        &self.all
    }

    pub(crate) fn encode(all: &[Layout]) -> Result<Vec<u8>, CodeError> {
        serde_json::to_vec(all).map_err(|why| CodeError::part(PART, why))
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, CodeError> {
        serde_json::from_slice(bytes).map(Self::new).map_err(|why| CodeError::part(PART, why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(pid: u32, since_ns: u64, bias: u64) -> Layout {
        let modules = vec![LoadedModule { module: ModuleId(0), bias }];
        Layout { pid: Pid(pid), since_ns, modules }
    }

    #[test]
    fn a_process_has_its_latest_layout_and_a_fork_the_target_s_first() {
        let layouts = Layouts::new(vec![
            layout(7, 0, 0x1000),
            layout(7, 500, 0x2000),
            layout(8, 300, 0x3000),
            layout(8, 100, 0x4000),
        ]);
        let bias = |pid, time_ns| layouts.at(Pid(pid), time_ns).and_then(|at| at.bias(ModuleId(0)));
        assert_eq!(bias(7, 0), Some(0x1000));
        assert_eq!(bias(7, 499), Some(0x1000));
        assert_eq!(bias(7, 500), Some(0x2000));
        assert_eq!(bias(8, 99), Some(0x4000));
        assert_eq!(bias(8, 299), Some(0x4000));
        assert_eq!(bias(8, 300), Some(0x3000));
        assert_eq!(bias(9, 1000), Some(0x1000));
        assert_eq!(layouts.at(Pid(7), 0).and_then(|at| at.bias(ModuleId(1))), None);
        assert_eq!(Layouts::default().at(Pid(7), 0), None);
    }

    #[test]
    fn layouts_are_read_as_they_were_written() {
        let all = vec![layout(7, 0, 0x5555_5555_4000), layout(8, 1, 0)];
        let bytes = Layouts::encode(&all).unwrap();
        assert_eq!(Layouts::decode(&bytes).unwrap().all(), all);
        let error = Layouts::decode(b"[1]").unwrap_err().to_string();
        assert!(error.starts_with("part \"layouts\" of the trace cannot be understood"), "{error}");
    }
}
