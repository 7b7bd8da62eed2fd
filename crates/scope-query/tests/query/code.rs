//! Tables of the code against `scope-code`, on a program compiled here and a trace of calls in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use scope_code::{CodeMap, Keeper, Layout, LoadedModule, ModuleFile};
use scope_model::{
    CallEnd, Event, EventKind, Function, FunctionId, Module, ModuleId, Pid, SiteClass, Tid,
};
use scope_source::{CallTarget, Graphs, Patterns};
use scope_store::{Manifest, RecorderStats, Trace, TraceWriter, WriterOptions};
use scope_symbols::code::load_code;
use scope_symbols::sources::SourceMap;
use scope_symbols::{CodeTables, DebugFiles};
use tempfile::TempDir;

use crate::asking::{rows, session, set};
use crate::store::START_NS;

const SOURCE: &str = r"
#include <stdlib.h>

int depth;

static int tiny(int n) {
    return n;
}

int half(int n) {
    if (n < 2)
        return 0;
    depth++;
    return 1 + half(n / 2);
}

int never(int n) {
    while (n > 0 && depth > 0)
        n -= tiny(n);
    return n;
}

int main(int argc, char **argv) {
    (void)argv;
    int total = 0;
    for (int i = 0; i < argc; i++)
        total += half(i);
    if (argc > 1000)
        total += never(argc);
    return total;
}
";

/// A program, and a trace in which `main` called `half`, which called itself.
struct Recorded {
    folder: TempDir,
}

impl Recorded {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("program.c"), SOURCE).unwrap();
        let status = Command::new("cc")
            .args(["-g", "-O0", "-no-pie", "-o", "program", "program.c"])
            .current_dir(folder.path())
            .status()
            .unwrap();
        assert!(status.success());
        let recorded = Self { folder };
        recorded.write();
        recorded
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("program")
    }

    fn trace(&self) -> PathBuf {
        self.folder.path().join("test.scope")
    }

    fn write(&self) {
        let path = self.program().display().to_string();
        let file = File::open(self.program()).unwrap();
        let debug_files = DebugFiles::new("/", self.program());
        let tables = load_code(&path, &file, &debug_files, None, &|_| {}).unwrap().tables;
        let functions = functions(&tables);
        let id = |name: &str| functions.iter().find(|one| one.name == name).unwrap().id;
        let (main, half) = (id("main"), id("half"));
        let (from_main, from_half) = (after(&tables, "main", 27), after(&tables, "half", 14));
        let module = Module { id: ModuleId(0), path: path.clone(), build_id: None };
        let manifest =
            Manifest { start_ns: START_NS, modules: vec![module], ..Manifest::default() };
        let options = WriterOptions::default();
        let mut writer =
            TraceWriter::create(&self.trace(), manifest, &functions, &[], options).unwrap();
        let calls = [
            enter(10, main, 0xdead_0000),
            enter(20, half, from_main),
            enter(30, half, from_half),
            leave(40, half),
            leave(50, half),
            enter(60, half, from_main),
            leave(70, half),
            leave(80, main),
        ];
        writer.append(&calls).unwrap();
        writer.finish(START_NS + 100, "the end", RecorderStats::default()).unwrap();

        let mut keeper = Keeper::new(self.trace(), SourceMap::default());
        let module = ModuleFile {
            id: ModuleId(0),
            path: &path,
            file: &file,
            debug_files: &debug_files,
            cache: None,
            progress: &|_| {},
        };
        keeper.module(&module).unwrap();
        let loaded = LoadedModule { module: ModuleId(0), bias: 0 };
        keeper.layouts(&[Layout { pid: Pid(1), since_ns: 0, modules: vec![loaded] }]).unwrap();
        keeper.want(&functions, &[]);
        keeper.sources().unwrap();
    }
}

fn functions(tables: &CodeTables) -> Vec<Function> {
    let own = tables.functions().filter(|function| {
        ["main", "half", "never", "tiny"].contains(&function.name) && function.address.is_some()
    });
    own.zip(0..)
        .map(|(function, id)| Function {
            id: FunctionId(id),
            name: function.name.to_owned(),
            symbol: function.symbol.to_owned(),
            module: ModuleId(0),
            address: function.address.unwrap(),
            size: 1,
            file: None,
            line: None,
            site: SiteClass::Emulated,
            inlined_copies: 0,
        })
        .collect()
}

/// An address to which a call on a line returns: the end of its code.
fn after(tables: &CodeTables, function: &str, line: u32) -> u64 {
    let function = tables.functions().find(|one| one.name == function).unwrap();
    let lines = tables.lines_of(function.number);
    lines.filter(|row| row.place.line == Some(line)).map(|row| row.end).max().unwrap()
}

