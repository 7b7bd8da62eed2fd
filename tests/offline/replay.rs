//! `scope replay` in a real terminal: tmux is one, and says what is on its screen.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use scope_tests::{not_run, scope_binary};
use tempfile::TempDir;

use crate::harness::{Sample, everything, fail};

/// Longer than any machine takes for a key.
const PATIENCE: Duration = Duration::from_secs(60);

/// A tmux server of its own with one terminal, in which a shell runs; gone when dropped.
struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// A terminal; `None`, and that is said, where there is no tmux.
    fn new(test: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            not_run(test, "tmux is not installed");
            return None;
        }
        let terminal = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let home = terminal.folder.path().display().to_string();
        let shell =
            format!("env -i PATH=/usr/bin:/bin HOME={home} TERM=screen LANG=C.UTF-8 PS1='$ ' sh");
        terminal.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", &shell]);
        terminal.until("$");
        Some(terminal)
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let socket = self.folder.path().join("tmux");
        let output = Command::new("tmux")
            .env_remove("TMUX")
            .arg("-S")
            .arg(socket)
            .args(arguments)
            .output()
            .expect("tmux runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn keys(&self, keys: &[&str]) {
        let mut arguments = vec!["send-keys"];
        arguments.extend(keys);
        self.tmux(&arguments);
    }

    /// Types a command into the shell.
    fn run(&self, command: &str) {
        self.keys(&[command, "Enter"]);
    }

    fn replay(&self, trace: &Path) {
        self.run(&format!(
            "clear; {} replay --session me {}",
            scope_binary().display(),
            trace.display()
        ));
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// The screen as soon as a text is on it.
    #[track_caller]
    fn until(&self, text: &str) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if screen.contains(text) {
                return screen;
            }
            assert!(begin.elapsed() < PATIENCE, "no {text:?} on the screen:\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let socket = self.folder.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}

#[test]
fn a_session_is_left_and_taken_up_again() {
    let Some(terminal) = Terminal::new("replay::a_session_is_left_and_taken_up_again") else {
        return;
    };
    let sample = Sample::new(&everything());
    terminal.replay(&sample.path());
    terminal.until("0 of 28 events");
    // Into main, over its first callee, to the one that waits, and a breakpoint on the end of it.
    terminal.keys(&["s", "n"]);
    terminal.until("0.000700000s");
    terminal.keys(&["/", "wait", "Enter"]);
    terminal.until("0.002100000s");
    terminal.keys(&["B", "end=lost", "Enter", "c"]);
    terminal.until("breakpoint hit 1: end=lost");
    terminal.keys(&["N", "3"]);
    terminal.until("0.006400000s");
    terminal.until("on CPU 0    100us main");
    // The wake-up that ended the wait: the last that is drawn.
    let left = terminal.until("▼█");
    terminal.keys(&["m", "before it is lost", "Enter"]);
    terminal.until("marked as @before");
    terminal.keys(&["q"]);
    // What is typed before belongs to the UI.
    terminal.until("$");
    terminal.run("echo is $?");
    terminal.until("is 0");
    assert!(sample.path().join("sessions/me.json").is_file());
    assert!(sample.text(&["bookmark", "sample.scope", "--list"]).contains("before"));

    terminal.replay(&sample.path());
    terminal.until(left.lines().next().expect("a screen has lines"));
    terminal.until("on CPU 0    100us main");
    let again = terminal.until("▼█");
    // Between the first line and what is said at the foot.
    let rows = |screen: &str| screen.lines().take(20).map(str::to_owned).collect::<Vec<_>>();
    // The mark is new.
    let without_mark = |screen: &str| rows(screen).concat().replace('◆', "▼");
    assert_eq!(without_mark(&again), without_mark(&left));
    terminal.keys(&["q"]);
    terminal.until("$");
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let Some(terminal) = Terminal::new("replay::a_signal_gives_the_terminal_back") else { return };
    let sample = Sample::new(&everything());
    let pid = terminal.folder.path().join("pid");
    terminal.run("echo before");
    terminal.run(&format!(
        "sh -c 'echo $$ > {}; exec {} replay {}'",
        pid.display(),
        scope_binary().display(),
        sample.path().display(),
    ));
    terminal.until("0 of 28 events");
    let pid = std::fs::read_to_string(pid).expect("the shell wrote it");
    let killed = Command::new("kill").arg(pid.trim()).status().expect("kill runs");
    assert!(killed.success());
    terminal.until("before");
    // In raw mode lines are not made of what is typed.
    terminal.run("echo \"[$(stty -a | grep -o '[-]*icanon')]\"");
    terminal.until("[icanon]");
}

#[test]
fn a_lost_terminal_ends_it_and_the_session_is_kept() {
    let test = "replay::a_lost_terminal_ends_it_and_the_session_is_kept";
    let Some(terminal) = Terminal::new(test) else { return };
    let sample = Sample::new(&everything());
    terminal.replay(&sample.path());
    terminal.until("0 of 28 events");
    drop(terminal);
    let begin = Instant::now();
    while !sample.path().join("sessions/me.json").is_file() {
        assert!(begin.elapsed() < PATIENCE, "it goes on without a terminal");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let sample = Sample::new(&everything());
    let (status, message) = fail(sample.command(&["replay", "sample.scope"]));
    assert_eq!(status, Some(1));
    assert!(
        message.contains("this needs a terminal that can place text; scope report and scope dump"),
        "{message}"
    );
}

#[test]
fn what_is_no_trace_is_refused_before_the_screen_is_taken() {
    let sample = Sample::new(&everything());
    let (status, message) = fail(sample.command(&["replay", "nothing.scope"]));
    assert_eq!(status, Some(1));
    assert!(message.contains("nothing.scope"), "{message}");
}
