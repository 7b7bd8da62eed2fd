//! A condition made one of a trace: names become ids, and what a block must hold is derived.

use scope_model::{Event, EventKind, FunctionId, RunState, ThreadName, ThreadState, Tid};
use scope_store::BlockFilter;
use scope_symbols::glob::Glob;
use scope_symbols::names;

use super::syntax::{Ask, SyntaxTest};
use super::{Comparison, Condition, Expression, StateIs, Test};
use crate::{Happening, Timeline, TimelineError, syscall};

/// A condition bound to a trace.
#[derive(Debug)]
pub(crate) struct Bound {
    node: Node,
    functions: Option<Vec<FunctionId>>,
    threads: Option<Vec<Tid>>,
    /// Numbers of the only events that can satisfy it.
    events: Option<Vec<u64>>,
    /// It asks about the state of threads.
    needs_state: bool,
}

/// An event, and what is known of its thread.
pub(crate) struct Context<'a> {
    pub(crate) timeline: &'a Timeline<'a>,
    /// The event; depth, call and duration are right only where states are followed.
    pub(crate) happening: Happening,
    /// The thread's name before the event, and whether it was known.
    pub(crate) before: Option<ThreadName>,
    /// The thread just after the event.
    pub(crate) after: Option<&'a ThreadState>,
}

/// Whether something holds; the error, which is rare, is kept small.
type Held = Result<bool, Box<TimelineError>>;

#[derive(Debug)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Leaf(Leaf),
    Syntax(SyntaxTest),
}

#[derive(Debug)]
enum Leaf {
    /// A call of one of these begins or ends. By function id.
    Calls(Vec<bool>),
    Within(bool, Vec<bool>),
    Tid(bool, Tid),
    Name(bool, Glob),
    Process(bool, u32),
    Depth(Comparison, u64),
    DurationNs(Comparison, u64),
    End(bool, scope_model::CallEnd, Vec<u64>),
    NeverEnds(bool, Vec<u64>),
    State(bool, StateIs),
    Syscall(bool, Vec<u32>),
    Kind(bool, &'static str),
}

/// What an event must be to satisfy a node; `None` asks for nothing. Sorted.
#[derive(Default)]
struct Necessary {
    functions: Option<Vec<FunctionId>>,
    threads: Option<Vec<Tid>>,
    events: Option<Vec<u64>>,
}

impl Bound {
    /// Binds a condition to a snapshot.
    pub(crate) fn new(
        condition: &Condition,
        timeline: &Timeline<'_>,
    ) -> Result<Self, TimelineError> {
        let node = bind(&once_a_call(&condition.expression), timeline)?;
        let Necessary { functions, threads, events } = necessary(&node);
        let needs_state = node.needs_state();
        Ok(Self { node, functions, threads, events, needs_state })
    }

    /// What a block must hold to be worth reading.
    pub(crate) fn filter(&self) -> BlockFilter<'_> {
        BlockFilter { functions: self.functions.as_deref(), threads: self.threads.as_deref() }
    }

    /// Whether events with these numbers can satisfy it.
    pub(crate) fn may_be_in(&self, first: u64, end: u64) -> bool {
        self.events.as_ref().is_none_or(|events| {
            let next = events.partition_point(|event| *event < first);
            events.get(next).is_some_and(|event| *event < end)
        })
    }

    /// Whether no event can satisfy it.
    pub(crate) fn is_empty(&self) -> bool {
        self.functions.as_ref().is_some_and(Vec::is_empty)
            || self.threads.as_ref().is_some_and(Vec::is_empty)
            || self.events.as_ref().is_some_and(Vec::is_empty)
    }

    pub(crate) fn needs_state(&self) -> bool {
        self.needs_state
    }

    /// # Errors
    ///
    /// What reading the code of the trace gives.
    pub(crate) fn holds(&self, context: &Context<'_>) -> Held {
        self.node.holds(context)
    }
}

