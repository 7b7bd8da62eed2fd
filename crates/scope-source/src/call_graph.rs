//! Who calls whom, by name.
//!
//! A call is tied to the functions of that name: those of its own file first, those of all files
//! else; a qualified call to those whose scopes it names. Types are not known: a method's call is
//! tied to every method of that name, and says how many there are ([`CallTarget`]). Calls through
//! values, and what macros expand to, have no target; recorded calls can add what really happened
//! ([`CallGraph::add_observed`]).

use rustc_hash::{FxHashMap, FxHashSet};
use serde::{Deserialize, Serialize};

use crate::outline::{Call, CallKind, Function, FunctionIndex, FunctionKind};
use crate::source_file::SourceFile;

/// A method's call is tied to no more functions of its name: beyond that the name says nothing.
const MOST_CANDIDATES: usize = 16;

/// Functions of one name that are looked at.
const MOST_NAMESAKES: usize = 1024;

/// A function of one of the linked files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FunctionRef {
    /// Index of its file.
    pub file: u32,
    /// Index in the file.
    pub function: FunctionIndex,
}

/// What a call was tied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallTarget {
    /// The only function of that name.
    Unique,
    /// One of so many.
    OneOf(u32),
    /// It was seen at run time.
    Observed,
}

/// A call of a function by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallEdge {
    /// The caller.
    pub from: FunctionRef,
    /// The callee.
    pub to: FunctionRef,
    /// The call expression, an index into the caller's [`SourceFile::calls`]; nothing for calls
    /// seen at run time whose place is not known.
    pub call: Option<u32>,
    /// How sure it is.
    pub target: CallTarget,
}

/// The calls between the functions of some files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallGraph {
    /// The calls, by caller.
    pub edges: Vec<CallEdge>,
    /// Calls with no function of their name in the files.
    pub external: u32,
}

impl CallGraph {
    /// Ties the calls of files to their functions.
    #[must_use]
    pub fn link(files: &[&SourceFile]) -> Self {
        let mut names: FxHashMap<&str, Vec<FunctionRef>> = FxHashMap::default();
        for (file, source) in files.iter().enumerate() {
            for (function, of) in source.functions().iter().enumerate() {
                if of.kind != FunctionKind::Closure {
                    let (file, function) = (file as u32, function as FunctionIndex);
                    let same = names.entry(&of.name).or_default();
                    if same.len() < MOST_NAMESAKES {
                        same.push(FunctionRef { file, function });
                    }
                }
            }
        }
        let mut graph = Self::default();
        for (file, source) in files.iter().enumerate() {
            for (index, call) in source.calls().iter().enumerate() {
                let Some(function) = call.function else { continue };
                let from = FunctionRef { file: file as u32, function };
                let found = candidates(files, &names, from, source, call);
                if found.is_empty() {
                    graph.external += 1;
                }
                let target = match found.len() {
                    1 => CallTarget::Unique,
                    many => CallTarget::OneOf(many as u32),
                };
                graph.edges.extend(found.into_iter().take(MOST_CANDIDATES).map(|to| CallEdge {
                    from,
                    to,
                    call: Some(index as u32),
                    target,
                }));
            }
        }
        graph.edges.sort_by_key(|edge| (edge.from, edge.call, edge.to));
        graph
    }

    /// Adds a call that was seen at run time, unless it is there for sure already.
    pub fn add_observed(&mut self, from: FunctionRef, to: FunctionRef, call: Option<u32>) {
        let known = self.callees(from).iter().any(|edge| {
            edge.to == to && (call.is_none() || edge.call == call) && edge.target.is_sure()
        });
        if !known {
            let edge = CallEdge { from, to, call, target: CallTarget::Observed };
            let key = (from, call, to);
            let at = self.edges.partition_point(|edge| (edge.from, edge.call, edge.to) <= key);
            self.edges.insert(at, edge);
        }
    }

    /// The calls out of a function.
    #[must_use]
    pub fn callees(&self, of: FunctionRef) -> &[CallEdge] {
        let start = self.edges.partition_point(|edge| edge.from < of);
        let end = self.edges.partition_point(|edge| edge.from <= of);
        &self.edges[start..end]
    }

    /// The calls of a function.
    pub fn callers(&self, of: FunctionRef) -> impl Iterator<Item = &CallEdge> {
        self.edges.iter().filter(move |edge| edge.to == of)
    }

    /// How many functions each function calls and is called by, as `(fan_in, fan_out)`.
    #[must_use]
    pub fn fans(&self) -> FxHashMap<FunctionRef, (u32, u32)> {
        let pairs: FxHashSet<_> = self.edges.iter().map(|edge| (edge.from, edge.to)).collect();
        let mut fans: FxHashMap<FunctionRef, (u32, u32)> = FxHashMap::default();
        for (from, to) in pairs {
            fans.entry(from).or_default().1 += 1;
            fans.entry(to).or_default().0 += 1;
        }
        fans
    }

