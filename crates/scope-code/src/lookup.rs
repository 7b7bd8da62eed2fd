//! From functions and return addresses to places and nodes.

use std::sync::{Arc, PoisonError};

use scope_model::{Function, FunctionId, ModuleId, Pid};
use scope_source::{Found, How, NodeId, TextHash};
use scope_symbols::CodeTables;
use scope_symbols::code::{CodeFrame, Place};
use scope_symbols::names;
use serde::{Deserialize, Serialize};

use crate::{CodeError, CodeMap, CodePlace, Freshness, Reason, SourceNumber};

/// What makes a call site: its module, the return address in it, and what is called.
pub(crate) type SiteKey = (ModuleId, u64, FunctionId);

/// Where a recorded function stands in its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeFunction {
    /// Where it is declared.
    pub place: Option<CodePlace>,
    /// The source, where there is one.
    pub source: Option<SourceNumber>,
    /// Whether the source is what was compiled.
    pub freshness: Option<Freshness>,
    /// Its node; where [`CodeFunction::reason`] says so, the nearest around its place.
    pub node: Option<Found>,
    /// Fingerprint of its text.
    pub text_hash: Option<TextHash>,
    /// Why there is no node of its own.
    pub reason: Option<Reason>,
}

impl CodeFunction {
    /// The id of its own node.
    #[must_use]
    pub fn node_id(&self) -> Option<NodeId> {
        self.node.filter(|_| self.reason.is_none()).map(|found| found.id)
    }
}

/// Where a call was made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallSite {
    /// The function that made it and, before it, those inlined there: the one that the call stands in
    /// first. Empty where [`CallSite::reason`] says why.
    pub frames: Vec<SiteFrame>,
    /// The frame whose call expression the call is tied to: the first, or, where the source of inlined
    /// code is not known, the one that called what was inlined.
    pub tied: usize,
    /// Why it is tied to no call expression.
    pub reason: Option<Reason>,
}

impl CallSite {
    /// The id of the call expression.
    #[must_use]
    pub fn node_id(&self) -> Option<NodeId> {
        self.tied_frame().filter(|_| self.reason.is_none())?.node.map(|found| found.id)
    }

    /// Where the call expression stands.
    #[must_use]
    pub fn place(&self) -> Option<&CodePlace> {
        self.tied_frame()?.place.as_ref()
    }

    /// The frame whose call expression the call is tied to.
    #[must_use]
    pub fn tied_frame(&self) -> Option<&SiteFrame> {
        self.frames.get(self.tied)
    }

    /// The call itself stands in inlined code whose source is not known.
    #[must_use]
    pub const fn is_through_inlined_code(&self) -> bool {
        self.tied > 0
    }

    fn unknown(reason: Reason) -> Self {
        Self { frames: Vec::new(), tied: 0, reason: Some(reason) }
    }
}

/// A function at a call site: the one called from the frame before it, or the one that was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteFrame {
    /// Readable name of the function in which the call stands.
    pub function: String,
    /// It has no code of its own here: it was inlined into the next one.
    pub inlined: bool,
    /// Where the call is made.
    pub place: Option<CodePlace>,
    /// The source, where there is one.
    pub source: Option<SourceNumber>,
    /// Whether the source is what was compiled.
    pub freshness: Option<Freshness>,
    /// The call expression; where [`SiteFrame::reason`] says so, the nearest node around its place.
    pub node: Option<Found>,
    /// Why there is no call expression of its own.
    pub reason: Option<Reason>,
}

impl CodeMap {
    /// Where a recorded function stands.
    ///
    /// # Errors
    ///
    /// When a part that is needed is damaged.
    pub fn function(&self, function: &Function) -> Result<CodeFunction, CodeError> {
        let none = |reason| CodeFunction { reason: Some(reason), ..CodeFunction::default() };
        let Some(tables) = self.tables(function.module)? else {
            return Ok(none(Reason::NoTables));
        };
        let Some(found) = tables.function_at(function.address) else {
            return Ok(none(Reason::NoFunction));
        };
        let Some(place) = code_place(tables, &found.declared) else {
            let made = found.from_dwarf && found.is_artificial;
            return Ok(none(if made { Reason::Generated } else { Reason::NoLine }));
        };
        let seen = self.look(&place, |file| file.function_at(place.line, Some(found.name)))?;
        let Seen { source, freshness, node, text_hash, reason } = seen;
        let reason = reason.or_else(|| why_none(node, freshness));
        Ok(CodeFunction { place: Some(place), source, freshness, node, text_hash, reason })
    }

