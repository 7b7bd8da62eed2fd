//! A trace on disk, read as a user reads it: through `scope report`, `dump`, `info` and `verify`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::recorder::scope;
use super::target::Truth;

/// A recorded trace; its folder goes when it is dropped.
#[derive(Debug)]
pub struct Trace {
    path: PathBuf,
    _folder: TempDir,
}

/// What `scope report --json --limit 0` says.
#[derive(Clone, Debug)]
pub struct Report(pub Value);

impl Trace {
    pub(super) fn new(path: PathBuf, folder: TempDir) -> Self {
        Self { path, _folder: folder }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self, command: &str, arguments: &[&str]) -> String {
        let path = self.path.to_str().expect("test folders have plain names");
        let all: Vec<&str> = [command, path].iter().chain(arguments).copied().collect();
        scope(&all)
    }

    /// Its report, all functions.
    pub fn report(&self) -> Report {
        let text = self.read("report", &["--json", "--limit", "0"]);
        Report(serde_json::from_str(&text).expect("report prints JSON"))
    }

    /// Its `info`.
    pub fn info(&self) -> Value {
        serde_json::from_str(&self.read("info", &["--json"])).expect("info prints JSON")
    }

    /// All its events.
    pub fn events(&self) -> Vec<Value> {
        self.read("dump", &["--json"])
            .lines()
            .map(|line| serde_json::from_str(line).expect("dump prints one JSON object a line"))
            .collect()
    }

    /// What `scope verify` says of it; fails unless it is satisfied.
    pub fn verify(&self) -> String {
        self.read("verify", &[])
    }

    /// Fails unless the trace is whole: verified, nothing lost, every call tree well nested, and the
    /// calls of every function of `truth` as it says.
    pub fn check(&self, truth: &Truth) -> Report {
        assert!(!truth.calls.is_empty(), "the workload told no counts");
        self.verify();
        let report = self.report();
        assert_eq!(report.number("lost_events"), 0, "{}", report.0);
        report.assert_calls(truth);
        self.assert_well_nested();
        report
    }

    /// Fails unless, in every thread, times never go back and every `leave` ends the innermost
    /// `enter`. An `enter` that nothing ends was open at the trace's end.
    pub fn assert_well_nested(&self) {
        let mut stacks: HashMap<u64, (u64, Vec<Value>)> = HashMap::new();
        let events = self.events();
        assert!(!events.is_empty(), "an empty trace shows nothing");
        for event in &events {
            let kind = event["kind"].as_str().expect("every event has a kind");
            if kind == "gap" {
                continue;
            }
            let tid = event["tid"].as_u64().expect("every event has a thread");
            let time = event["t_ns"].as_u64().expect("every event has a time");
            let (last, stack) = stacks.entry(tid).or_default();
            assert!(time >= *last, "time goes back from {last} to {event}");
            *last = time;
            match kind {
                "enter" => stack.push(event["function"].clone()),
                "leave" => assert_eq!(
                    stack.pop().as_ref(),
                    Some(&event["function"]),
                    "{event} does not end the innermost call; below: {stack:?}"
                ),
                _ => {}
            }
        }
    }
}

impl Report {
    /// A number of the report itself.
    pub fn number(&self, name: &str) -> u64 {
        self.0[name].as_u64().unwrap_or_else(|| panic!("no number {name} in the report"))
    }

    /// The row of a function by its readable or its linkage name.
    pub fn function(&self, name: &str) -> Option<&Value> {
        self.functions().iter().find(|row| row["name"] == name || row["symbol"] == name)
    }

    /// All rows.
    pub fn functions(&self) -> &[Value] {
        self.0["functions"].as_array().expect("a report has functions")
    }

    /// A number of a function that must be there.
    pub fn of(&self, function: &str, number: &str) -> u64 {
        let row = self.function(function).unwrap_or_else(|| {
            let names: Vec<&Value> = self.functions().iter().map(|row| &row["name"]).collect();
            panic!("no {function} among {names:?}")
        });
        row[number].as_u64().unwrap_or_else(|| panic!("no number {number} in {row}"))
    }

    /// Calls of a function; 0 for one that is not in the report.
    pub fn calls(&self, function: &str) -> u64 {
        self.function(function).map_or(0, |row| row["calls"].as_u64().expect("calls is a number"))
    }

    /// Fails unless every function that the truth names has the calls it says.
    pub fn assert_calls(&self, truth: &Truth) {
        let seen: Vec<(&String, u64)> =
            truth.calls.keys().map(|name| (name, self.calls(name))).collect();
        let true_calls: Vec<(&String, u64)> =
            truth.calls.iter().map(|(name, calls)| (name, *calls)).collect();
        assert_eq!(seen, true_calls, "calls in the report (left) are not the truth (right)");
    }

    /// The row of a thread.
    pub fn thread(&self, tid: i64) -> &Value {
        self.0["threads"]
            .as_array()
            .expect("a report has threads")
            .iter()
            .find(|row| row["tid"] == tid)
            .unwrap_or_else(|| panic!("no thread {tid} in the report"))
    }
}
