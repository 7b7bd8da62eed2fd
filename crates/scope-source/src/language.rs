//! What the engine knows of a language: a table from node kinds to roles, from fields to slots,
//! and the queries of its patterns.
//!
//! The engine never names a node kind of a grammar. A language says, in a file of its own under
//! `languages/`, which of its kinds is an `if`, a loop, a call, a definition; adding a language is
//! adding a file and a line in a list here. What no table can say (a preprocessor, macros) is not
//! modelled: such nodes are opaque.

use std::fmt;
use std::sync::OnceLock;

use crate::languages::{c, cpp, go, rust};

/// What a node is to the engine. Kinds that a table does not name are [`Role::Plain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Evaluated with its parent, children in source order.
    Plain,
    /// Not looked into: types, imports, preprocessor lines.
    Opaque,
    /// A comment.
    Comment,
    /// A literal whose white space counts.
    Literal,
    /// An attribute that belongs to the item after it.
    Attribute,
    /// An identifier that may be a local.
    Name,
    /// A name in a pattern that always binds (`S { x }`).
    BindingName,
    /// A qualified name (`a::b`); never a local.
    Path,

    /// A function; below a class or impl, a method.
    Function,
    /// A function with a receiver of its own (Go).
    Method,
    /// An anonymous function or async block.
    Closure,
    /// What a constructor does before its body.
    Initializers,
    /// A named scope: module, namespace.
    Scope,
    /// A type that functions are declared in: class, trait.
    TypeScope,
    /// A Rust impl block: named by type and trait.
    Impl,
    /// An item without control flow of its own (a nested type, a constant).
    Item,

    /// A sequence of statements.
    Block,
    /// A statement that wraps one expression.
    Statement,
    /// An expression in parentheses, or the clause around a condition.
    Wrapper,
    /// The `else` around an alternative.
    Else,
    /// `if`.
    If,
    /// `c ? a : b`.
    Ternary,
    /// `while`.
    While,
    /// `do … while`.
    DoWhile,
    /// `for` with initialiser, condition and update, any of them absent.
    For,
    /// The three parts of a `for`, where the grammar groups them.
    ForClause,
    /// The header of a `for` over a range, where the grammar has it apart.
    RangeClause,
    /// `for` over the elements of something.
    ForEach,
    /// A loop without condition.
    Loop,
    /// A switch whose cases fall through.
    FallSwitch,
    /// A switch whose cases end by themselves; without default it goes on.
    Switch,
    /// A choice among ready channels: it waits when nothing is ready and there is no default.
    Select,
    /// A match: one arm is always taken.
    Match,
    /// A case of a switch, or its default when it has no value.
    Case,
    /// The default of a switch.
    Default,
    /// An arm of a match.
    Arm,
    /// The pattern of an arm, with its guard.
    ArmPattern,
    /// Goes on in the next case.
    Fallthrough,
    /// `return`.
    Return,
    /// `break`, with or without label or value.
    Break,
    /// `continue`.
    Continue,
    /// `goto`.
    Goto,
    /// A statement with a label before it.
    Labeled,
    /// A label's name.
    LabelName,
    /// `throw`.
    Throw,
    /// `e?`.
    TryOperator,
    /// `try` with handlers.
    TryBlock,
    /// A handler.
    Catch,
    /// Runs when the function ends.
    Defer,
    /// Two operands and an operator; short-circuit by its mark.
    Binary,
    /// Operands joined by `&&`.
    AndChain,
    /// One operand and an operator; a negation by its mark.
    Unary,
    /// `pattern = value` as a condition.
    LetCondition,
    /// Alternatives chosen before compilation.
    Conditional,
    /// What a [`Role::Conditional`] has instead.
    ConditionalElse,
    /// Waits for a future.
    Await,

    /// A call.
    Call,
    /// A macro's invocation.
    MacroCall,
    /// Makes an object, calling its constructor.
    New,

    /// Declares locals: `pattern`/`name`/`left`/`declarator` slots, then their values.
    Let,
    /// One declared name with its value, where the grammar has it apart.
    Declarator,
    /// A declarator around another one (pointer, reference, array).
    InnerDeclarator,
    /// The declarator of a function.
    FunctionDeclarator,
    /// The list of parameters.
    Parameters,
    /// A parameter.
    Parameter,
    /// `self`.
    SelfParameter,
    /// `=` and, by its mark, `+=`.
    Assign,
    /// `+=`, where the grammar has a kind for it.
    CompoundAssign,
    /// `++`.
    Update,
    /// A part of a value: member, element, pointee. Assigning it defines no local.
    Access,
    /// A macro's unparsed tokens.
    Tokens,

    /// `&&` (a token: marks its parent).
    TokenAnd,
    /// `||` (a token).
    TokenOr,
    /// `!` (a token).
    TokenNot,
    /// `=` (a token).
    TokenEquals,
    /// `async` (a token).
    TokenAsync,
    /// `goto` (a token), where a jump's kind is told by it alone.
    TokenGoto,
    /// `default` (a token): the case has no value.
    TokenDefault,
}