fn event(t: u64, kind: EventKind) -> Event {
    Event { time_ns: START_NS + t, pid: Pid(1), tid: Tid(1), kind }
}

fn enter(t: u64, function: FunctionId, return_address: u64) -> Event {
    let kind =
        EventKind::Enter { function, return_address, stack_pointer: 0x7000, inherited: false };
    event(t, kind)
}

fn leave(t: u64, function: FunctionId) -> Event {
    let end = CallEnd::Returned;
    event(t, EventKind::Leave { function, end, return_value: 0, crosses_gap: false })
}

fn shown<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[test]
fn functions_and_calls_have_the_nodes_and_numbers_of_the_code() {
    let recorded = Recorded::new();
    let trace = Trace::open(recorded.trace()).unwrap();
    let map = CodeMap::of_trace(&trace);
    let project = map.project().unwrap();
    let fans = project.calls().fans();
    let mut sql = session(&recorded.trace(), true);
    let mut expected = Vec::new();
    for function in trace.functions() {
        let code = map.function(function).unwrap();
        let of = project.find(&code).unwrap();
        let metrics = Graphs::build(project.file(of.file).unwrap()).metrics[of.function as usize];
        let (fan_in, fan_out) = fans.get(&of).copied().unwrap_or_default();
        expected.push(format!(
            "{}|{}|-|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{fan_in}|{fan_out}",
            function.name,
            code.node_id().unwrap(),
            metrics.cyclomatic,
            metrics.cognitive,
            metrics.nesting,
            metrics.loops,
            metrics.returns,
            metrics.parameters,
            metrics.calls,
            metrics.lines.physical,
            metrics.lines.code,
            metrics.lines.comment,
        ));
    }
    let told = rows(
        &mut sql,
        "select name, node_id, no_node, cyclomatic, cognitive, nesting, loops, returns, parameters, \
         call_expressions, lines, code_lines, comment_lines, fan_in, fan_out from functions order by id",
    );
    assert_eq!(told, expected);
    assert_eq!(sql.notes(), [""; 0]);

    let mut expected = Vec::new();
    for (event, number) in trace.events().zip(0..) {
        let event = event.unwrap();
        let EventKind::Enter { function, return_address, .. } = event.kind else { continue };
        let callee = &trace.functions()[function.index()];
        let site = map.call_site(event.pid, event.time_ns, return_address, callee).unwrap();
        let line = site.place().map(|place| place.line);
        expected.push(format!("{number}|{}|{}", shown(site.node_id()), shown(line)));
    }
    assert!(expected[1].ends_with("|27") && expected[2].ends_with("|14"), "{expected:?}");
    let places = "select id, call_node_id, call_line from";
    assert_eq!(rows(&mut sql, &format!("{places} calls order by id")), expected);
    assert_eq!(rows(&mut sql, &format!("{places} descendants(0) order by id")), expected[1..]);
    assert_eq!(rows(&mut sql, &format!("{places} callers(2)")), expected[1..2]);
    let without = "select count(*) from calls where call_node_id is not null \
                   and call_node_id not in (select id from nodes)";
    assert_eq!(rows(&mut sql, without), ["0"]);
}

