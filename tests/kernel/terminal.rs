//! The terminal UI as a person uses it: on a real terminal, on a recording of the demo.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use scope_tests::terminal::{Terminal, User, give_to_nobody};
use scope_tests::{require_root, require_tmux, scope_binary};
use tempfile::TempDir;

use super::harness::{Owned, alone, scope, wait_until};

/// The running demo, built of a copy of its sources: both can go.
pub struct Demo {
    child: Owned,
    folder: TempDir,
}

impl Demo {
    pub fn start() -> Self {
        // Others must be able to look into it.
        let folder = TempDir::with_prefix("scope-demo-").expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("workloads/demo");
        copy(&sources, &folder.path().join("demo"));
        let output = Command::new(env!("CARGO"))
            .args(["build", "--release", "--quiet", "--locked", "--target-dir", "target"])
            .current_dir(folder.path().join("demo"))
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let program = folder.path().join("demo/target/release/demo");
        let child = Command::new(program).arg("600").stdout(Stdio::null()).spawn().unwrap();
        let tasks = format!("/proc/{}/task", child.id());
        wait_until("all threads of the demo", || {
            fs::read_dir(&tasks).is_ok_and(|tasks| tasks.count() >= 9)
        });
        Self { child: Owned(child), folder }
    }

    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    pub fn trace(&self) -> PathBuf {
        self.folder.path().join("demo.scope")
    }

    /// Ends the demo.
    pub fn stop(&mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }

    /// Ends the demo; nothing is left of it but its trace.
    pub fn vanish(&mut self) {
        self.stop();
        fs::remove_dir_all(self.folder.path().join("demo")).unwrap();
    }
}

fn copy(folder: &Path, to: &Path) {
    let status = Command::new("cp").arg("-r").arg(folder).arg(to).status();
    assert!(status.expect("cp runs").success());
}

/// Shows a trace and waits until all of the screen is there.
pub fn replay(terminal: &Terminal, program: &Path, trace: &Path) -> String {
    terminal.run(&format!("{} replay {}", program.display(), trace.display()));
    terminal.rest("all of the screen", is_whole)
}

fn is_whole(screen: &str) -> bool {
    screen.contains("complete") && screen.contains("quit") && !screen.contains("reading")
}

/// Where the focus is, as the first line says it: time and thread.
fn focus(screen: &str) -> String {
    let parts = screen.lines().next().unwrap_or_default().split("  ");
    parts.skip(1).take(2).collect::<Vec<_>>().join(" ")
}

/// Presses keys that lead elsewhere; the screen there.
#[track_caller]
fn go(terminal: &Terminal, keys: &[&str]) -> String {
    let before = focus(&terminal.screen());
    terminal.keys(keys);
    terminal.until_it("another focus", |screen| {
        let panes = !screen.contains("reading") && !focused_call(screen).is_empty();
        panes && focus(screen) != before && !screen.contains("  going")
    })
}

/// The line of the focused call.
fn focused_call(screen: &str) -> &str {
    // Lanes and the rows of other panes are marked with the same sign.
    let panes = screen.lines().skip_while(|line| !line.starts_with(" 1 Calls"));
    let line = panes.skip(1).find(|line| line.starts_with('▶')).unwrap_or_default();
    line.split('│').next().unwrap_or_default().trim()
}

