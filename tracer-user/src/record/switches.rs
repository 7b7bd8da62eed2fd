//! Which functions' calls are recorded, changed while probes are in.
//!
//! The kernel half looks at a flag of the function at each entry. A call that was entered before its
//! function was switched off is still seen to end, so that what is recorded stays whole; calls that are
//! made meanwhile are missing, which the trace says.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use aya::maps::{Array, MapData, MapError};
use scope_model::{Function, FunctionId};
use scope_store::HealthNote;
use tracer_common::FunctionFlags;

use super::drain::now_ns;

/// The flags, and what was done to them.
struct Switches {
    flags: Array<MapData, u32>,
    names: Vec<String>,
    paused: bool,
    disabled: BTreeSet<FunctionId>,
    /// What was done, for the record.
    done: Vec<HealthNote>,
}

/// Shared with whoever may change them.
#[derive(Clone)]
pub struct SharedSwitches(Arc<Mutex<Switches>>);

impl std::fmt::Debug for SharedSwitches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SharedSwitches").finish_non_exhaustive()
    }
}

impl SharedSwitches {
    /// Over the map of the kernel half; all functions are on.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn new(flags: Array<MapData, u32>, functions: &[Function]) -> Result<Self, MapError> {
        let names = functions.iter().map(|function| function.name.clone()).collect();
        let (disabled, done) = (BTreeSet::new(), Vec::new());
        let mut switches = Switches { flags, names, paused: false, disabled, done };
        switches.set_all()?;
        Ok(Self(Arc::new(Mutex::new(switches))))
    }

    /// Records no calls, or those of functions that are on.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn pause(&self, paused: bool) -> Result<(), MapError> {
        let mut switches = self.lock();
        if switches.paused != paused {
            switches.paused = paused;
            switches.set_all()?;
            let text = if paused { "paused: no calls are recorded" } else { "recorded again" };
            switches.note(text, Some(paused));
        }
        Ok(())
    }

    /// Records the calls of a function, or does not.
    ///
    /// # Errors
    ///
    /// When the kernel refuses.
    pub fn enable(&self, function: FunctionId, enabled: bool) -> Result<(), MapError> {
        let mut switches = self.lock();
        let Some(name) = switches.names.get(function.index()).cloned() else { return Ok(()) };
        let changed = match enabled {
            true => switches.disabled.remove(&function),
            false => switches.disabled.insert(function),
        };
        if changed {
            switches.set(function)?;
            let how = if enabled { "recorded again" } else { "not recorded any more" };
            switches.note(&format!("calls of {name} are {how}"), None);
        }
        Ok(())
    }

    /// What was done so far, from the one of that number on.
    pub fn done_since(&self, number: usize) -> Vec<HealthNote> {
        self.lock().done.get(number..).unwrap_or_default().to_vec()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Switches> {
        // Whoever panicked left flags that are set again as a whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Switches {
    fn set_all(&mut self) -> Result<(), MapError> {
        (0..self.names.len()).try_for_each(|id| self.set(FunctionId(id as u32)))
    }

    fn set(&mut self, function: FunctionId) -> Result<(), MapError> {
        let on = !self.paused && !self.disabled.contains(&function);
        self.flags.set(function.0, if on { FunctionFlags::ENABLED } else { 0 }, 0)
    }

    fn note(&mut self, text: &str, paused: Option<bool>) {
        self.done.push(HealthNote { time_ns: now_ns(), text: text.to_owned(), paused });
    }
}