    /// Where a call of `callee` was made, by the address in a process to which it returns.
    ///
    /// # Errors
    ///
    /// When a part that is needed is damaged.
    pub fn call_site(
        &self,
        pid: Pid,
        time_ns: u64,
        return_address: u64,
        callee: &Function,
    ) -> Result<Arc<CallSite>, CodeError> {
        let (module, address) = match self.locate(pid, time_ns, return_address)? {
            Ok(located) => located,
            Err(reason) => return Ok(Arc::new(CallSite::unknown(reason))),
        };
        self.call_site_at(module, address, callee)
    }

    /// As [`CodeMap::call_site`], by the address in the module that holds it.
    ///
    /// # Errors
    ///
    /// When a part that is needed is damaged.
    pub fn call_site_at(
        &self,
        module: ModuleId,
        return_address: u64,
        callee: &Function,
    ) -> Result<Arc<CallSite>, CodeError> {
        let key = (module, return_address, callee.id);
        if let Some(site) = self.sites.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(Arc::clone(site));
        }
        let site = Arc::new(self.find_site(module, return_address, callee)?);
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(sites.entry(key).or_insert(site)))
    }

    /// The module whose code an address in a process belongs to, and the address in it; or why that
    /// cannot be told.
    ///
    /// # Errors
    ///
    /// When a part that is needed is damaged.
    pub fn locate(
        &self,
        pid: Pid,
        time_ns: u64,
        address: u64,
    ) -> Result<Result<(ModuleId, u64), Reason>, CodeError> {
        if address == 0 {
            return Ok(Err(Reason::TailCall));
        }
        let layout = self.layouts()?.at(pid, time_ns);
        let Some(layout) = layout.filter(|layout| !layout.modules.is_empty()) else {
            return Ok(Err(Reason::NotLocated));
        };
        let mut without_tables = false;
        for loaded in &layout.modules {
            let Some(tables) = self.tables(loaded.module)? else {
                without_tables = true;
                continue;
            };
            let inside = address.wrapping_sub(loaded.bias);
            // The call ends just before.
            if tables.function_at(inside.wrapping_sub(1)).is_some() {
                return Ok(Ok((loaded.module, inside)));
            }
        }
        Ok(Err(if without_tables { Reason::NoTables } else { Reason::OtherModule }))
    }

    fn find_site(
        &self,
        module: ModuleId,
        return_address: u64,
        callee: &Function,
    ) -> Result<CallSite, CodeError> {
        let Some(tables) = self.tables(module)? else {
            return Ok(CallSite::unknown(Reason::NoTables));
        };
        // Innermost first: what it calls is what was recorded, what the next calls is the one before.
        let found = tables.call_site(return_address);
        let mut frames = Vec::with_capacity(found.len());
        let mut called = callee.name.as_str();
        for frame in found.iter().rev() {
            frames.push(self.site_frame(tables, frame, called)?);
            called = frame.name;
        }
        // Inlined code without source is part of the expression that called it.
        let known =
            |frame: &SiteFrame| !matches!(frame.reason, Some(Reason::NoSource | Reason::NoLine));
        let tied = frames.iter().position(known).unwrap_or(0);
        let reason = match frames.get(tied) {
            Some(frame) => frame.reason,
            None => Some(Reason::NoFunction),
        };
        Ok(CallSite { frames, tied, reason })
    }

    fn site_frame(
        &self,
        tables: &CodeTables,
        frame: &CodeFrame<'_>,
        called: &str,
    ) -> Result<SiteFrame, CodeError> {
        let (function, inlined) = (frame.name.to_owned(), frame.inlined.is_some());
        let Some(place) = code_place(tables, &frame.place) else {
            let reason = Some(Reason::NoLine);
            let (place, source, freshness, node) = (None, None, None, None);
            return Ok(SiteFrame { function, inlined, place, source, freshness, node, reason });
        };
        let column = place.column.unwrap_or(0);
        let seen = self.look(&place, |file| file.call_to(place.line, column, called))?;
        let Seen { source, freshness, node, reason, .. } = seen;
        let is_call = node.is_none_or(|found| found.call.is_some());
        let reason = reason
            .or_else(|| why_none(node, freshness))
            .or_else(|| (!is_call).then_some(Reason::NotThere))
            .map(|reason| match reason {
                Reason::NotThere | Reason::Generated if is_implicit(called) => Reason::Implicit,
                reason => reason,
            });
        Ok(SiteFrame { function, inlined, place: Some(place), source, freshness, node, reason })
    }

    /// Looks for a node in the source of a place.
    fn look(
        &self,
        place: &CodePlace,
        find: impl FnOnce(&scope_source::SourceFile) -> Option<Found>,
    ) -> Result<Seen, CodeError> {
        let sources = self.sources()?;
        let Some(source) = sources.find(&place.file) else {
            return Ok(Seen { reason: Some(Reason::NoSource), ..Seen::default() });
        };
        let freshness = sources.entry(source).map(|entry| entry.freshness);
        let Some(file) = self.parsed(source)? else {
            let reason = Some(Reason::NotParsed);
            return Ok(Seen { source: Some(source), freshness, reason, ..Seen::default() });
        };
        let node = find(&file);
        let function = node.and_then(|found| file.functions().get(found.function? as usize));
        let text_hash = function.map(|function| function.text_hash);
        Ok(Seen { source: Some(source), freshness, node, text_hash, reason: None })
    }
}