#[test]
fn what_was_left_is_found_again_where_neither_binary_nor_sources_are() {
    require_root!();
    require_tmux!();
    let _turn = alone();
    let mut demo = Demo::start();
    let terminal = Terminal::new(User::Same, (160, 48));
    let program = scope_binary();
    terminal.run(&format!(
        "{} trace {} --output {}",
        program.display(),
        demo.pid(),
        demo.trace().display()
    ));
    // It shows what is happening now.
    terminal.until("following");
    wait_until("a second of events", || info(&demo.trace())["events"].as_u64() > Some(80_000));

    // Time stops by a step; then to the first check of an order, whose call is just beginning.
    terminal.keys(&[","]);
    terminal.rest("time stopped", |screen| screen.contains("  recording"));
    terminal.keys(&["/"]);
    terminal.type_text("risk::check");
    terminal.until("demo::risk::check");
    let found = go(&terminal, &["Enter"]);
    assert!(focused_call(&found).contains("demo::risk::check"), "{found}");

    // A step into its callee, out of it again, over the next, and back.
    let inside = go(&terminal, &["s"]);
    assert!(focused_call(&inside).contains("demo::risk::simulate"), "{inside}");
    let after_one = go(&terminal, &["n"]);
    assert!(focused_call(&after_one).contains("demo::risk::check"), "{after_one}");
    let after_two = go(&terminal, &["n"]);
    assert_ne!(focus(&after_two), focus(&after_one));
    let back = go(&terminal, &["N"]);
    assert_eq!(focus(&back), focus(&after_one), "{back}");

    // A condition stops a run; another run, and the run back, lead to the same places.
    terminal.keys(&["B"]);
    terminal.until("break when");
    terminal.type_text("function=*confirm and duration>1ms");
    terminal.keys(&["Enter"]);
    terminal.until("runs to it");
    let first = go(&terminal, &["c"]);
    assert!(first.contains("breakpoint hit 1: function=*confirm and duration>1ms"), "{first}");
    let second = go(&terminal, &["c"]);
    assert!(second.contains("breakpoint hit 2"), "{second}");
    let again = go(&terminal, &["C"]);
    assert_eq!(focus(&again), focus(&first), "{again}");

    // Back into the call that took long, and its source.
    let inside = go(&terminal, &["S"]);
    assert!(focused_call(&inside).contains("demo::settlement::Client::confirm"), "{inside}");
    // All of that was while the recording went on.
    assert!(inside.contains("  recording"), "{inside}");
    terminal.keys(&["X"]);
    terminal.until("complete");
    terminal.keys(&["2"]);
    let source = terminal.until("let asked = self.socket.write_all(");
    assert!(source.contains("pub fn confirm"), "{source}");

    terminal.keys(&["m"]);
    terminal.type_text("slow the settlement service");
    terminal.keys(&["Enter"]);
    terminal.until("marked as @slow");
    // All of the trace, as it is now.
    terminal.keys(&["0"]);
    let left = terminal.rest("all of the screen", is_whole);
    terminal.keys(&["q"]);
    // What is typed earlier belongs to the UI.
    terminal.until_it("the shell", |screen| screen.trim_end().ends_with('$'));

    // Elsewhere: another user, and nothing of the demo but its trace.
    demo.vanish();
    let elsewhere = Terminal::new(User::Nobody, (160, 48));
    let (own_scope, copied) = (elsewhere.home().join("scope"), elsewhere.home().join("demo.scope"));
    fs::copy(program, &own_scope).unwrap();
    copy(&demo.trace(), &copied);
    give_to_nobody(&elsewhere.home());
    let found = replay(&elsewhere, &own_scope, &copied);
    let shown = |screen: &str| {
        // All but what is said at the foot, which was about the mark.
        let rows: Vec<&str> = screen.lines().collect();
        [&rows[..rows.len() - 2], &rows[rows.len() - 1..]].concat().join("\n")
    };
    assert_eq!(shown(&found), shown(&left));
    elsewhere.keys(&["5"]);
    elsewhere.until("slow");
    elsewhere.keys(&["q"]);
    elsewhere.until("$");
}

/// Starts a recording on a terminal and waits until it has events and shows them; the process that
/// records.
fn recording(terminal: &Terminal, demo: &Demo) -> Pid {
    let pid_file = terminal.home().join("pid");
    terminal.run(&format!(
        "sh -c 'echo $$ > {}; exec {} trace {} --output {}'",
        pid_file.display(),
        scope_binary().display(),
        demo.pid(),
        demo.trace().display()
    ));
    wait_until("events in the trace", || {
        let trace = demo.trace();
        trace.join("manifest.json").exists() && info(&trace)["events"].as_u64() > Some(1_000)
    });
    terminal.until("following");
    let text = fs::read_to_string(pid_file).unwrap();
    Pid::from_raw(text.trim().parse().unwrap()).unwrap()
}

fn info(trace: &Path) -> serde_json::Value {
    serde_json::from_str(&scope(&["info", trace.to_str().unwrap(), "--json"])).unwrap()
}

/// Fails unless the recorder is gone, its trace whole, with the reason of its end, and the demo goes on.
fn assert_ended_well(recorder: Pid, reason: &str, demo: &mut Demo) {
    let process = PathBuf::from(format!("/proc/{}", recorder.as_raw_nonzero()));
    wait_until("the end of the recorder", || !process.exists());
    let trace = demo.trace();
    scope(&["verify", trace.to_str().unwrap()]);
    let info = info(&trace);
    assert_eq!(info["state"], "complete", "{info}");
    assert!(info["end_reason"].as_str().unwrap().contains(reason), "{info}");
    assert!(demo.child.0.try_wait().unwrap().is_none(), "the demo ended");
}

#[test]
fn a_window_that_is_closed_ends_the_recording_in_order() {
    require_root!();
    require_tmux!();
    let _turn = alone();
    let mut demo = Demo::start();
    let terminal = Terminal::new(User::Same, (120, 40));
    let recorder = recording(&terminal, &demo);
    terminal.close();
    assert_ended_well(recorder, "SIGHUP", &mut demo);
}

#[test]
fn a_signal_ends_the_recording_in_order_and_gives_the_terminal_back() {
    require_root!();
    require_tmux!();
    let _turn = alone();
    let mut demo = Demo::start();
    let terminal = Terminal::new(User::Same, (120, 40));
    let recorder = recording(&terminal, &demo);
    kill_process(recorder, Signal::TERM).unwrap();
    assert_ended_well(recorder, "SIGTERM", &mut demo);
    terminal.until("look at it with");
    // In raw mode lines are not made of what is typed.
    terminal.run("echo \"[$(stty -a | grep -o '[-]*icanon')]\"");
    terminal.until("[icanon]");
}
