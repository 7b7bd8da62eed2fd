//! Crates depend one way, and those that read traces know nothing of BPF.

use std::collections::{HashMap, VecDeque};

use anyhow::{Context, Result};
use serde_json::Value;

use super::Problem;
use super::tree::Tree;
use crate::project::{cargo, output};

/// Every crate of the workspace and its rank: it may depend on lower ranks only.
const RANKS: [(&str, u32); 13] = [
    ("tracer-common", 0),
    ("scope-model", 1),
    ("scope-symbols", 2),
    ("scope-source", 2),
    ("scope-store", 2),
    ("scope-code", 3),
    ("scope-timeline", 4),
    ("scope-query", 5),
    ("scope-export", 6),
    ("scope-tui", 6),
    ("tracer-user", 7),
    ("scope-tests", 8),
    ("xtask", 8),
];

/// Crates that may only be found in the trees of crates from this rank on.
const KERNEL_SIDE: (&str, u32) = ("aya", 7);

pub(super) fn check(_: &Tree) -> Result<Vec<Problem>> {
    Ok(check_metadata(&metadata()?))
}

/// What cargo knows of the workspace and everything it depends on.
pub(super) fn metadata() -> Result<Value> {
    let text = output(cargo().args(["metadata", "--locked", "--format-version", "1"]))?;
    serde_json::from_str(&text).context("cargo metadata printed something else than JSON")
}

fn check_metadata(metadata: &Value) -> Vec<Problem> {
    let names: HashMap<&str, &str> = items(&metadata["packages"])
        .filter_map(|package| Some((package["id"].as_str()?, package["name"].as_str()?)))
        .collect();
    let members: Vec<&str> =
        items(&metadata["workspace_members"]).filter_map(Value::as_str).collect();
    let needs: HashMap<&str, Vec<&str>> = items(&metadata["resolve"]["nodes"])
        .filter_map(|node| Some((node["id"].as_str()?, needed_by(node))))
        .collect();
    let mut problems = Vec::new();
    for member in &members {
        let name = names.get(member).copied().unwrap_or(member);
        let Some(rank) = rank_of(name) else {
            let why = "has no rank yet; give it one in xtask/src/tidy/dependencies.rs";
            problems.push(Problem::of(name, why));
            continue;
        };
        for needed in needs.get(member).into_iter().flatten().filter(|id| members.contains(id)) {
            let needed = names.get(needed).copied().unwrap_or(needed);
            if rank_of(needed).is_some_and(|other| other >= rank) {
                problems.push(Problem::of(name, format!("may not depend on {needed}")));
            }
        }
        if rank < KERNEL_SIDE.1
            && let Some(way) = way_to(member, KERNEL_SIDE.0, &names, &needs)
        {
            problems.push(Problem::of(name, format!("needs {}: {way}", KERNEL_SIDE.0)));
        }
    }
    problems
}

fn rank_of(name: &str) -> Option<u32> {
    RANKS.iter().find(|(other, _)| *other == name).map(|(_, rank)| *rank)
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Ids of the packages a node needs to be built; what only its tests need does not count.
fn needed_by(node: &Value) -> Vec<&str> {
    items(&node["deps"])
        .filter(|dep| items(&dep["dep_kinds"]).any(|kind| kind["kind"] != "dev"))
        .filter_map(|dep| dep["pkg"].as_str())
        .collect()
}

/// The shortest way from a package to one whose name starts with `prefix`, if there is one.
fn way_to<'a>(
    start: &'a str,
    prefix: &str,
    names: &HashMap<&'a str, &'a str>,
    needs: &HashMap<&'a str, Vec<&'a str>>,
) -> Option<String> {
    let mut came_from: HashMap<&str, Option<&str>> = HashMap::from([(start, None)]);
    let mut queue = VecDeque::from([start]);
    while let Some(id) = queue.pop_front() {
        if names.get(id).is_some_and(|name| name.starts_with(prefix)) {
            let mut way = Vec::new();
            let mut step = Some(id);
            while let Some(id) = step {
                way.push(names.get(id).copied().unwrap_or(id));
                step = came_from.get(id).copied().flatten();
            }
            way.reverse();
            return Some(way.join(" → "));
        }
        for needed in needs.get(id).into_iter().flatten() {
            came_from.entry(needed).or_insert_with(|| {
                queue.push_back(needed);
                Some(id)
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A workspace of all these packages; `(from, to, kind)`.
    fn problems(members: &[&str], others: &[&str], needs: &[(&str, &str, Value)]) -> Vec<String> {
        let all: Vec<&str> = members.iter().chain(others).copied().collect();
        let nodes: Vec<Value> = all
            .iter()
            .map(|id| {
                let deps: Vec<Value> = needs
                    .iter()
                    .filter(|(from, ..)| from == id)
                    .map(|(_, to, kind)| json!({"pkg": to, "dep_kinds": [{"kind": kind}]}))
                    .collect();
                json!({"id": id, "deps": deps})
            })
            .collect();
        let packages: Vec<Value> = all.iter().map(|id| json!({"id": id, "name": id})).collect();
        let metadata = json!({
            "packages": packages, "workspace_members": members, "resolve": {"nodes": nodes},
        });
        check_metadata(&metadata).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_dependency_upward_is_found() {
        let members = ["scope-model", "scope-store"];
        let down = [("scope-store", "scope-model", Value::Null)];
        assert_eq!(problems(&members, &[], &down), [""; 0]);
        let up = [("scope-model", "scope-store", Value::Null)];
        assert_eq!(problems(&members, &[], &up), ["scope-model: may not depend on scope-store"]);
        let for_tests = [("scope-model", "scope-store", json!("dev"))];
        assert_eq!(problems(&members, &[], &for_tests), [""; 0]);
    }

    #[test]
    fn bpf_in_the_tree_of_a_reader_is_found() {
        let needs = [
            ("scope-store", "helper", Value::Null),
            ("helper", "aya-obj", json!("build")),
            ("tracer-user", "aya-obj", Value::Null),
        ];
        assert_eq!(
            problems(&["scope-store", "tracer-user"], &["helper", "aya-obj"], &needs),
            ["scope-store: needs aya: scope-store → helper → aya-obj"]
        );
    }

    #[test]
    fn a_new_crate_needs_a_rank() {
        assert_eq!(problems(&["scope-new"], &[], &[]).len(), 1);
    }
}
