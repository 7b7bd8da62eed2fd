//! The source pane over the code of a program that is compiled here: its real text, tree and call sites.

use std::fs::File;
use std::process::Command;
use std::sync::Arc;

use scope_code::{CodeMap, Keeper, Layout, LoadedModule, ModuleFile};
use scope_model::{EventKind, Function, FunctionId, ModuleId, Pid, SiteClass};
use scope_store::{RecorderStats, Trace};
use scope_tui::code::Code;
use scope_tui::source::{SourceView, Token};

use crate::harness::{PID, START_NS, Stage, Stored, enter, event, leave, on, start, writer_of};

const SOURCE: &str = r#"/* A program. */
#include <stdio.h>

static int half(int n) {
    return n / 2; // rounded down
}

int main(int argc, char **argv) {
    int total = 0;
    for (int i = 0; i < 3; i++)
        total += half(argc);
    printf("%s %d\n", argv[0], half(total));
    return 0;
}
"#;

/// Where the program lies in the process.
const BIAS: u64 = 0x5555_0000_0000;

/// A recording of the program: `main` calls `half` three times at line 11 and once at line 12.
fn recorded(with_code: bool) -> Stored {
    recorded_until(with_code, Some(1_000_000))
}

/// A recording that has ended after so many nanoseconds, or goes on.
fn recorded_until(with_code: bool, end_ns: Option<u64>) -> Stored {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::write(at.join("program.c"), SOURCE).unwrap();
    let source = at.join("program.c");
    let compiled = Command::new("cc")
        .args(["-g", "-O0", "-o"])
        .arg(at.join("program"))
        .arg(&source)
        .status()
        .unwrap();
    assert!(compiled.success());
    let listed = Command::new("nm").arg("-S").arg(at.join("program")).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let functions: Vec<Function> = (0..)
        .zip([("main", 8), ("half", 4)])
        .map(|(id, (name, line))| {
            let row = listed.lines().find(|row| row.ends_with(&format!(" {name}"))).unwrap();
            let mut words = row.split(' ').map(|word| u64::from_str_radix(word, 16));
            Function {
                id: FunctionId(id),
                name: name.to_owned(),
                symbol: name.to_owned(),
                module: ModuleId(0),
                address: words.next().unwrap().unwrap(),
                size: words.next().unwrap().unwrap(),
                file: Some(source.display().to_string()),
                line: Some(line),
                site: SiteClass::Emulated,
                inlined_copies: 0,
            }
        })
        .collect();

    let path = at.join("sample.scope");
    let mut writer = writer_of(&path, &functions);
    let mut keeper = Keeper::new(&path, scope_symbols::sources::SourceMap::default());
    if with_code {
        let file = File::open(at.join("program")).unwrap();
        let module = ModuleFile {
            id: ModuleId(0),
            path: "program",
            file: &file,
            debug_files: &scope_symbols::DebugFiles::new("/", at.join("program")),
            cache: None,
            progress: &|_| {},
        };
        keeper.module(&module).unwrap();
        let loaded = LoadedModule { module: ModuleId(0), bias: BIAS };
        keeper
            .layouts(&[Layout { pid: Pid(PID), since_ns: START_NS, modules: vec![loaded] }])
            .unwrap();
        keeper.want(&functions, &[]);
        keeper.sources().unwrap();
    }
    // An address after each of the two calls, as far as line tables tell them apart.
    let map = CodeMap::of_trace(&Trace::open(&path).unwrap());
    let main = &functions[0];
    let after = |line: u32| {
        let made = |address: &u64| {
            let site = map.call_site_at(ModuleId(0), *address, &functions[1]).unwrap();
            site.node_id().is_some() && site.place().unwrap().line == line
        };
        let found = (main.address + 1..main.address + main.size).find(made);
        assert!(found.is_some() || !with_code, "no call at {line}");
        BIAS + found.unwrap_or(1)
    };
    let call = |t_us, return_address| {
        let (stack_pointer, inherited) = (0x7fff_0000_0ff0, false);
        let function = FunctionId(1);
        let kind = EventKind::Enter { function, return_address, stack_pointer, inherited };
        event(t_us, PID, kind)
    };
    let mut events = vec![start(0, PID, "program"), on(1, PID), enter(10, PID, 0)];
    for round in 0..3 {
        events.push(call(100 * (round + 1), after(11)));
        events.push(leave(100 * (round + 1) + 10 * (round + 1), PID, 1));
    }
    events.extend([call(500, after(12)), leave(600, PID, 1), leave(700, PID, 0)]);
    writer.append(&events).unwrap();
    match end_ns {
        Some(end_ns) => {
            let stats = RecorderStats::default();
            writer.finish(START_NS + end_ns, "the target ended", stats).unwrap();
        }
        None => writer.commit().unwrap(),
    }
    // What is looked at is the trace alone.
    std::fs::remove_file(source).unwrap();
    std::fs::remove_file(at.join("program")).unwrap();
    Stored::at(path, folder)
}