#[test]
fn edges_nodes_and_patterns_are_those_of_the_code() {
    let recorded = Recorded::new();
    let trace = Trace::open(recorded.trace()).unwrap();
    let map = CodeMap::of_trace(&trace);
    let project = map.project().unwrap();
    let mut sql = session(&recorded.trace(), true);

    let name = |of: scope_source::FunctionRef| {
        let file = project.file(of.file).unwrap();
        file.functions()[of.function as usize].qualified_name.to_string()
    };
    let mut expected: Vec<String> = project
        .calls()
        .edges
        .iter()
        .map(|edge| {
            let file = project.file(edge.from.file).unwrap();
            let call = file.calls()[edge.call.unwrap() as usize];
            let candidates = match edge.target {
                CallTarget::Unique => 1,
                CallTarget::OneOf(count) => count,
                CallTarget::Observed => unreachable!("nothing was added"),
            };
            format!("{}|{}|{}|{candidates}", name(edge.from), name(edge.to), call.id)
        })
        .collect();
    expected.sort();
    let edges = "select caller, callee, call_node_id, candidates from call_edges where static";
    assert_eq!(set(&mut sql, edges), expected);
    let seen =
        "select caller, callee, line, static, calls, total_time from call_edges where observed";
    let seen = set(&mut sql, seen);
    assert!(seen.contains(&"half|half|14|true|1|10".to_owned()), "{seen:?}");
    assert!(seen.contains(&"main|half|27|true|2|40".to_owned()), "{seen:?}");
    assert_eq!(rows(&mut sql, "select sum(calls) from call_edges"), ["4"]);
    let never = "select caller, callee from call_edges where static and not observed order by line";
    assert_eq!(rows(&mut sql, never), ["never|tiny", "main|never"]);

    let (mut control, mut data, mut found) = (0, 0, 0);
    let mut syntax = BTreeSet::new();
    for (_, file) in project.files() {
        let graphs = Graphs::build(file);
        control += graphs.control.iter().map(|graph| graph.edges.len()).sum::<usize>();
        let uses = graphs.data.iter().flat_map(|flow| flow.uses.iter().map(move |one| (flow, one)));
        data += uses.map(|(flow, one)| flow.definitions_of(one).len()).sum::<usize>();
        found += Patterns::builtin_of(file.language()).unwrap().find(file).len();
        for function in file.functions().iter().filter(|function| function.parent.is_none()) {
            let below = file.ast().descendants(function.node);
            syntax.extend(below.chain([function.node]).map(|node| file.id_of(node).to_string()));
        }
    }
    assert!(control > 0 && data > 0 && found > 0, "{control} {data} {found}");
    for (table, count) in [("cfg_edges", control), ("dfg_edges", data), ("patterns", found)] {
        let statement = format!("select count(*) from {table}");
        assert_eq!(rows(&mut sql, &statement), [count.to_string()], "{table}");
        let ends: &[&str] = match table {
            "patterns" => &["node_id", "function_node_id"],
            _ => &["from_node_id", "to_node_id", "function_node_id"],
        };
        for end in ends {
            let lost =
                format!("select count(*) from {table} where {end} not in (select id from nodes)");
            assert_eq!(rows(&mut sql, &lost), ["0"], "{table}.{end}");
        }
    }
    let told: BTreeSet<String> = rows(&mut sql, "select id from nodes").into_iter().collect();
    assert_eq!(told, syntax);
    let outer = "select count(*) from nodes where parent_id is null";
    let functions = "select count(*) from nodes where id = function_node_id";
    assert_eq!(rows(&mut sql, outer), rows(&mut sql, functions));
}

#[test]
fn lines_are_those_of_the_functions_that_were_probed() {
    let recorded = Recorded::new();
    let trace = Trace::open(recorded.trace()).unwrap();
    let map = CodeMap::of_trace(&trace);
    let tables = map.tables(ModuleId(0)).unwrap().unwrap();
    let mut expected = BTreeMap::new();
    for function in trace.functions() {
        let number = tables.function_at(function.address).unwrap().number;
        expected.insert(function.id.0, tables.lines_of(number).count());
    }
    let expected: Vec<String> =
        expected.iter().map(|(id, lines)| format!("{id}|{lines}")).collect();
    let mut sql = session(&recorded.trace(), true);
    let told = "select function_id, count(*) from lines group by 1 order by 1";
    assert_eq!(rows(&mut sql, told), expected);
}

#[test]
fn what_is_missing_or_damaged_is_null_with_a_note_and_only_where_it_is_asked_for() {
    let recorded = Recorded::new();
    for (entry, content) in [("sources", None), ("tables-0", None), ("tables-0", Some("nonsense"))]
    {
        let part = part(&recorded.trace(), entry);
        let saved = fs::read(&part).ok();
        match content {
            Some(content) => fs::write(&part, content).unwrap(),
            None => fs::remove_file(&part).unwrap(),
        }
        let mut sql = session(&recorded.trace(), true);
        assert_eq!(rows(&mut sql, "select count(*), sum(duration) from calls"), ["4|120"]);
        assert_eq!(rows(&mut sql, "select count(name) from functions"), ["4"]);
        assert_eq!(sql.notes(), [""; 0], "{entry}: nothing of the code was asked for");
        let told =
            rows(&mut sql, "select count(*), count(node_id), count(cyclomatic) from functions");
        assert_eq!(told, ["4|0|0"]);
        assert_eq!(rows(&mut sql, "select count(*), count(call_node_id) from calls"), ["4|0"]);
        let notes = sql.notes();
        assert!(
            !notes.is_empty() && notes.iter().all(|note| note.starts_with("test: ")),
            "{notes:?}"
        );
        // Said once.
        rows(&mut sql, "select node_id from functions");
        assert_eq!(sql.notes(), [""; 0]);
        fs::write(&part, saved.unwrap()).unwrap();
    }
}

fn part(trace: &Path, name: &str) -> PathBuf {
    let folder = fs::read_dir(trace.join("code")).unwrap();
    let files: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    let found = files
        .iter()
        .find(|path| path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name)));
    found.unwrap_or_else(|| panic!("{name} in {files:?}")).clone()
}