/// The fields of grammars, by meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Slot {
    /// No field, or one that the engine needs not.
    None,
    /// What is declared, or the last part of a path.
    Name,
    /// The body of a function, loop, scope or handler.
    Body,
    /// What is tested, or switched over.
    Condition,
    /// What is done when it holds.
    Then,
    /// What is done otherwise.
    Else,
    /// What is done before the first round, or before the test.
    Init,
    /// What is done after each round.
    Update,
    /// The value of a declaration, the subject of a choice, the result of an arm.
    Value,
    /// What is bound.
    Pattern,
    /// What is assigned, or the first operand.
    Left,
    /// What is assigned from, or the second operand.
    Right,
    /// A label.
    Label,
    /// What is called.
    Callee,
    /// What it is called with.
    Arguments,
    /// The list of parameters.
    Parameters,
    /// The receiver's list (Go).
    Receiver,
    /// What C declares, with pointers and brackets.
    Declarator,
    /// A type.
    Type,
    /// The trait of an impl.
    Trait,
    /// The member's name.
    Member,
    /// What the member is of, or the operand.
    Object,
    /// The name a type switch binds.
    Alias,
}

/// What a token says of the node it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Mark {
    /// Nothing.
    None,
    /// The operator is `&&`.
    And,
    /// The operator is `||`.
    Or,
    /// The operator is `!`.
    Not,
    /// The operator is `=`.
    Equals,
    /// It is `async`.
    Async,
    /// It is a case without value.
    Default,
}

/// A query that ships with a language, or the user's: the text of its file.
#[derive(Clone, Copy, Debug)]
pub struct BuiltinPattern {
    /// File name, for messages.
    pub file: &'static str,
    /// The file's text: header comment and query.
    pub text: &'static str,
}

/// The table of one language.
pub struct Definition {
    /// The name people write: `rust`.
    pub name: &'static str,
    /// File extensions, without the dot, lower case.
    pub extensions: &'static [&'static str],
    /// How DWARF names the language, as beginnings of `DW_LANG_…` without the prefix.
    pub dwarf: &'static [&'static str],
    /// The grammar.
    pub grammar: fn() -> tree_sitter::Language,
    /// Named node kinds and their roles.
    pub kinds: &'static [(&'static str, Role)],
    /// Tokens that mark the node they stand in.
    pub tokens: &'static [(&'static str, Role)],
    /// Fields and their meanings.
    pub fields: &'static [(&'static str, Slot)],
    /// Between the parts of a qualified name.
    pub separator: &'static str,
    /// A function's parameter types are part of its identity.
    pub overloads: bool,
    /// Declaring a name again in its scope assigns it (Go's `:=`).
    pub redeclaring_assigns: bool,
    /// In a pattern, a name that begins with a capital is a constant.
    pub capitals_are_constants: bool,
    /// Words that are no function's name: where one seems to be, the parser misunderstood.
    pub no_names: &'static [&'static str],
    /// The name that never binds.
    pub blank: &'static str,
    /// Patterns to look for.
    pub patterns: &'static [BuiltinPattern],
}

/// A language: its definition, resolved against its grammar.
pub struct Language {
    definition: &'static Definition,
    grammar: tree_sitter::Language,
    roles: Vec<Role>,
    slots: Vec<Slot>,
    named: Vec<bool>,
}

static ALL: &[&Definition] =
    &[&rust::DEFINITION, &c::DEFINITION, &cpp::DEFINITION, &go::DEFINITION];
static RESOLVED: [OnceLock<Language>; ALL.len()] = [const { OnceLock::new() }; ALL.len()];

