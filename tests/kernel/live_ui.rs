//! `scope trace PID` on a terminal: the UI on the recording that goes on, what it can have the recorder
//! do, and what becomes of the recording when the UI, its user or its terminal goes. tmux is the terminal.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use scope_tests::{not_run, require_root, scope_binary};
use serde_json::Value;
use tempfile::TempDir;

use super::harness::{C, EVERY, Target, folder, scope, shared, wait_until};

/// Longer than any machine takes for a key.
const PATIENCE: Duration = Duration::from_secs(60);
/// Calls a second of the target.
const RATE: &str = "5000";

/// A terminal with a shell in it, and a target that goes on calling until it is killed.
struct Live {
    folder: TempDir,
    target: Target,
}

impl Live {
    /// Records the target in the terminal; `None`, and that is said, where there is no tmux.
    fn start(test: &str, options: &[&str]) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            not_run(test, "tmux is not installed");
            return None;
        }
        let mut target = Target::start(&C("paced"), &[RATE, "100000"]);
        target.go();
        let live = Self { folder: folder(), target };
        let home = live.folder.path().display().to_string();
        let cache = env!("CARGO_TARGET_TMPDIR");
        let shell = format!(
            "env -i PATH=/usr/bin:/bin HOME={home} XDG_CACHE_HOME={cache} TERM=screen \
             LANG=C.UTF-8 PS1='$ ' sh"
        );
        live.tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", &shell]);
        live.until("$");
        let words = [EVERY, options].concat().join("' '");
        let command = format!(
            "sh -c 'echo $$ > pid; exec \"$@\"' sh {} trace {} -o out.scope '{words}'",
            scope_binary().display(),
            live.target.pid(),
        );
        live.keys(&[&format!("cd {home}; clear; {command}"), "Enter"]);
        Some(live)
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let output = Command::new("tmux")
            .env_remove("TMUX")
            .arg("-S")
            .arg(self.folder.path().join("tmux"))
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn keys(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.tmux(&["capture-pane", "-p"]).stdout).into_owned()
    }

    /// The screen as soon as a text is on it.
    #[track_caller]
    fn until(&self, text: &str) -> String {
        self.until_that(text, |screen| screen.contains(text))
    }

    #[track_caller]
    fn until_that(&self, what: &str, fits: impl Fn(&str) -> bool) -> String {
        let begin = Instant::now();
        loop {
            let screen = self.screen();
            if fits(&screen) {
                return screen;
            }
            assert!(begin.elapsed() < PATIENCE, "not on the screen: {what}\n{screen}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn recorder(&self) -> Pid {
        let text = std::fs::read_to_string(self.folder.path().join("pid")).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    fn close_terminal(&self) {
        self.tmux(&["kill-server"]);
    }

    fn trace(&self) -> String {
        self.folder.path().join("out.scope").display().to_string()
    }

    /// The trace once its recorder has completed it; the target goes on.
    #[track_caller]
    fn completed(&mut self) -> Value {
        let trace = self.trace();
        let info = || -> Value {
            serde_json::from_str(&scope(&["info", &trace, "--json"])).unwrap_or_default()
        };
        wait_until("the trace is complete", || info()["state"] == "complete");
        scope(&["verify", &trace]);
        assert!(self.target.is_running(), "the target goes on");
        info()
    }

    /// Typed lines are lines again.
    fn is_given_back(&self) {
        self.keys(&["echo \"[$(stty -a | grep -o '[-]*icanon')]\"", "Enter"]);
        self.until("[icanon]");
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let socket = self.folder.path().join("tmux");
        let _ = Command::new("tmux").arg("-S").arg(socket).arg("kill-server").output();
    }
}

/// The number before `events` in the first line: all events so far.
fn events(screen: &str) -> u64 {
    let (before, _) =
        screen.lines().next().unwrap_or_default().split_once(" events").unwrap_or_default();
    let digits: String = before
        .rsplit(' ')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or(0)
}

#[test]
fn it_is_paused_stepped_left_and_looked_at_again() {
    require_root!();
    let _turn = shared();
    let test = "live_ui::it_is_paused_stepped_left_and_looked_at_again";
    let Some(mut live) = Live::start(test, &[]) else { return };
    live.until("following");
    let first = events(&live.until_that("events come", |screen| events(screen) > 1_000));
    live.until_that("more events come", |screen| events(screen) > first + 1_000);

    // No call is recorded while it is paused: two looks in a row at the calls of the function are alike.
    live.keys(&["p"]);
    live.until("PAUSED");
    let calls = || {
        let report = scope(&["report", &live.trace(), "--json"]);
        let report: Value = serde_json::from_str(&report).unwrap();
        let functions = report["functions"].as_array().unwrap().clone();
        functions
            .iter()
            .find(|row| row["name"] == "leaf")
            .map_or(0, |row| row["calls"].as_u64().unwrap())
    };
    let mut before = calls();
    wait_until("no calls come", || std::mem::replace(&mut before, calls()) == before && before > 0);
    live.keys(&["7"]);
    live.until("paused: no calls are recorded");
    live.keys(&["p", "1"]);
    live.until("recording again");
    wait_until("calls come again", || calls() > before + 1_000);

    // Time stops where its user steps, and the recording goes on behind it.
    live.keys(&["g", "s"]);
    live.until("▶");
    let at = live.until("recording  ");
    live.until_that("events come", |screen| events(screen) > events(&at) + 1_000);
    live.keys(&["2"]);
    live.until("return x + 1;");

    // Detached, the recorder says how it gets on, and anybody may look.
    live.keys(&["D"]);
    live.until("% CPU");
    live.tmux(&["split-window", "-v"]);
    let replay = format!("{} replay {}", scope_binary().display(), live.trace());
    live.keys(&[&replay, "Enter"]);
    live.until("7 Health");
    live.keys(&["0"]);
    live.until("╲");
    live.keys(&["p"]);
    live.until("only the scope that began it steers it");
    live.keys(&["q"]);
    kill_process(live.recorder(), Signal::INT).unwrap();
    let info = live.completed();
    let warnings = info.to_string();
    assert!(warnings.contains("paused: no calls are recorded"), "{warnings}");
}

#[test]
fn the_recording_ends_when_its_user_says_so_and_the_screen_stays() {
    require_root!();
    let _turn = shared();
    let test = "live_ui::the_recording_ends_when_its_user_says_so_and_the_screen_stays";
    let Some(mut live) = Live::start(test, &[]) else { return };
    live.until_that("events come", |screen| events(screen) > 1_000);
    live.keys(&["X"]);
    live.until("complete  ");
    live.completed();
    live.keys(&["q"]);
    live.until("look at it with: scope report");
    live.is_given_back();
}

#[test]
fn leaving_twice_ends_the_recording() {
    require_root!();
    let _turn = shared();
    let Some(mut live) = Live::start("live_ui::leaving_twice_ends_the_recording", &[]) else {
        return;
    };
    live.until_that("events come", |screen| events(screen) > 1_000);
    live.keys(&["q"]);
    live.until("q again ends the recording");
    live.keys(&["q"]);
    live.until("look at it with: scope report");
    live.completed();
    live.is_given_back();
}

#[test]
fn a_signal_ends_both_and_gives_the_terminal_back() {
    require_root!();
    let _turn = shared();
    let test = "live_ui::a_signal_ends_both_and_gives_the_terminal_back";
    let Some(mut live) = Live::start(test, &[]) else { return };
    live.until_that("events come", |screen| events(screen) > 1_000);
    kill_process(live.recorder(), Signal::TERM).unwrap();
    live.until("look at it with: scope report");
    let info = live.completed();
    assert_eq!(info["end_reason"], "terminated (SIGTERM)");
    live.is_given_back();
}

#[test]
fn a_closed_terminal_ends_the_recording_cleanly() {
    require_root!();
    let _turn = shared();
    let test = "live_ui::a_closed_terminal_ends_the_recording_cleanly";
    let Some(mut live) = Live::start(test, &[]) else { return };
    live.until_that("events come", |screen| events(screen) > 1_000);
    live.close_terminal();
    let info = live.completed();
    assert_eq!(info["end_reason"], "the terminal was closed (SIGHUP)");
}

#[test]
fn a_closed_terminal_leaves_the_recorder_running_when_told_so() {
    require_root!();
    let _turn = shared();
    let test = "live_ui::a_closed_terminal_leaves_the_recorder_running_when_told_so";
    let Some(mut live) = Live::start(test, &["--ignore-hangup"]) else { return };
    live.until_that("events come", |screen| events(screen) > 1_000);
    let recorder = live.recorder();
    live.close_terminal();
    let bytes = || {
        let info: Value =
            serde_json::from_str(&scope(&["info", &live.trace(), "--json"])).unwrap_or_default();
        info["events"].as_u64().unwrap_or(0)
    };
    let before = bytes();
    wait_until("it goes on without a terminal", || bytes() > before + 10_000);
    kill_process(recorder, Signal::TERM).unwrap();
    let info = live.completed();
    assert_eq!(info["end_reason"], "terminated (SIGTERM)");
}

#[test]
fn without_the_ui_it_prints_its_status_line() {
    require_root!();
    let _turn = shared();
    let test = "live_ui::without_the_ui_it_prints_its_status_line";
    let Some(mut live) = Live::start(test, &["--no-tui"]) else { return };
    live.until("% CPU");
    live.keys(&["C-c"]);
    live.until("look at it with: scope report");
    live.completed();
}
