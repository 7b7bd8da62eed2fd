//! docs/json.md names every field that the reading commands print.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Sample, everything};

#[test]
fn every_field_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json.md");
    let document = std::fs::read_to_string(path).expect("docs/json.md");
    let sample = Sample::new(&everything());
    sample.text(&["bookmark", "sample.scope", "slow", "2.4ms"]);
    for (command, arguments) in [
        ("report", &["sample.scope", "--by-thread"] as &[&str]),
        ("graph", &["sample.scope", "main"]),
        ("diff", &["sample.scope", "sample.scope"]),
        ("diff", &["sample.scope", "sample.scope", "--edges"]),
        ("top", &["sample.scope"]),
        ("dump", &["sample.scope"]),
        ("at", &["sample.scope", "2.4ms"]),
        ("at", &["sample.scope", "--call", "2"]),
        ("bookmark", &["sample.scope"]),
        ("verify", &["sample.scope", "--repair"]),
        ("step", &["sample.scope", "--at", "2.4ms", "--thread", "100", "out"]),
        ("find", &["sample.scope", "kind!=exec"]),
        ("info", &["sample.scope"]),
        ("verify", &["sample.scope"]),
    ] {
        let heading = format!("## `scope {command}`");
        let section = document.split(&heading).nth(1).expect("a section for each command");
        let section = section.split("\n## ").next().unwrap_or_default();
        let all: Vec<&str> =
            [command].iter().chain(arguments).chain(&["--json"]).copied().collect();
        let mut fields = BTreeSet::new();
        let text = sample.text(&all);
        for value in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            collect(&value.expect("it prints JSON"), &mut fields);
        }
        for field in fields {
            let named = |text: &str| text.contains(&format!("`{field}`"));
            // Some sections refer to those of other commands.
            let elsewhere =
                section.contains("as in `scope") || section.contains("fields of `scope");
            assert!(named(section) || (elsewhere && named(&document)), "{command}: {field}");
        }
    }
}

/// Names of all fields, at any depth; those of maps whose keys are data aside.
fn collect(value: &Value, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                fields.insert(name.clone());
                let is_map =
                    ["events_by_kind", "site_classes", "recorder"].contains(&name.as_str());
                if !is_map {
                    collect(value, fields);
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, fields)),
        _ => {}
    }
}
