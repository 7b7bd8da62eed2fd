//! Finds definitions and uses of a function's locals, in one pass over its nodes in preorder.
//!
//! Each node inherits from its parent what a name there would mean ([`Mode`]). A definition takes
//! effect where its construct ends, so that in `let x = x + 1` the use sees the older `x`.

use rustc_hash::FxHashMap;

use super::reaching::{Event, solve};
use super::{DefinitionKind, Dfg, LocalDefinition, Variable};
use crate::ast::{Ast, AstId};
use crate::cfg::{Cfg, CfgIndex, CfgKind};
use crate::language::{Mark, Role, Slot};
use crate::outline::{Function, FunctionKind};
use crate::source_file::SourceFile;

const NONE: u32 = u32::MAX;

/// Closures nested deeper have no data flow: each level walks those below again.
const MOST_NESTED: u32 = 24;

/// What a name means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// It is read.
    Use,
    /// It declares a local.
    Bind,
    /// It is assigned.
    Assign,
    /// It is read, then assigned.
    Update,
    /// It is no local.
    Ignore,
}

/// What a node inherits.
#[derive(Clone, Copy, Debug)]
struct Place {
    mode: Mode,
    /// The node from which on a definition counts.
    until: u32,
    /// The construct that binds: one name in it is one local.
    root: u32,
    cfg: CfgIndex,
    /// It stands in a closure of the function.
    foreign: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pending {
    until: u32,
    /// How many scopes were open: those opened since close first.
    scopes: usize,
    event: Event,
    symbol: u32,
    kind: DefinitionKind,
    binds: bool,
    root: u32,
    foreign: bool,
}

/// A local that a name stands for at the moment.
#[derive(Clone, Copy, Debug)]
struct Binding {
    /// `NONE` for a closure's own.
    variable: u32,
    root: u32,
    scope: u32,
}

/// Builds the data flow of a file's functions.
pub(crate) struct Collector<'a> {
    file: &'a SourceFile,
    ast: &'a Ast,
    /// For each node that is a name: a number for its text.
    symbols: Vec<u32>,
    current: Vec<Option<Binding>>,
    undo: Vec<(u32, Option<Binding>)>,
    /// Where open scopes end, and the undo log's length at their beginnings.
    scopes: Vec<(u32, usize)>,
    pending: Vec<Pending>,
    places: Vec<Place>,
    own: Vec<CfgIndex>,
    events: Vec<Event>,
    dfg: Dfg,
}

impl<'a> Collector<'a> {
    pub(crate) fn new(file: &'a SourceFile) -> Self {
        let ast = file.ast();
        let mut numbers: FxHashMap<&[u8], u32> = FxHashMap::default();
        let mut symbols = vec![NONE; ast.len()];
        for (at, node) in ast.nodes().iter().enumerate() {
            if matches!(node.role, Role::Name | Role::BindingName) {
                let next = numbers.len() as u32;
                symbols[at] = *numbers.entry(file.slice((node.start, node.end))).or_insert(next);
            }
        }
        Self {
            file,
            ast,
            symbols,
            current: vec![None; numbers.len()],
            undo: Vec::new(),
            scopes: Vec::new(),
            pending: Vec::new(),
            places: Vec::new(),
            own: Vec::new(),
            events: Vec::new(),
            dfg: Dfg::default(),
        }
    }

