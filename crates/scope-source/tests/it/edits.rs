//! Edits made by machine to every function of a file, and what they may do to ids: inserted
//! functions, other layouts, renamed locals, moved functions and changed bodies.
//!
//! Also part of the example `check_edits`, which runs it on the sources of other projects.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use scope_source::language::Role;
use scope_source::{AstId, Graphs, Language, NodeId, SourceFile};
use tree_sitter::Node;

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub files: usize,
    pub functions: usize,
    pub calls: usize,
    /// Edited files.
    pub edits: usize,
    /// Those that were not compared, since the edit changed how many syntax errors there are.
    pub unclear: usize,
    /// Functions with a local to rename.
    pub renamed: usize,
    /// Functions that were moved.
    pub moved: usize,
    /// Functions whose body was changed.
    pub changed: usize,
    /// Functions whose hash the formatter changed, since it changed tokens.
    pub formatted_otherwise: usize,
    /// Whether a formatter was there.
    pub formatted: usize,
}

/// Text put in place of a range of bytes.
type Replacement = (usize, usize, String);

/// Makes all edits to a file, one kind at a time, and compares. An edit that gives the file more or
/// fewer syntax errors says nothing about ids: it is counted as unclear.
pub fn check(text: &str, language: &'static Language, counts: &mut Counts) -> Result<(), String> {
    let file = parse(text, language)?;
    if file.functions().is_empty() {
        return Ok(());
    }
    let before = Ids::of(&file);
    counts.files += 1;
    counts.functions += before.functions.len();
    counts.calls += before.calls.values().map(Vec::len).sum::<usize>();
    let none = BTreeSet::new();
    let apply = |replacements| edited(text, replacements);
    // Ids of the edited text; nothing where it says nothing.
    let read = |text: &str, counts: &mut Counts| {
        let after = parse(text, language)?;
        counts.edits += 1;
        let clear = after.errors() == file.errors();
        counts.unclear += usize::from(!clear);
        Ok::<_, String>(clear.then(|| Ids::of(&after)))
    };

    if let Some(after) = read(&apply(insert_above(&file)), counts)? {
        before.same(&after, Some(&none), "a function inserted above")?;
    }
    let spread = apply(other_blanks(&file));
    if let Some(after) = read(&spread, counts)? {
        before.same(&after, Some(&none), "other blanks")?;
    }
    // A formatter moves line ends, on which it depends what the parser makes of an error.
    if file.errors() == 0
        && let Some(formatted) = formatted(&spread, language)
        && let Some(after) = read(&formatted, counts)?
    {
        counts.formatted += 1;
        counts.formatted_otherwise += before.same(&after, None, "the formatter")?.len();
    }
    let (renames, touched) = rename_locals(&file);
    if let Some(after) = read(&apply(renames), counts)? {
        counts.renamed += touched.len();
        before.same(&after, Some(&touched), "renamed locals")?;
    }
    for (moves, count) in moves(&file) {
        if let Some(after) = read(&apply(moves), counts)? {
            counts.moved += count;
            before.same(&after, Some(&none), "moved functions")?;
        }
    }
    let (changes, touched) = change_bodies(&file);
    if let Some(after) = read(&apply(changes), counts)? {
        counts.changed += touched.len();
        before.same(&after, Some(&touched), "changed bodies")?;
    }
    Ok(())
}

fn parse(text: &str, language: &'static Language) -> Result<SourceFile, String> {
    SourceFile::parse("src/a", text.as_bytes(), language).map_err(|error| error.to_string())
}

/// Path → id and hash of functions; ids of calls by function.
struct Ids {
    functions: BTreeMap<String, (NodeId, NodeId)>,
    calls: BTreeMap<String, Vec<NodeId>>,
}

impl Ids {
    fn of(file: &SourceFile) -> Self {
        let functions = file.functions().iter();
        let functions = functions.map(|one| (one.path.to_string(), (one.id, one.text_hash)));
        let mut calls: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
        for call in file.calls() {
            if let Some(function) = call.function {
                let path = &file.functions()[function as usize].path;
                calls.entry(path.to_string()).or_default().push(call.id);
            }
        }
        Self { functions: functions.collect(), calls }
    }