/// What was found in a source.
#[derive(Default)]
struct Seen {
    source: Option<SourceNumber>,
    freshness: Option<Freshness>,
    node: Option<Found>,
    text_hash: Option<TextHash>,
    reason: Option<Reason>,
}

/// Whether a function is one that compilers call where no call expression stands.
fn is_implicit(name: &str) -> bool {
    let last = names::last_segment(name);
    // `T::T(…)` of C++, also of a template.
    let owner = name.rfind(&format!("::{last}(")).map(|at| names::last_segment(&name[..at]));
    last.starts_with('~')
        || owner.is_some_and(|owner| owner == last)
        || name.starts_with("core::ptr::drop_in_place")
        || name.ends_with(" as core::ops::drop::Drop>::drop")
}

/// Why a node that was found is none of its own.
fn why_none(node: Option<Found>, freshness: Option<Freshness>) -> Option<Reason> {
    match node {
        Some(Found { how: How::InsideMacro, .. }) => Some(Reason::InMacro),
        // Code at a place where no function stands, in the text that was compiled: an attribute, a type
        // that something is derived for, a macro's definition.
        Some(Found { how: How::Enclosing, function: None, .. })
            if !freshness.is_some_and(Freshness::is_stale) =>
        {
            Some(Reason::Generated)
        }
        None | Some(Found { how: How::Enclosing, .. }) => Some(Reason::NotThere),
        Some(_) => None,
    }
}

fn code_place(tables: &CodeTables, place: &Place) -> Option<CodePlace> {
    let file = tables.path(place);
    let line = place.line.filter(|_| !file.is_empty())?;
    Some(CodePlace { file: file.to_owned(), line, column: place.column.map(u32::from) })
}

#[cfg(test)]
mod tests {
    use super::is_implicit;

    #[test]
    fn constructors_and_destructors_are_called_implicitly() {
        for name in [
            "ScopedMetric::~ScopedMetric()",
            "ns::LinePrinter::LinePrinter(int, char const*)",
            "Box<int>::Box(Box<int> const&)",
            "core::ptr::drop_in_place<alloc::string::String>",
            "<demo::Guard as core::ops::drop::Drop>::drop",
        ] {
            assert!(is_implicit(name), "{name}");
        }
        for name in ["ns::run(int)", "run", "demo::Guard::drop_all", "Printer::Print(Printer)"] {
            assert!(!is_implicit(name), "{name}");
        }
    }
}
