//! Nodes of the functions and calls of a trace, as the reading commands show them.
//!
//! The code map says more of a trace; what the trace says without it is shown also where that is damaged
//! or missing. Damage is told once.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use scope_code::{CodeError, CodeFunction, CodeMap};
use scope_model::{FunctionId, Pid};
use scope_source::NodeId;
use scope_store::Trace;
use serde::Serialize;

use super::reading;
use crate::output::units;

/// A trace, and the nodes in it.
pub struct Nodes<'t> {
    trace: &'t Trace,
    map: CodeMap,
    functions: RefCell<HashMap<FunctionId, CodeFunction>>,
    told: Cell<bool>,
}

/// Where a call was made. Null where that is not known.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CallOrigin {
    /// The call expression.
    pub call_node_id: Option<NodeId>,
    /// Where it stands.
    pub call_file: Option<String>,
    /// From 1.
    pub call_line: Option<u32>,
}

impl CallOrigin {
    /// The end of the path and the line, for a person.
    pub fn short(&self) -> Option<String> {
        Some(units::place(self.call_file.as_deref()?, self.call_line?))
    }
}

impl<'t> Nodes<'t> {
    /// Of a trace; nothing is read yet.
    pub fn of(trace: &'t Trace) -> Self {
        let map = CodeMap::of_trace(trace);
        Self { trace, map, functions: RefCell::default(), told: Cell::new(false) }
    }

    /// The trace.
    pub fn trace(&self) -> &'t Trace {
        self.trace
    }

    /// The node of a function.
    pub fn of_function(&self, id: FunctionId) -> Option<NodeId> {
        if let Some(known) = self.functions.borrow().get(&id) {
            return known.node_id();
        }
        let function = reading::function(self.trace, id)?;
        let found = self.told(self.map.function(function))?;
        let node = found.node_id();
        self.functions.borrow_mut().insert(id, found);
        node
    }

    /// Where a call was made.
    pub fn of_call(
        &self,
        pid: Pid,
        time_ns: u64,
        return_address: u64,
        function: FunctionId,
    ) -> CallOrigin {
        let Some(callee) = reading::function(self.trace, function) else {
            return CallOrigin::default();
        };
        let site = self.told(self.map.call_site(pid, time_ns, return_address, callee));
        site.map_or_else(CallOrigin::default, |site| CallOrigin {
            call_node_id: site.node_id(),
            call_file: site.place().map(|place| place.file.clone()),
            call_line: site.place().map(|place| place.line),
        })
    }

    fn told<T>(&self, found: Result<T, CodeError>) -> Option<T> {
        match found {
            Ok(found) => Some(found),
            Err(error) => {
                if !self.told.replace(true) {
                    let path = self.trace.path().display();
                    log::warn!("places in the code are left out: {error}; scope verify {path}");
                }
                None
            }
        }
    }
}