/// Alternatives about calls are asked where calls begin, unless they say which events they mean.
fn once_a_call(expression: &Expression) -> Expression {
    match expression {
        Expression::Any(parts) => Expression::Any(parts.iter().map(once_a_call).collect()),
        other if other.mentions(Test::is_of_calls) && !other.mentions(Test::chooses_events) => {
            Expression::All(vec![Expression::Test(Test::Kind(false, "leave")), other.clone()])
        }
        other => other.clone(),
    }
}

fn bind(expression: &Expression, timeline: &Timeline<'_>) -> Result<Node, TimelineError> {
    let all = |parts: &[Expression]| -> Result<Vec<Node>, TimelineError> {
        parts.iter().map(|part| bind(part, timeline)).collect()
    };
    Ok(match expression {
        Expression::All(parts) => {
            let mut nodes = all(parts)?;
            nodes.sort_by_key(Node::cost);
            Node::All(nodes)
        }
        Expression::Any(parts) => Node::Any(all(parts)?),
        Expression::Not(part) => Node::Not(Box::new(bind(part, timeline)?)),
        Expression::Test(test) => bind_test(test, timeline)?,
    })
}

fn bind_test(test: &Test, timeline: &Timeline<'_>) -> Result<Node, TimelineError> {
    let syntax =
        |ask, glob, equal: &bool| SyntaxTest::new(timeline, ask, glob, *equal).map(Node::Syntax);
    let leaf = match test {
        Test::Node(equal, glob) => return syntax(Ask::Kind, glob, equal),
        Test::Pattern(equal, glob) => return syntax(Ask::Pattern, glob, equal),
        Test::Function(equal, glob) => Leaf::Calls(named(timeline, glob, *equal)?),
        Test::Within(equal, glob) => Leaf::Within(*equal, named(timeline, glob, true)?),
        Test::File(equal, glob) => Leaf::Calls(declared_in(timeline, glob, *equal)?),
        Test::Tid(equal, tid) => Leaf::Tid(*equal, Tid(*tid)),
        Test::ThreadName(equal, glob) => Leaf::Name(*equal, glob.clone()),
        Test::Process(equal, pid) => Leaf::Process(*equal, *pid),
        Test::Depth(comparison, depth) => Leaf::Depth(*comparison, *depth),
        Test::DurationNs(comparison, ns) => Leaf::DurationNs(*comparison, *ns),
        Test::End(true, end) => Leaf::End(true, *end, Vec::new()),
        Test::End(false, end) => Leaf::End(false, *end, open_at_end(timeline)?),
        Test::NeverEnds(equal) => Leaf::NeverEnds(*equal, open_at_end(timeline)?),
        Test::State(equal, state) => Leaf::State(*equal, *state),
        Test::Syscall(equal, number) => Leaf::Syscall(*equal, vec![*number]),
        Test::SyscallName(equal, glob) => {
            let machine = &timeline.trace().manifest().host.machine;
            let calls: Vec<_> = syscall::all(machine).collect();
            let fits = |(_, name): &&(u32, &str)| glob.matches(name);
            let numbers: Vec<u32> = calls.iter().filter(fits).map(|(number, _)| *number).collect();
            if numbers.is_empty() {
                let names = calls.iter().map(|(_, name)| *name);
                return Err(TimelineError::NoMatch {
                    what: "system call",
                    pattern: glob.pattern().to_owned(),
                    nearest: names::nearest(glob, names),
                });
            }
            Leaf::Syscall(*equal, numbers)
        }
        Test::Kind(equal, kind) => Leaf::Kind(*equal, kind),
    };
    Ok(Node::Leaf(leaf))
}

/// The functions with such a name, or with another one.
fn named(timeline: &Timeline<'_>, glob: &Glob, equal: bool) -> Result<Vec<bool>, TimelineError> {
    let functions = timeline.trace().functions();
    let fits = |function: &scope_model::Function| {
        names::matches(glob, &function.name) || glob.matches(&function.symbol)
    };
    let found: Vec<bool> = functions.iter().map(fits).collect();
    if !found.contains(&true) {
        return Err(TimelineError::NoMatch {
            what: "function",
            pattern: glob.pattern().to_owned(),
            nearest: names::nearest(glob, functions.iter().map(|function| &*function.name)),
        });
    }
    Ok(found.into_iter().map(|found| found == equal).collect())
}