    pub(crate) fn build(&mut self, function: &Function, cfg: &Cfg) -> Dfg {
        self.dfg = Dfg::default();
        if self.depth_of(function) > MOST_NESTED {
            self.dfg.truncated = true;
            return std::mem::take(&mut self.dfg);
        }
        self.events.clear();
        let base = function.node.0;
        let end = self.ast.subtree_end(function.node).0;
        self.own.clear();
        self.own.resize((end - base) as usize, NONE);
        for (index, node) in cfg.nodes.iter().enumerate().skip(2) {
            if node.kind != CfgKind::Deferred
                && let Some(own) = self.own.get_mut((node.ast.0.wrapping_sub(base)) as usize)
            {
                *own = index as CfgIndex;
            }
        }
        self.places.clear();
        self.places.push(Place {
            mode: Mode::Use,
            until: 0,
            root: 0,
            cfg: Cfg::ENTRY,
            foreign: false,
        });
        let mut at = base + 1;
        while at < end {
            self.settle(at);
            let id = AstId(at);
            let node = self.ast.node(id);
            let place = self.place(id, base);
            self.places.push(place);
            match node.role {
                Role::Function
                | Role::Method
                | Role::Item
                | Role::Impl
                | Role::Scope
                | Role::TypeScope => {
                    let next = self.ast.subtree_end(id).0;
                    // Places of skipped nodes are never asked for, but keep the count.
                    self.places.resize((next - base) as usize, place);
                    at = next;
                    continue;
                }
                Role::Name | Role::BindingName => self.name(id, place),
                role if opens_scope(role) => self.open(self.ast.subtree_end(id).0),
                _ => {}
            }
            at += 1;
        }
        self.settle(end);
        self.settle(NONE);
        solve(&mut self.dfg, cfg, &mut self.events);
        std::mem::take(&mut self.dfg)
    }

    fn depth_of(&self, function: &Function) -> u32 {
        let functions = self.file.functions();
        let mut depth = 0;
        let mut at = function;
        while let Some(parent) = at.parent.filter(|_| at.kind == FunctionKind::Closure) {
            depth += 1;
            if depth > MOST_NESTED {
                break;
            }
            at = &functions[parent as usize];
        }
        depth
    }

    fn open(&mut self, end: u32) {
        self.scopes.push((end, self.undo.len()));
    }

    /// Lets what was defined before `at` count, and ends scopes that end there.
    fn settle(&mut self, at: u32) {
        loop {
            let scope = self.scopes.last().map_or(NONE, |scope| scope.0);
            let pending = self.pending.last().map_or(NONE, |pending| pending.until);
            let depth = self.pending.last().map_or(0, |pending| pending.scopes);
            let inner = self.scopes.len() > depth;
            let first = pending < scope || pending == scope && !inner;
            if pending <= at && first && !self.pending.is_empty() {
                if let Some(pending) = self.pending.pop() {
                    self.define(pending);
                }
            } else if scope <= at && !self.scopes.is_empty() {
                let (_, length) = self.scopes.pop().unwrap_or_default();
                for (symbol, before) in self.undo.drain(length..).rev() {
                    self.current[symbol as usize] = before;
                }
            } else if at == NONE && !self.undo.is_empty() {
                for (symbol, before) in self.undo.drain(..).rev() {
                    self.current[symbol as usize] = before;
                }
            } else {
                return;
            }
        }
    }

    fn name(&mut self, id: AstId, place: Place) {
        let symbol = self.symbols[id.index()];
        let text = self.file.text_of(id);
        let definition = self.file.language().definition();
        let event = Event { node: place.cfg, ast: id, variable: NONE, definition: NONE };
        let (binds, kind) = match place.mode {
            Mode::Ignore => return,
            Mode::Use => return self.read(event, symbol),
            Mode::Update => {
                self.read(event, symbol);
                (false, DefinitionKind::Update)
            }
            Mode::Assign => (false, DefinitionKind::Assignment),
            Mode::Bind => {
                let constant = definition.capitals_are_constants
                    && text.first().is_some_and(u8::is_ascii_uppercase);
                if constant || text == definition.blank.as_bytes() {
                    return;
                }
                (true, DefinitionKind::Declaration)
            }
        };
        let parameter = binds && place.cfg == Cfg::ENTRY;
        let kind = if parameter { DefinitionKind::Parameter } else { kind };
        let (until, root, foreign) = (place.until, place.root, place.foreign);
        let scopes = self.scopes.len();
        let pending = Pending { until, scopes, event, symbol, kind, binds, root, foreign };
        if until <= id.0 {
            self.define(pending);
        } else {
            // Inner constructs end first: what waits stays sorted, the nearest end last.
            let from = self.pending.partition_point(|other| other.until >= until);
            self.pending.insert(from, pending);
        }
    }

