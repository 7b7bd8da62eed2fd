//! How the program is called and how it ends, whatever the command.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::harness::{Sample, command, enter, everything, fail, leave, succeed};

#[test]
fn wrong_usage_ends_with_status_2() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for arguments in [
        &[] as &[&str],
        &["nonsense"],
        &["report"],
        &["report", "x.scope", "--sort", "colour"],
        &["report", "x.scope", "--limit", "-1"],
        &["dump", "x.scope", "--from", "soon"],
        &["at", "x.scope"],
        &["at", "x.scope", "soon"],
        &["at", "x.scope", "1s", "--thread", "main"],
        &["step", "x.scope", "over"],
        &["step", "x.scope", "--at", "1s", "sideways"],
        &["step", "x.scope", "--at", "1s", "over"],
        &["step", "x.scope", "--at", "101%", "next"],
        &["find", "x.scope"],
        &["find", "x.scope", "parse"],
        &["find", "x.scope", "duration > soon"],
        &["find", "x.scope", "kind=enter", "--from", "then"],
        &["code"],
        &["code", "x.scope", "--cfg"],
        &["code", "x.scope", "main", "--cfg", "--dfg"],
        &["code", "x.scope", "--format", "dot"],
        &["code", "x.scope", "--pattern-dir", "patterns"],
        &["code", "x.scope", "--source-map", "nothing"],
        &["source", "x.scope"],
        &["trace"],
        &["trace", "0"],
        &["trace", "self"],
        &["trace", "1", "--", "true"],
        &["trace", "1", "--duration", "2 fortnights"],
        &["trace", "1", "--ring-size", "0"],
        &["trace", "1", "--returns", "maybe"],
        &["trace", "1", "--json"],
        &["--color", "sometimes", "info", "x.scope"],
        &["completions", "klingon"],
    ] {
        let (status, message) = fail(command(folder.path(), arguments));
        assert_eq!(status, Some(2), "{arguments:?}: {message}");
        assert!(message.contains("--help"), "{arguments:?}: {message}");
    }
}

#[test]
fn what_is_no_trace_is_said_in_one_sentence() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("file"), "text").expect("a file");
    std::fs::create_dir(folder.path().join("empty")).expect("a folder");
    for (path, message) in [
        ("nothing", "scope: nothing is not a scope trace: there is nothing of that name\n"),
        (
            "file",
            "scope: file is not a scope trace: it is a file; give the folder that `scope trace` wrote\n",
        ),
        (
            "empty",
            "scope: empty is not a scope trace: it has no manifest.json; give the folder that `scope trace` wrote\n",
        ),
    ] {
        for reader in ["report", "dump", "info", "verify"] {
            let got = fail(command(folder.path(), &[reader, path]));
            assert_eq!(got, (Some(1), message.to_owned()), "{reader}");
        }
        for arguments in [
            &["at", path, "1s"] as &[&str],
            &["step", path, "next", "--at", "1s"],
            &["find", path, "kind=enter"],
        ] {
            let got = fail(command(folder.path(), arguments));
            assert_eq!(got, (Some(1), message.to_owned()), "{arguments:?}");
        }
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let events: Vec<_> =
        (0..20_000).flat_map(|n| [enter(n * 2, 100, 1), leave(n * 2 + 1, 100, 1)]).collect();
    let sample = Sample::new(&events);
    for extra in [&[] as &[&str], &["--json"]] {
        let arguments: Vec<&str> = ["dump", "sample.scope"].iter().chain(extra).copied().collect();
        let mut child = sample
            .command(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("scope runs");
        let mut line = String::new();
        let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
        reader.read_line(&mut line).expect("a line");
        drop(reader);
        let output = child.wait_with_output().expect("scope ends");
        assert!(output.status.success(), "{:?}", output.status);
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    let sample = Sample::new(&everything());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let output =
        sample.command(&["report", "sample.scope"]).stdout(full).output().expect("scope runs");
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("No space left on device"), "{message}");
}

#[test]
fn colours_come_only_when_asked_for_in_a_pipe() {
    let sample = Sample::new(&everything());
    let escape = '\u{1b}';
    assert!(!sample.text(&["report", "sample.scope"]).contains(escape));
    let always = ["report", "sample.scope", "--color", "always"];
    assert!(sample.text(&always).contains(escape));
    let mut forced = sample.command(&["--color", "never", "report", "sample.scope"]);
    forced.env("CLICOLOR_FORCE", "1");
    assert!(!succeed(forced).contains(escape));
}

#[test]
fn a_name_that_holds_control_characters_does_not_reach_the_terminal() {
    use scope_model::{EventKind, ThreadName};

    let rename = EventKind::Rename { name: ThreadName::new("a\u{1b}[2Jb") };
    let sample = Sample::new(&[crate::harness::event(1, 100, rename)]);
    for arguments in [
        &["report", "sample.scope"] as &[&str],
        &["dump", "sample.scope"],
        &["info", "sample.scope"],
        &["at", "sample.scope", "end"],
        &["step", "sample.scope", "previous", "--at", "end", "--thread", "100"],
        &["find", "sample.scope", "kind=rename"],
    ] {
        assert!(!sample.text(arguments).contains('\u{1b}'), "{arguments:?}");
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in [
        "trace",
        "replay",
        "report",
        "dump",
        "at",
        "step",
        "find",
        "info",
        "verify",
        "list",
        "doctor",
        "completions",
    ] {
        let text = succeed(command(folder.path(), &[name, "--help"]));
        assert!(text.contains("Example"), "{name}");
    }
}

#[test]
fn completions_are_printed_for_each_shell() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = succeed(command(folder.path(), &["completions", shell]));
        assert!(script.contains("scope") && script.contains("report"), "{shell}");
    }
}

#[test]
fn manual_pages_are_written_into_a_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    succeed(command(folder.path(), &["man", "man1"]));
    let page = std::fs::read_to_string(folder.path().join("man1/scope-report.1")).expect("a page");
    assert!(page.contains("\\-\\-by\\-thread"), "{page}");
    assert!(folder.path().join("man1/scope.1").exists());
}