/// The functions declared in such a file, or in another one.
fn declared_in(
    timeline: &Timeline<'_>,
    glob: &Glob,
    equal: bool,
) -> Result<Vec<bool>, TimelineError> {
    let functions = timeline.trace().functions();
    let fits = |file: &String| glob.matches_path(file);
    let found = |function: &scope_model::Function| function.file.as_ref().map(fits);
    if !functions.iter().any(|function| found(function) == Some(true)) {
        let files = functions.iter().filter_map(|function| function.file.as_deref());
        let files = files.map(|file| file.rsplit('/').next().unwrap_or(file));
        return Err(TimelineError::NoMatch {
            what: "source file",
            pattern: glob.pattern().to_owned(),
            nearest: names::nearest(glob, files),
        });
    }
    Ok(functions.iter().map(|function| found(function) == Some(equal)).collect())
}

/// Ids of the calls that are open at the end of the trace.
fn open_at_end(timeline: &Timeline<'_>) -> Result<Vec<u64>, TimelineError> {
    let state = timeline.trace().checkpoint(timeline.trace().block_count()?)?;
    let calls = state.threads().iter().flat_map(|thread| &thread.stack);
    let mut ids: Vec<u64> = calls.filter(|call| !call.inherited).map(|call| call.id).collect();
    ids.sort_unstable();
    Ok(ids)
}