    /// The functions that may call themselves, directly or through others: those on cycles.
    ///
    /// Tarjan's strongly connected components (SIAM J. Comput. 1972), with a stack of its own.
    #[must_use]
    pub fn recursive(&self) -> Vec<FunctionRef> {
        let mut found = Vec::new();
        let mut state: FxHashMap<FunctionRef, (u32, u32, bool)> = FxHashMap::default();
        let mut component = Vec::new();
        let mut next = 0;
        let starts: FxHashSet<FunctionRef> = self.edges.iter().map(|edge| edge.from).collect();
        for start in starts {
            if state.contains_key(&start) {
                continue;
            }
            let mut work = vec![(start, 0_usize)];
            state.insert(start, (next, next, true));
            component.push(start);
            next += 1;
            while let Some((at, edge)) = work.last_mut() {
                let at = *at;
                let callees = self.callees(at);
                let Some(out) = callees.get(*edge) else {
                    work.pop();
                    let (own, low, _) = state[&at];
                    if let Some((above, _)) = work.last()
                        && let Some(above) = state.get_mut(above)
                    {
                        above.1 = above.1.min(low);
                    }
                    if own == low {
                        let begin = component.iter().rposition(|one| *one == at).unwrap_or(0);
                        let members = component.split_off(begin);
                        let cyclic = members.len() > 1 || callees.iter().any(|edge| edge.to == at);
                        for member in members {
                            if let Some(member) = state.get_mut(&member) {
                                member.2 = false;
                            }
                            if cyclic {
                                found.push(member);
                            }
                        }
                    }
                    continue;
                };
                *edge += 1;
                match state.get(&out.to).copied() {
                    None => {
                        state.insert(out.to, (next, next, true));
                        component.push(out.to);
                        next += 1;
                        work.push((out.to, 0));
                    }
                    Some((index, _, true)) => {
                        if let Some(at) = state.get_mut(&at) {
                            at.1 = at.1.min(index);
                        }
                    }
                    Some(_) => {}
                }
            }
        }
        found.sort_unstable();
        found
    }
}

impl CallTarget {
    /// Whether it is no guess.
    #[must_use]
    pub const fn is_sure(self) -> bool {
        matches!(self, Self::Unique | Self::Observed)
    }
}

/// The functions a call may mean.
fn candidates(
    files: &[&SourceFile],
    names: &FxHashMap<&str, Vec<FunctionRef>>,
    from: FunctionRef,
    source: &SourceFile,
    call: &Call,
) -> Vec<FunctionRef> {
    if call.kind == CallKind::Macro {
        return Vec::new();
    }
    let Ok(name) = std::str::from_utf8(source.slice(call.name)) else { return Vec::new() };
    let Some(all) = names.get(name) else { return Vec::new() };
    let get = |of: &FunctionRef| -> Option<&Function> {
        files.get(of.file as usize)?.functions().get(of.function as usize)
    };
    let before = source.slice((call.callee.0, call.name.0));
    let language = source.language();
    let same = |of: &&FunctionRef| {
        files.get(of.file as usize).is_some_and(|file| speak_alike(file, source))
    };
    let separator = language.definition().separator;
    let qualifier = std::str::from_utf8(before).unwrap_or_default();
    let qualifier = match qualifier.strip_suffix(separator) {
        Some(scopes) => scopes.rsplit(separator).next().unwrap_or(scopes),
        None => "",
    };
    let own_type = get(&from).and_then(|function| scope_of(function, separator));
    let by_type = |wanted: &str| -> Vec<FunctionRef> {
        let wanted = wanted.split('<').next().unwrap_or(wanted);
        let matches = |of: &&FunctionRef| {
            get(of).and_then(|function| scope_of(function, separator)) == Some(wanted)
        };
        all.iter().filter(same).filter(matches).copied().collect()
    };
    // `Self::f`, `self.f`, `this->f` are of the caller's own type if it has such a function.
    let own = matches!(before, b"self." | b"Self::" | b"this->");
    if own && let Some(own_type) = own_type {
        let found = by_type(own_type);
        if !found.is_empty() {
            return found;
        }
    }
    if !own && !qualifier.is_empty() {
        let found = by_type(qualifier);
        if !found.is_empty() {
            return found;
        }
        // A type of that name that is not here (`Vec::new`) is another one's.
        if qualifier.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Vec::new();
        }
    }
    let method = before.ends_with(b".") || before.ends_with(b"->");
    let fits = |of: &&FunctionRef| {
        get(of).is_some_and(|function| !method || function.kind == FunctionKind::Method)
            || language.name() == "go"
    };
    let plain = before.is_empty();
    let free = |of: &&FunctionRef| {
        !plain
            || language.name() != "rust"
            || get(of).is_some_and(|function| function.kind == FunctionKind::Function)
    };
    let fitting: Vec<FunctionRef> =
        all.iter().filter(same).filter(fits).filter(free).copied().collect();
    let here: Vec<FunctionRef> =
        fitting.iter().filter(|of| of.file == from.file).copied().collect();
    if here.is_empty() || method { fitting } else { here }
}

/// C and C++ call each other; others keep to themselves.
fn speak_alike(one: &SourceFile, other: &SourceFile) -> bool {
    let family = |file: &SourceFile| match file.language().name() {
        "cpp" => "c",
        name => name,
    };
    family(one) == family(other)
}

/// The innermost scope of a function's name, without generic arguments: `Conn` of
/// `net::<Conn<T> as Read>::read`.
fn scope_of<'a>(function: &'a Function, separator: &str) -> Option<&'a str> {
    let scopes = function.qualified_name.strip_suffix(&*function.name)?;
    let scopes = scopes.strip_suffix(separator)?;
    let last = crate::outline::last_segment(scopes).trim_start_matches('<');
    let last = last.split(" as ").next().unwrap_or(last).trim_matches(['(', ')', '*']);
    Some(last.split('<').next().unwrap_or(last))
}