fn stage(stored: &Stored) -> Stage {
    let mut stage = Stage::new(stored);
    stage.sources(Code::new(stored.path.clone()));
    stage
}

/// Lines of the source pane without the folder of the test.
fn pane(stage: &Stage) -> String {
    let screen = stage.screen();
    let lines = screen.lines().skip_while(|line| !line.contains("program.c"));
    let lines = lines.map(|line| match line.find("program.c") {
        // How long the folder's name is differs.
        Some(at) => line[at..].split("  ").next().unwrap_or_default().to_owned(),
        None => line.to_owned(),
    });
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_call_being_made_is_marked_and_lines_say_what_they_cost() {
    let stored = recorded(true);
    let mut stage = stage(&stored);
    stage.press(":").type_in("210us").press("u 2");
    insta::assert_snapshot!(pane(&stage), @r#"
    program.c
        8 int main(int argc, char **argv) {
        9     int total = 0;
       10     for (int i = 0; i < 3; i++)
       11         total += half(argc);                            3  60.0us  30.0us
       12     printf("%s %d\n", argv[0], half(total));            1   100us   100us
       13     return 0;
       14 }
    "#);
    let node = stage.model.current_source().unwrap().node.unwrap();
    let source = stage.model.current_source().unwrap();
    assert_eq!(&source.lines[node.line][node.start..node.end], "half(argc)");
    stage.press(":").type_in("550us").press("u");
    let source = stage.model.current_source().unwrap();
    let node = source.node.unwrap();
    assert_eq!(&source.lines[node.line][node.start..node.end], "half(total)");
}

#[test]
fn calls_from_a_line_are_listed_slowest_first() {
    let stored = recorded(true);
    let mut stage = stage(&stored);
    // In the call at line 11, whose line is selected.
    stage.press(":").type_in("210us").press("u 2 enter");
    assert!(stage.screen().contains("calls of half from program.c:11: 3"), "{}", stage.screen());
    let slowest = stage.model.answers.executions.as_ref().unwrap().value.calls[0];
    assert_eq!(slowest.duration_ns, Some(30_000));
    stage.press("enter");
    assert_eq!(stage.model.focus.time_ns, START_NS + 300_000);
}

#[test]
fn tokens_are_told_apart_by_the_tree() {
    let stored = recorded(true);
    let mut stage = stage(&stored);
    stage.press(":").type_in("50us").press("2");
    let source = stage.model.current_source().unwrap();
    let of = |token: Token| -> Vec<&str> {
        let pieces = source.highlights.iter().filter(|piece| piece.token == token);
        pieces
            .map(|piece| &source.lines[piece.span.line][piece.span.start..piece.span.end])
            .collect()
    };
    assert_eq!(of(Token::Keyword), ["for", "return"]);
    assert_eq!(of(Token::Function), ["main", "half", "printf", "half"]);
    assert_eq!(of(Token::Type), ["int", "int", "char", "int", "int"]);
    assert_eq!(of(Token::Literal), ["0", "0", "3", "\"%s %d\\n\"", "0", "0"]);
}

#[test]
fn a_trace_without_code_says_so() {
    let stored = recorded(false);
    let mut stage = stage(&stored);
    stage.press(":").type_in("50us").press("2");
    let why = "no source: the trace has no tables of the module";
    assert!(stage.screen().contains(why), "{}", stage.screen());
}

/// The code of a recording that goes on comes while somebody looks.
#[test]
fn code_that_comes_later_is_found() {
    let stored = recorded_until(true, None);
    let parts =
        || std::fs::read_dir(stored.path.join("code")).unwrap().map(|file| file.unwrap().path());
    let parts: Vec<_> =
        parts().filter(|path| path.extension().is_some_and(|end| end == "part")).collect();
    for part in &parts {
        std::fs::rename(part, part.with_extension("hidden")).unwrap();
    }
    let stage = Stage::new(&stored);
    let code = Arc::new(Code::new(stored.path.clone()));
    let look = || code.text(&stage.model.facts, FunctionId(0), None);
    assert_eq!(look().unwrap_err(), "the trace has no tables of the module");
    for part in &parts {
        std::fs::rename(part.with_extension("hidden"), part).unwrap();
    }
    let begin = std::time::Instant::now();
    while look().is_err() {
        assert!(begin.elapsed().as_secs() < 60, "it is never looked for again");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(look().unwrap().first_line, 8);
}