impl Node {
    fn needs_state(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().any(Self::needs_state),
            Self::Not(part) => part.needs_state(),
            Self::Leaf(leaf) => leaf.needs_state(),
            // The end of a call does not say where it was made.
            Self::Syntax(_) => true,
        }
    }

    /// Cheap ones are asked first.
    fn cost(&self) -> u32 {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::cost).sum(),
            Self::Not(part) => part.cost(),
            Self::Leaf(Leaf::Name(..)) => 100,
            Self::Syntax(_) => 50,
            Self::Leaf(Leaf::Within(..)) => 20,
            Self::Leaf(leaf) if leaf.needs_state() => 3,
            Self::Leaf(_) => 1,
        }
    }

    fn holds(&self, context: &Context<'_>) -> Held {
        match self {
            Self::All(parts) => {
                for part in parts {
                    if !part.holds(context)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Any(parts) => {
                for part in parts {
                    if part.holds(context)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Self::Not(part) => Ok(!part.holds(context)?),
            Self::Syntax(test) => {
                let Happening { event, call, .. } = &context.happening;
                match call.as_ref().filter(|_| called(event).is_some()) {
                    Some(call) => Ok(test.holds(context.timeline, event.pid, call)?),
                    None => Ok(false),
                }
            }
            Self::Leaf(leaf) => Ok(leaf.holds(context)),
        }
    }
}

impl Leaf {
    fn needs_state(&self) -> bool {
        matches!(
            self,
            Self::Within(..)
                | Self::Name(..)
                | Self::Depth(..)
                | Self::DurationNs(..)
                | Self::State(..)
                | Self::Syscall(..)
        )
    }

    fn holds(&self, context: &Context<'_>) -> bool {
        let Happening { number, event, depth, duration_ns, .. } = context.happening;
        let is = |functions: &[bool], id: FunctionId| {
            functions.get(id.index()).copied().unwrap_or_default()
        };
        match self {
            Self::Calls(functions) => called(&event).is_some_and(|id| is(functions, id)),
            Self::Within(equal, functions) => {
                let open = context.after.map_or(&[] as &[_], |thread| &thread.stack);
                let ended = match event.kind {
                    EventKind::Leave { function, .. } => Some(function),
                    _ => None,
                };
                let mut calls = open.iter().map(|call| call.function).chain(ended);
                calls.any(|id| is(functions, id)) == *equal
            }
            Self::Tid(equal, tid) => (event.tid == *tid) == *equal,
            Self::Name(equal, glob) => {
                let name = context.after.map(|thread| thread.name).or(context.before);
                name.is_some_and(|name| glob.matches(&name.text()) == *equal)
            }
            Self::Process(equal, pid) => (event.pid.0 == *pid) == *equal,
            Self::Depth(comparison, value) => {
                called(&event).is_some() && comparison.holds(depth as u64, *value)
            }
            Self::DurationNs(comparison, value) => {
                duration_ns.is_some_and(|ns| comparison.holds(ns, *value))
            }
            Self::End(equal, end, never) => match event.kind {
                EventKind::Leave { end: how, .. } => (how == *end) == *equal,
                EventKind::Enter { .. } => !*equal && never.binary_search(&number).is_ok(),
                _ => false,
            },
            Self::NeverEnds(equal, never) => match event.kind {
                EventKind::Leave { .. } => !*equal,
                EventKind::Enter { .. } => *equal && never.binary_search(&number).is_ok(),
                _ => false,
            },
            Self::State(equal, state) => {
                let run = match (context.after, context.before) {
                    (Some(thread), _) => Some(thread.run),
                    // Its last switch: it is not heard of again.
                    (None, Some(_)) => Some(RunState::Ended),
                    (None, None) => None,
                };
                run.is_some_and(|run| (state_is(run) == *state) == *equal)
            }
            Self::Syscall(equal, numbers) => {
                let number = match event.kind {
                    EventKind::SyscallExit { number, .. } => Some(number),
                    _ => context.after.and_then(|thread| thread.syscall).map(|call| call.number),
                };
                number.is_some_and(|number| numbers.contains(&number) == *equal)
            }
            Self::Kind(equal, kind) => (event.kind.name() == *kind) == *equal,
        }
    }
}

/// The function of a call that begins or ends.
fn called(event: &Event) -> Option<FunctionId> {
    match event.kind {
        EventKind::Enter { function, inherited: false, .. } | EventKind::Leave { function, .. } => {
            Some(function)
        }
        _ => None,
    }
}

fn state_is(run: RunState) -> StateIs {
    match run {
        RunState::Unknown => StateIs::Unknown,
        RunState::Running { .. } => StateIs::Running,
        RunState::Runnable { .. } => StateIs::Runnable,
        RunState::Blocked { .. } => StateIs::Blocked,
        RunState::Ended => StateIs::Ended,
    }
}

fn necessary(node: &Node) -> Necessary {
    match node {
        Node::Leaf(Leaf::Calls(functions)) => {
            let ids = (0..).zip(functions).filter(|(_, chosen)| **chosen);
            let ids = ids.map(|(id, _)| FunctionId(id)).collect();
            Necessary { functions: Some(ids), ..Necessary::default() }
        }
        Node::Leaf(Leaf::Tid(true, tid)) => {
            Necessary { threads: Some(vec![*tid]), ..Necessary::default() }
        }
        Node::Leaf(Leaf::NeverEnds(true, events)) => {
            Necessary { events: Some(events.clone()), ..Necessary::default() }
        }
        Node::Leaf(_) | Node::Not(_) | Node::Syntax(_) => Necessary::default(),
        Node::All(parts) => {
            parts.iter().map(necessary).fold(Necessary::default(), |a, b| Necessary {
                functions: both(a.functions, b.functions),
                threads: both(a.threads, b.threads),
                events: both(a.events, b.events),
            })
        }
        Node::Any(parts) => {
            let mut parts = parts.iter().map(necessary);
            let first = parts.next().unwrap_or_default();
            parts.fold(first, |a, b| Necessary {
                functions: either(a.functions, b.functions),
                threads: either(a.threads, b.threads),
                events: either(a.events, b.events),
            })
        }
    }
}

fn both<T: Ord>(a: Option<Vec<T>>, b: Option<Vec<T>>) -> Option<Vec<T>> {
    match (a, b) {
        (Some(mut a), Some(b)) => {
            a.retain(|item| b.binary_search(item).is_ok());
            Some(a)
        }
        (a, b) => a.or(b),
    }
}

fn either<T: Ord>(a: Option<Vec<T>>, b: Option<Vec<T>>) -> Option<Vec<T>> {
    let (mut a, b) = (a?, b?);
    a.extend(b);
    a.sort_unstable();
    a.dedup();
    Some(a)
}
