//! Where calls were made, remembered: a program has few places, and calls each of them often.

use std::sync::Arc;

use rustc_hash::FxHashMap;
use scope_model::{FunctionId, OpenCall, Pid};

use super::Code;

/// A call expression.
#[derive(Debug, Default)]
pub(crate) struct SiteText {
    /// Its node.
    pub(crate) node_id: Option<String>,
    pub(crate) file: Option<String>,
    pub(crate) line: Option<u32>,
}

/// Looks places up for one reader.
#[derive(Debug, Default)]
pub(crate) struct Sites {
    /// By where the modules lay, return address and function.
    known: FxHashMap<(Option<usize>, u64, FunctionId), Arc<SiteText>>,
}

impl Sites {
    pub(crate) fn of(&mut self, code: &Code, pid: Pid, call: &OpenCall) -> Arc<SiteText> {
        let layouts = code.noted(code.map.layouts());
        let layout = layouts.and_then(|layouts| layouts.at(pid, call.entered_ns));
        // A layout stays where it is for as long as the code does.
        let layout = layout.map(|layout| std::ptr::from_ref(layout).addr());
        let key = (layout, call.return_address, call.function);
        let known = self.known.entry(key).or_insert_with(|| Arc::new(find(code, pid, call)));
        Arc::clone(known)
    }
}

fn find(code: &Code, pid: Pid, call: &OpenCall) -> SiteText {
    let callee = code.trace.functions().get(call.function.index());
    let site = callee.and_then(|callee| {
        code.noted(code.map.call_site(pid, call.entered_ns, call.return_address, callee))
    });
    let Some(site) = site else { return SiteText::default() };
    SiteText {
        node_id: site.node_id().map(|id| id.to_string()),
        file: site.place().map(|place| place.file.clone()),
        line: site.place().map(|place| place.line),
    }
}
