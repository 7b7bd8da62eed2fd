//! Calls found by the syntax that they were made from, against what `syn` sees at their places.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use scope_tests::require_root;
use serde_json::Value;
use syn::spanned::Spanned;
use syn::visit::Visit;

use super::code::demo;
use super::harness::{C, EVERY, Recorder, record, scope, shared};

/// First and last lines of loops, and of what ends the look around a call: functions and closures.
#[derive(Default)]
struct Spans {
    loops: Vec<(usize, usize)>,
    functions: Vec<(usize, usize)>,
}

fn lines(span: proc_macro2::Span) -> (usize, usize) {
    (span.start().line, span.end().line)
}

impl<'a> Visit<'a> for Spans {
    fn visit_expr(&mut self, expression: &'a syn::Expr) {
        match expression {
            syn::Expr::ForLoop(_) | syn::Expr::While(_) | syn::Expr::Loop(_) => {
                self.loops.push(lines(expression.span()));
            }
            syn::Expr::Closure(_) | syn::Expr::Async(_) => {
                self.functions.push(lines(expression.span()));
            }
            _ => {}
        }
        syn::visit::visit_expr(self, expression);
    }
    fn visit_item_fn(&mut self, item: &'a syn::ItemFn) {
        self.functions.push(lines(item.span()));
        syn::visit::visit_item_fn(self, item);
    }
    fn visit_impl_item_fn(&mut self, item: &'a syn::ImplItemFn) {
        self.functions.push(lines(item.span()));
        syn::visit::visit_impl_item_fn(self, item);
    }
}

impl Spans {
    fn of(path: &Path) -> Self {
        let mut spans = Self::default();
        spans.visit_file(&syn::parse_file(&fs::read_to_string(path).unwrap()).unwrap());
        spans
    }

    /// Whether what stands on a line is in a loop of the innermost function around it.
    fn is_in_loop(&self, line: usize) -> bool {
        let holds = |(first, last): &(usize, usize)| (*first..=*last).contains(&line);
        let around = self.functions.iter().filter(|span| holds(span)).max_by_key(|span| span.0);
        self.loops.iter().filter(|span| holds(span)).any(|of| around.is_none_or(|f| of.0 >= f.0))
    }
}

/// A call: when, which thread, which function.
type Call = (i64, u64, String);

fn call(row: &Value) -> Call {
    let text = |name: &str| row[name].as_str().unwrap().to_owned();
    (row["t_ns"].as_i64().unwrap(), row["tid"].as_u64().unwrap(), text("name"))
}

fn rows(arguments: &[&str]) -> Vec<Value> {
    scope(arguments).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn entered(trace: &str) -> Vec<Value> {
    let begins = |row: &Value| row["kind"] == "enter" && row["inherited"] == false;
    rows(&["dump", trace, "--json"]).into_iter().filter(begins).collect()
}

fn found(trace: &str, condition: &str) -> BTreeSet<Call> {
    rows(&["find", trace, condition, "--json"]).iter().map(call).collect()
}

#[test]
fn calls_are_found_by_the_loops_that_they_stand_in() {
    require_root!();
    let _turn = shared();
    let mut child = Command::new(demo()).stdout(Stdio::null()).spawn().unwrap();
    let recorder = Recorder::attach(child.id(), &["--duration", "300ms"]);
    let trace = recorder.finish_and(|| {
        child.kill().unwrap();
        child.wait().unwrap();
    });
    let trace = trace.path().to_str().unwrap();
    let entered = entered(trace);
    let mut files: HashMap<String, Spans> = HashMap::new();
    let mut expected: (BTreeSet<Call>, BTreeSet<Call>) = Default::default();
    for row in entered.iter().filter(|row| row["call_node_id"].is_string()) {
        let (file, line) = (row["call_file"].as_str().unwrap(), row["call_line"].as_u64().unwrap());
        let spans = files.entry(file.to_owned()).or_insert_with(|| Spans::of(Path::new(file)));
        let side = match spans.is_in_loop(usize::try_from(line).unwrap()) {
            true => &mut expected.0,
            false => &mut expected.1,
        };
        side.insert(call(row));
    }
    let (inside, outside) = expected;
    assert!(!inside.is_empty() && !outside.is_empty(), "{} {}", inside.len(), outside.len());
    let loops = "(node=for_expression or node=while_expression or node=loop_expression)";
    assert_eq!(found(trace, &format!("kind=enter {loops}")), inside);
    assert_eq!(found(trace, &format!("kind=enter node=call_expression not {loops}")), outside);
    // Where calls end, too, and a call of unknown place has no kind but another.
    let ended = found(trace, &format!("kind=leave {loops}")).len();
    assert!(ended > 0 && ended <= inside.len(), "{ended} of {}", inside.len());
    let all = inside.len() + outside.len();
    assert_eq!(found(trace, "kind=enter node!=loop_expression or node=loop_expression").len(), all);
}

#[test]
fn calls_are_found_by_the_patterns_that_they_stand_in() {
    require_root!();
    let _turn = shared();
    let (_, recorded) = record(&C("recursion"), &[], EVERY);
    let trace = recorded.path().to_str().unwrap();
    let entered = entered(trace);
    let listing: Value =
        serde_json::from_str(&scope(&["code", trace, "--patterns", "--json"])).unwrap();
    let mut nodes: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for finding in listing["findings"].as_array().unwrap() {
        let text = |name: &str| finding[name].as_str().unwrap();
        nodes.entry(text("pattern")).or_default().insert(text("node_id"));
    }
    let mut compared = 0;
    for (pattern, nodes) in &nodes {
        let made =
            |row: &&Value| row["call_node_id"].as_str().is_some_and(|node| nodes.contains(node));
        let made: BTreeSet<Call> = entered.iter().filter(made).map(call).collect();
        let hits = found(trace, &format!("kind=enter pattern={pattern}"));
        assert!(hits.is_superset(&made), "{pattern}");
        compared += made.len();
    }
    assert!(compared > 0, "no recorded call was made from a finding: {nodes:?}");
}
