//! Tests that ask the sources: which syntax a call was made from.

use std::cell::RefCell;

use rustc_hash::FxHashMap;
use scope_code::{CodeMap, Constructs};
use scope_model::{FunctionId, OpenCall, Pid};
use scope_symbols::glob::Glob;
use scope_symbols::names;

use crate::{Timeline, TimelineError};

/// What is asked of the syntax around a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// The kinds of its nodes.
    Kind,
    /// The patterns found at them.
    Pattern,
}

/// A test, and what it said of the places it was asked about: a program has few places, and calls from
/// each of them often.
#[derive(Debug)]
pub(super) struct SyntaxTest {
    ask: Ask,
    equal: bool,
    glob: Glob,
    known: RefCell<FxHashMap<Site, bool>>,
}

/// What makes a place: where the modules lay, return address and function.
type Site = (Option<usize>, u64, FunctionId);

impl SyntaxTest {
    /// A test of a trace.
    ///
    /// # Errors
    ///
    /// [`TimelineError::NoSources`]; [`TimelineError::NoMatch`] for a name that no language of its
    /// sources has.
    pub(super) fn new(
        timeline: &Timeline<'_>,
        ask: Ask,
        glob: &Glob,
        equal: bool,
    ) -> Result<Self, TimelineError> {
        let code = timeline.code();
        if code.sources()?.is_empty() {
            return Err(TimelineError::NoSources);
        }
        let known = code.known_constructs()?;
        let (what, all) = match ask {
            Ask::Kind => ("kind of node in the sources", known.kinds),
            Ask::Pattern => ("pattern for the sources", known.patterns),
        };
        if !all.iter().any(|name| glob.matches(name)) {
            return Err(TimelineError::NoMatch {
                what,
                pattern: glob.pattern().to_owned(),
                nearest: names::nearest(glob, all.iter().map(|name| &**name)),
            });
        }
        Ok(Self { ask, equal, glob: glob.clone(), known: RefCell::default() })
    }

    /// Whether it holds of a call; false where no call expression is known to have made it.
    pub(super) fn holds(
        &self,
        timeline: &Timeline<'_>,
        pid: Pid,
        call: &OpenCall,
    ) -> Result<bool, TimelineError> {
        let code = timeline.code();
        let layout = code.layouts()?.at(pid, call.entered_ns);
        // A layout stays where it is for as long as the code does.
        let layout = layout.map(|layout| std::ptr::from_ref(layout).addr());
        let site = (layout, call.return_address, call.function);
        if let Some(known) = self.known.borrow().get(&site) {
            return Ok(*known);
        }
        let found = constructs(code, timeline, pid, call)?;
        let holds = found.is_some_and(|found| {
            let names = match self.ask {
                Ask::Kind => &found.kinds,
                Ask::Pattern => &found.patterns,
            };
            names.iter().any(|name| self.glob.matches(name)) == self.equal
        });
        self.known.borrow_mut().insert(site, holds);
        Ok(holds)
    }
}

fn constructs(
    code: &CodeMap,
    timeline: &Timeline<'_>,
    pid: Pid,
    call: &OpenCall,
) -> Result<Option<Constructs>, TimelineError> {
    let Some(callee) = timeline.trace().functions().get(call.function.index()) else {
        return Ok(None);
    };
    let site = code.call_site(pid, call.entered_ns, call.return_address, callee)?;
    Ok(code.constructs(&site)?)
}