impl Language {
    /// The language of that name (`rust`, `c`, `cpp`, `go`).
    #[must_use]
    pub fn by_name(name: &str) -> Option<&'static Self> {
        Self::find(|definition| definition.name.eq_ignore_ascii_case(name))
    }

    /// The language of files with this name or path, by extension.
    #[must_use]
    pub fn by_path(path: &str) -> Option<&'static Self> {
        let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
        let (_, extension) = file.rsplit_once('.')?;
        let lower = extension.to_ascii_lowercase();
        // `.C` is C++ by an old convention; all other extensions are read without case.
        let wanted = if extension == "C" { "cc" } else { lower.as_str() };
        Self::find(|definition| definition.extensions.contains(&wanted))
    }

    /// The language that DWARF calls this (`DW_LANG_C_plus_plus_14`, `Rust`, `C99`).
    #[must_use]
    pub fn by_dwarf_name(name: &str) -> Option<&'static Self> {
        let name = name.strip_prefix("DW_LANG_").unwrap_or(name);
        Self::find(|definition| {
            definition.dwarf.iter().any(|other| {
                name.strip_prefix(other).is_some_and(|rest| {
                    rest.trim_start_matches('_').bytes().all(|b| b.is_ascii_digit())
                })
            })
        })
    }

    /// All languages there are.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        (0..ALL.len()).map(Self::at)
    }

    fn find(wanted: impl Fn(&Definition) -> bool) -> Option<&'static Self> {
        ALL.iter().position(|definition| wanted(definition)).map(Self::at)
    }

    fn at(index: usize) -> &'static Self {
        RESOLVED[index].get_or_init(|| Self::resolve(ALL[index]))
    }

    fn resolve(definition: &'static Definition) -> Self {
        let grammar = (definition.grammar)();
        let kinds = u16::try_from(grammar.node_kind_count()).unwrap_or(u16::MAX);
        let mut roles = vec![Role::Plain; usize::from(kinds)];
        let mut named = vec![false; usize::from(kinds)];
        // A name may stand for several ids: all of them get its role.
        for id in 0..kinds {
            let Some(name) = grammar.node_kind_for_id(id) else { continue };
            let is_named = grammar.node_kind_is_named(id);
            let table = if is_named { definition.kinds } else { definition.tokens };
            named[usize::from(id)] = is_named;
            if let Some((_, role)) = table.iter().find(|(kind, _)| *kind == name) {
                roles[usize::from(id)] = *role;
            }
        }
        let mut slots = vec![Slot::None; grammar.field_count() + 1];
        for (name, slot) in definition.fields {
            if let Some(id) = grammar.field_id_for_name(name)
                && let Some(place) = slots.get_mut(usize::from(id.get()))
            {
                *place = *slot;
            }
        }
        Self { definition, grammar, roles, slots, named }
    }

    /// The name people write: `rust`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.definition.name
    }

    /// The table behind it.
    #[must_use]
    pub const fn definition(&self) -> &'static Definition {
        self.definition
    }

    /// Text is left out or put in before it is compiled.
    #[must_use]
    pub fn is_preprocessed(&self) -> bool {
        self.definition.kinds.iter().any(|(_, role)| *role == Role::Conditional)
    }

    /// The grammar, for parsers and queries.
    #[must_use]
    pub const fn grammar(&self) -> &tree_sitter::Language {
        &self.grammar
    }

    /// The role of a node kind; kinds of errors have none.
    #[must_use]
    pub fn role(&self, kind: u16) -> Role {
        self.roles.get(usize::from(kind)).copied().unwrap_or(Role::Plain)
    }

    /// The meaning of a field.
    #[must_use]
    pub fn slot(&self, field: u16) -> Slot {
        self.slots.get(usize::from(field)).copied().unwrap_or(Slot::None)
    }

    /// Whether nodes of this kind are named (tokens are not); errors are.
    #[must_use]
    pub fn is_named(&self, kind: u16) -> bool {
        self.named.get(usize::from(kind)).copied().unwrap_or(true)
    }

    /// The grammar's name of a node kind.
    #[must_use]
    pub fn kind_name(&self, kind: u16) -> &str {
        self.grammar.node_kind_for_id(kind).unwrap_or("ERROR")
    }

    /// Names in the table that the grammar does not know: the table is then out of date.
    #[must_use]
    pub fn unknown_names(&self) -> Vec<&'static str> {
        let kind = |name: &str, named| self.grammar.id_for_node_kind(name, named) != 0;
        let definition = self.definition;
        let kinds = definition.kinds.iter().filter(|(name, _)| !kind(name, true));
        let tokens = definition.tokens.iter().filter(|(name, _)| !kind(name, false));
        let fields = definition.fields.iter().map(|(name, _)| *name);
        let fields = fields.filter(|name| self.grammar.field_id_for_name(name).is_none());
        kinds.chain(tokens).map(|(name, _)| *name).chain(fields).collect()
    }
}

impl fmt::Debug for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Language").field(&self.name()).finish()
    }
}

impl PartialEq for Language {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Language {}

impl fmt::Debug for Definition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Definition").field(&self.name).finish()
    }
}
