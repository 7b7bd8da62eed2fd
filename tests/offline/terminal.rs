//! `scope replay` on terminals of all sizes.

use scope_tests::terminal::{Terminal, User};
use scope_tests::{require_tmux, scope_binary};

use crate::harness::{Sample, everything};

fn replay(terminal: &Terminal, sample: &Sample) {
    let trace = sample.path();
    terminal.run(&format!("{} replay --session me {}", scope_binary().display(), trace.display()));
    terminal.rest("all of the screen", is_whole);
}

fn is_whole(screen: &str) -> bool {
    screen.contains("of 28 events") && screen.contains("quit") && !screen.contains("reading")
}

/// Columns of the longest line.
fn width(screen: &str) -> usize {
    screen.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn a_small_and_a_large_terminal_are_filled() {
    require_tmux!();
    for size in [(80, 24), (300, 80)] {
        let sample = Sample::new(&everything());
        let terminal = Terminal::new(User::Same, size);
        replay(&terminal, &sample);
        terminal.keys(&["s", "n"]);
        let screen = terminal.rest("a step", |screen| screen.contains("0.000700000s"));
        assert_eq!(width(&screen), usize::from(size.0), "{screen}");
        assert_eq!(screen.lines().count(), usize::from(size.1), "{screen}");
        let last = screen.lines().last().unwrap_or_default();
        assert!(last.starts_with("? help  q quit"), "{screen}");
        terminal.keys(&["q"]);
        terminal.until("$");
    }
}

#[test]
fn a_window_that_becomes_tiny_and_large_again_shows_the_same() {
    require_tmux!();
    let sample = Sample::new(&everything());
    let terminal = Terminal::new(User::Same, (132, 40));
    replay(&terminal, &sample);
    terminal.keys(&["s", "n"]);
    let before = terminal.rest("a step", |screen| screen.contains("0.000700000s"));
    terminal.resize((20, 5));
    terminal.until_it("a note", |screen| screen.trim() == "too small");
    // Keys go on working.
    terminal.keys(&["n", "N"]);
    terminal.resize((132, 40));
    let after = terminal.rest("the same screen", |screen| screen.contains("0.000700000s"));
    assert_eq!(after, before);
    terminal.keys(&["q"]);
    terminal.until("$");
}

#[test]
fn a_breakpoint_in_sql_is_run_to_and_back_to() {
    require_tmux!();
    let sample = Sample::new(&everything());
    let terminal = Terminal::new(User::Same, (132, 30));
    replay(&terminal, &sample);
    terminal.type_text(":break sql depth = 1 and function_id in (select id from functions)");
    terminal.keys(&["Enter"]);
    terminal.until("c runs to it, C runs back");
    terminal.keys(&["c"]);
    terminal.until("breakpoint hit 1: sql depth = 1");
    let place = |screen: &str| screen.lines().next().map(str::to_owned);
    let first = terminal.rest("a place", |screen| screen.contains("hit 1"));
    terminal.keys(&["c"]);
    terminal.until("breakpoint hit 2: sql depth = 1");
    terminal.keys(&["C"]);
    let again = terminal.rest("the hit before", |screen| screen.contains("hit 3"));
    assert_eq!(place(&again), place(&first));
    // A word that is no column, with the one that was meant.
    terminal.type_text(":break sql deph = 1");
    terminal.keys(&["Enter"]);
    let screen = terminal.until("no breakpoint sql deph = 1");
    assert!(screen.contains("depth"), "{screen}");
    terminal.keys(&["q"]);
    terminal.until("$");
}

#[test]
fn what_the_timeline_shows_is_exported() {
    require_tmux!();
    let sample = Sample::new(&everything());
    let terminal = Terminal::new(User::Same, (132, 30));
    replay(&terminal, &sample);
    let export = |command: &str, file: &str| {
        terminal.type_text(&format!(":export {command} ~/{file}"));
        terminal.keys(&["Enter"]);
        terminal.until(&format!("in {}/{file}", terminal.home().display()));
        std::fs::read_to_string(terminal.home().join(file)).expect("it says that it is there")
    };
    let all = export("speedscope", "all.json");
    let path = sample.path().display().to_string();
    let expected = terminal.home().join("expected.json");
    sample.text(&["export", &path, "--to", "speedscope", "-o", expected.to_str().unwrap()]);
    assert_eq!(all, std::fs::read_to_string(expected).unwrap());
    // Less of it, and of one thread.
    terminal.keys(&["+", "+"]);
    terminal.rest("a shorter range", |screen| !screen.contains("10.0ms shown"));
    let part = export("speedscope", "part.json");
    let thread = export("thread folded", "thread.folded");
    assert_ne!(part, all);
    assert!(thread.lines().count() > 0 && !thread.contains("helper-1"), "{thread}");
    terminal.type_text(":export pdf ~/x");
    terminal.keys(&["Enter"]);
    let screen = terminal.until("not exported: there is no format pdf");
    assert!(screen.contains("perfetto"), "{screen}");
    terminal.keys(&["q"]);
    terminal.until("$");
}

/// The terminal is as a shell wants it: lines are edited by it, and what is typed is seen.
fn assert_given_back(terminal: &Terminal) {
    let off = "grep -c -x -e -icanon -e -echo -e -opost";
    terminal.run(&format!("echo modes $(stty -a | tr ' ;' '\\n\\n' | {off}) off"));
    terminal.until("modes 0 off");
}

fn panicking(terminal: &Terminal, sample: &Sample, part: &str) {
    let program = env!("CARGO_BIN_EXE_ui_that_panics");
    terminal.run(&format!("{program} {} {part}; echo \"status $?\"", sample.path().display()));
}

#[test]
fn a_panic_of_the_ui_gives_the_terminal_back_before_it_is_told() {
    require_tmux!();
    let sample = Sample::new(&everything());
    let terminal = Terminal::new(User::Same, (100, 30));
    panicking(&terminal, &sample, "notebook");
    terminal.rest("all of the screen", is_whole);
    terminal.keys(&["m", "x", "Enter"]);
    let screen = terminal.until("status 101");
    assert!(screen.contains("the notebook burns"), "{screen}");
    assert!(!screen.contains("of 28 events"), "{screen}");
    assert_given_back(&terminal);
}

#[test]
fn a_panic_of_the_engine_leaves_the_screen_alone_and_is_told_at_the_end() {
    require_tmux!();
    let sample = Sample::new(&everything());
    let terminal = Terminal::new(User::Same, (100, 30));
    panicking(&terminal, &sample, "engine");
    terminal.rest("all of the screen", is_whole);
    terminal.keys(&["e", "x", "Enter"]);
    let screen = terminal.rest("an error", |screen| screen.contains("by an error of scope itself"));
    assert!(is_whole(&screen), "{screen}");
    assert!(!screen.contains("stalls"), "{screen}");
    terminal.keys(&["q"]);
    let screen = terminal.until("status 0");
    assert!(screen.contains("thread 'queries' panicked at"), "{screen}");
    assert!(screen.contains("the engine stalls"), "{screen}");
    assert_given_back(&terminal);
}

#[test]
fn a_panic_of_the_reader_ends_the_ui_with_its_reason() {
    require_tmux!();
    let sample = Sample::new(&everything());
    let terminal = Terminal::new(User::Same, (100, 30));
    panicking(&terminal, &sample, "sources");
    // A call in focus has a source.
    terminal.keys(&["2", "s", "s"]);
    let screen = terminal.until("status 1");
    assert!(screen.contains("error: reading the trace ended by an error of scope"), "{screen}");
    assert!(screen.contains("the sources are blank"), "{screen}");
    assert_given_back(&terminal);
}