    fn read(&mut self, event: Event, symbol: u32) {
        if let Some(binding) = self.current[symbol as usize]
            && binding.variable != NONE
        {
            self.events.push(Event { variable: binding.variable, ..event });
        }
    }

    fn define(&mut self, pending: Pending) {
        let Pending { event, symbol, kind, binds, root, foreign, .. } = pending;
        let now = self.current[symbol as usize];
        let scope = self.scopes.len() as u32;
        let again = self.file.language().definition().redeclaring_assigns;
        let (variable, kind) = match now {
            // `A(x) | B(x)` is one local.
            Some(binding) if binds && binding.root == root && root != 0 => return,
            Some(binding) if binds && again && binding.scope == scope => {
                (binding.variable, DefinitionKind::Assignment)
            }
            Some(binding) if !binds => (binding.variable, kind),
            None if !binds => return,
            _ => {
                let variable = if foreign { NONE } else { self.dfg.variables.len() as u32 };
                if !foreign {
                    let parameter = kind == DefinitionKind::Parameter;
                    self.dfg.variables.push(Variable { declared: event.ast, parameter });
                }
                self.undo.push((symbol, now));
                self.current[symbol as usize] = Some(Binding { variable, root, scope });
                (variable, kind)
            }
        };
        if variable == NONE {
            return;
        }
        let definition = self.dfg.definitions.len() as u32;
        self.dfg.definitions.push(LocalDefinition {
            variable,
            version: 0,
            node: event.node,
            ast: event.ast,
            kind,
        });
        self.events.push(Event { variable, definition, ..event });
    }

    /// What the node inherits from its parent.
    fn place(&mut self, id: AstId, base: u32) -> Place {
        let node = *self.ast.node(id);
        let Some(parent) = self.ast.parent(id) else { return self.places[0] };
        let above = self.places[(parent.0 - base) as usize];
        let outer = *self.ast.node(parent);
        let own = self.own[(id.0 - base) as usize];
        let mut place = above;
        if own != NONE {
            place.cfg = own;
        }
        place.mode = mode_of(above.mode, outer.role, outer.mark, node.role, node.slot);
        if node.role == Role::Closure {
            place.foreign = true;
        }
        if node.role == Role::Name && outer.role == Role::Tokens && self.after_dot(node.start) {
            place.mode = Mode::Ignore;
        }
        let defines = matches!(place.mode, Mode::Bind | Mode::Assign | Mode::Update);
        let defined = matches!(above.mode, Mode::Bind | Mode::Assign | Mode::Update);
        if defines && (!defined || outer.role == Role::Declarator) {
            place.root = parent.0;
            place.until = self.counts_from(parent, id);
            if outer.role == Role::LetCondition {
                self.end_before_else(parent);
            }
        }
        place
    }

    fn after_dot(&self, start: u32) -> bool {
        start > 0 && self.file.slice((start - 1, start)) == b"."
    }

    /// The node from which on what `construct` defines counts.
    fn counts_from(&self, construct: AstId, pattern: AstId) -> u32 {
        let end = self.ast.subtree_end(construct).0;
        match self.ast.node(construct).role {
            Role::Let => {
                // `int a = 1, b = a;`: a bare declarator counts at once, as does the next one.
                let bare = self.ast.node(pattern).slot == Slot::Declarator
                    && self.ast.child(construct, Slot::Value).is_none();
                if bare { 0 } else { end }
            }
            Role::Declarator | Role::LetCondition | Role::Assign | Role::CompoundAssign => end,
            Role::RangeClause | Role::Update => end,
            Role::ForEach => self.ast.child(construct, Slot::Body).map_or(end, |body| body.0),
            Role::Switch => self
                .ast
                .child(construct, Slot::Value)
                .map_or(0, |value| self.ast.subtree_end(value).0),
            _ => 0,
        }
    }