    /// The functions whose hash is another in the edited text. All ids must be the same; with
    /// `touched`, the hashes of exactly those functions must differ.
    fn same(
        &self,
        after: &Self,
        touched: Option<&BTreeSet<String>>,
        edit: &str,
    ) -> Result<BTreeSet<String>, String> {
        let mut changed = BTreeSet::new();
        for (path, (id, hash)) in &self.functions {
            let Some((now, now_hash)) = after.functions.get(path) else {
                return Err(format!("{edit}: {path} is gone"));
            };
            if now != id || self.calls.get(path) != after.calls.get(path) {
                return Err(format!("{edit}: {path} or its calls have other ids"));
            }
            if now_hash != hash {
                changed.insert(path.clone());
            }
        }
        match touched.filter(|touched| **touched != changed) {
            Some(touched) => {
                let other = touched.symmetric_difference(&changed).next();
                Err(format!("{edit}: the hash of {other:?} changed, or did not"))
            }
            None => Ok(changed),
        }
    }
}

fn edited(text: &str, mut replacements: Vec<Replacement>) -> String {
    replacements.sort();
    let mut out = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for (start, end, with) in replacements {
        out.push_str(&text[at..start]);
        out.push_str(&with);
        at = end;
    }
    out.push_str(&text[at..]);
    out
}

/// A function before each item of the file that holds functions.
fn insert_above(file: &SourceFile) -> Vec<Replacement> {
    let ast = file.ast();
    let mut places = BTreeSet::new();
    for function in file.functions() {
        let top = std::iter::once(function.node).chain(ast.ancestors(function.node));
        let top = top.into_iter().find(|id| ast.parent(*id) == Some(AstId::ROOT));
        places.extend(top.map(|top| start_with_attributes(file, top)));
    }
    let numbered = places.into_iter().enumerate();
    let insert = |(number, at): (usize, usize)| {
        let text = match file.language().name() {
            "rust" => format!("fn scope_inserted_{number}() {{ scope_call(1); }}\n"),
            "go" => format!("func scopeInserted{number}() {{ scopeCall(1) }}\n"),
            _ => format!("void scope_inserted_{number}(void) {{ scope_call(1); }}\n"),
        };
        (at, at, text)
    };
    numbered.map(insert).collect()
}

/// Where an item begins, attributes that are siblings before it included.
fn start_with_attributes(file: &SourceFile, item: AstId) -> usize {
    let ast = file.ast();
    let parent = ast.parent(item).unwrap_or(AstId::ROOT);
    let before: Vec<AstId> = ast.children(parent).take_while(|child| *child < item).collect();
    let attributes = before.iter().rev();
    let attributes =
        attributes.take_while(|id| matches!(ast.node(**id).role, Role::Attribute | Role::Comment));
    let first = attributes.filter(|id| ast.node(**id).role == Role::Attribute).last();
    ast.node(first.copied().unwrap_or(item)).start as usize
}

/// More blanks wherever there are some between two tokens of a line.
fn other_blanks(file: &SourceFile) -> Vec<Replacement> {
    let mut leaves: Vec<(usize, usize)> = Vec::new();
    let mut open = vec![file.tree().root_node()];
    while let Some(node) = open.pop() {
        let role = file.language().role(node.kind_id());
        let whole = matches!(role, Role::Literal | Role::Comment | Role::Opaque);
        let mut cursor = node.walk();
        let children: Vec<Node<'_>> = node.children(&mut cursor).collect();
        match children.is_empty() || whole {
            true => leaves.push((node.start_byte(), node.end_byte())),
            false => open.extend(children.into_iter().rev()),
        }
    }
    let gaps = leaves.windows(2).map(|pair| (pair[0].1, pair[1].0));
    let blank = |range: &(usize, usize)| {
        range.0 < range.1 && file.text()[range.0..range.1].iter().all(|byte| *byte == b' ')
    };
    gaps.filter(blank).map(|(start, end)| (start, end, "   ".to_owned())).collect()
}