    /// What an `if let` binds is not known in its `else`.
    fn end_before_else(&mut self, condition: AstId) {
        let mut around = self.ast.ancestors(condition);
        let within = |outer: &AstId| {
            !matches!(self.ast.node(*outer).role, Role::AndChain | Role::Binary | Role::Wrapper)
        };
        let selection = around.find(within).filter(|outer| self.ast.node(*outer).role == Role::If);
        if let Some(then) = selection.and_then(|outer| self.ast.child(outer, Slot::Then)) {
            self.open(self.ast.subtree_end(then).0);
        }
    }
}

const fn opens_scope(role: Role) -> bool {
    matches!(
        role,
        Role::Block
            | Role::Closure
            | Role::Arm
            | Role::If
            | Role::While
            | Role::For
            | Role::ForEach
            | Role::Case
            | Role::Default
            | Role::Catch
            | Role::FallSwitch
            | Role::Switch
    )
}

/// What a name in `role` and `slot` means, below a node of role `outer` that means `above`.
fn mode_of(above: Mode, outer: Role, mark: Mark, role: Role, slot: Slot) -> Mode {
    match outer {
        Role::Path => return Mode::Ignore,
        // The parameters of a pointer's or prototype's type are nobody's locals.
        Role::Parameter | Role::Parameters if above == Mode::Ignore => return Mode::Ignore,
        Role::MacroCall if slot == Slot::Callee => return Mode::Ignore,
        Role::Parameter => {
            let named = matches!(slot, Slot::Pattern | Slot::Name | Slot::Declarator);
            return if named { Mode::Bind } else { Mode::Use };
        }
        Role::SelfParameter => return Mode::Bind,
        Role::Parameters if role != Role::Parameter && role != Role::SelfParameter => {
            return if matches!(role, Role::Opaque | Role::Comment) {
                Mode::Use
            } else {
                Mode::Bind
            };
        }
        Role::Let | Role::Declarator => {
            let assigns = mark == Mark::Equals && slot == Slot::Left;
            return match slot {
                Slot::Left if assigns => Mode::Assign,
                Slot::Pattern | Slot::Left | Slot::Name | Slot::Declarator => Mode::Bind,
                _ => Mode::Use,
            };
        }
        Role::RangeClause if slot == Slot::Left => {
            return if mark == Mark::Equals { Mode::Assign } else { Mode::Bind };
        }
        Role::ForEach if matches!(slot, Slot::Pattern | Slot::Declarator) => return Mode::Bind,
        Role::LetCondition if slot == Slot::Pattern => return Mode::Bind,
        Role::Switch if slot == Slot::Alias => return Mode::Bind,
        Role::ArmPattern => {
            return if slot == Slot::Condition { Mode::Use } else { Mode::Bind };
        }
        Role::Assign if slot == Slot::Left => {
            return if mark == Mark::Equals { Mode::Assign } else { Mode::Update };
        }
        Role::CompoundAssign if slot == Slot::Left => return Mode::Update,
        Role::Update => return Mode::Update,
        _ => {}
    }
    match above {
        Mode::Bind => match (outer, slot) {
            // A prototype declares no local; a pointer to a function does.
            (Role::FunctionDeclarator, Slot::Declarator) if role == Role::InnerDeclarator => {
                Mode::Bind
            }
            (Role::FunctionDeclarator, _) => Mode::Ignore,
            (_, Slot::Type | Slot::Left | Slot::Right) => Mode::Ignore,
            (_, Slot::Value) => Mode::Use,
            (Role::Tokens | Role::MacroCall, _) => Mode::Use,
            _ if role == Role::Closure => Mode::Use,
            _ => Mode::Bind,
        },
        Mode::Assign | Mode::Update => match outer {
            Role::Access | Role::Unary | Role::Call | Role::MacroCall => Mode::Use,
            _ => above,
        },
        Mode::Use | Mode::Ignore => above,
    }
}