/// What the language's formatter makes of it; `None` without formatter, or when it declines.
fn formatted(text: &str, language: &Language) -> Option<String> {
    let (program, arguments): (&str, &[&str]) = match language.name() {
        "rust" => ("rustfmt", &["--edition=2024", "--config=max_width=70,newline_style=Unix"]),
        "go" => ("gofmt", &[]),
        _ => ("clang-format", &["--style={BasedOnStyle: GNU, SortIncludes: false}"]),
    };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().ok()?;
    let mut stdin = child.stdin.take()?;
    let input = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().ok()?;
    let written = writer.join().ok()?.is_ok();
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && written && !text.is_empty()).then_some(text)
}

/// Another name for a local of each function, with the functions whose text that changes.
fn rename_locals(file: &SourceFile) -> (Vec<Replacement>, BTreeSet<String>) {
    let ast = file.ast();
    let graphs = Graphs::build(file);
    let names: BTreeSet<&[u8]> =
        file.functions().iter().map(|function| function.name.as_bytes()).collect();
    let mut replacements = Vec::new();
    let mut places = Vec::new();
    for (function, flow) in file.functions().iter().zip(&graphs.data) {
        let locals = flow.variables.iter().filter(|one| !one.parameter);
        let mut locals = locals.map(|one| one.declared);
        let plain = |id: &AstId| {
            let text = file.text_of(*id);
            ast.node(*id).role == Role::Name && text != b"self" && !names.contains(text)
        };
        let Some(local) = locals.find(plain).filter(|_| function.parent.is_none()) else {
            continue;
        };
        for id in ast.descendants(function.node) {
            let node = ast.node(id);
            if node.role == Role::Name && file.text_of(id) == file.text_of(local) {
                let (start, end) = (node.start as usize, node.end as usize);
                let name = String::from_utf8_lossy(file.text_of(local));
                replacements.push((start, end, format!("{name}_renamed")));
                places.push(id);
            }
        }
    }
    let has = |function: &&scope_source::Function| {
        places.iter().any(|place| ast.contains(function.node, *place))
    };
    let touched = file.functions().iter().filter(has).map(|one| one.path.to_string());
    (replacements, touched.collect())
}

/// For each construct with several functions: each of them in the place of the one before it.
/// Functions of one path are told apart by their order alone, so those stay.
fn moves(file: &SourceFile) -> Vec<(Vec<Replacement>, usize)> {
    let ast = file.ast();
    let mut by_parent: BTreeMap<AstId, Vec<(usize, usize)>> = BTreeMap::new();
    let ordered: BTreeSet<&str> = file
        .functions()
        .iter()
        .filter_map(|one| one.path.split_once('#'))
        .map(|one| one.0)
        .collect();
    for function in file.functions() {
        let Some(parent) = ast.parent(function.node) else { continue };
        let parts = ast.node(parent);
        let holds = parent == AstId::ROOT || matches!(parts.role, Role::Plain | Role::Block);
        let statement = function.parent.is_some();
        if holds && !statement && !ordered.iter().any(|path| function.path.starts_with(path)) {
            let start = start_with_attributes(file, function.node);
            let end = ast.node(function.node).end as usize;
            by_parent.entry(parent).or_default().push((start, end));
        }
    }
    let text = |range: (usize, usize)| {
        String::from_utf8_lossy(&file.text()[range.0..range.1]).into_owned()
    };
    let several = by_parent.into_values().filter(|places| places.len() > 1);
    several
        .map(|places| {
            let next = places.iter().skip(1).chain(places.first());
            let pairs = places.iter().zip(next);
            (pairs.map(|(at, other)| (at.0, at.1, text(*other))).collect(), places.len())
        })
        .collect()
}

/// A statement more in each body.
fn change_bodies(file: &SourceFile) -> (Vec<Replacement>, BTreeSet<String>) {
    let mut replacements = Vec::new();
    let mut touched = BTreeSet::new();
    for function in file.functions() {
        let body = function.body.map(|body| file.ast().node(body));
        let Some(body) = body.filter(|_| function.parent.is_none()) else { continue };
        if file.text().get(body.start as usize) != Some(&b'{') {
            continue;
        }
        let statement = match file.language().name() {
            "rust" => " let scope_changed = 1; ",
            "go" => " scopeChanged := 1; ",
            _ => " int scope_changed = 1; ",
        };
        let at = body.start as usize + 1;
        replacements.push((at, at, statement.to_owned()));
        touched.insert(function.path.to_string());
    }
    (replacements, touched)
}
