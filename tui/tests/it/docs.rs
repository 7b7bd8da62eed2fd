//! docs/tui.md says what the tables say.

use scope_tui::keys::{Context, TABLE};
use scope_tui::model::COMMANDS;

const PAGE: &str = include_str!("../../../docs/tui.md");

/// The rows of the table of keys, as the page has them.
fn rows() -> String {
    let mut out = String::new();
    let mut group = "";
    for binding in TABLE {
        if binding.group != group {
            group = binding.group;
            out.push_str(&format!("\n### {group}\n\n| keys | does | name |\n|---|---|---|\n"));
        }
        let keys: Vec<String> = binding.keys.iter().map(|key| format!("`{key}`")).collect();
        let whereof = match binding.context {
            Context::Anywhere => "",
            Context::Rows => " (in a list)",
            Context::Prompt => " (while typing)",
        };
        out.push_str(&format!(
            "| {} | {}{whereof} | `{}` |\n",
            keys.join(" "),
            binding.help,
            binding.name
        ));
    }
    out
}

#[test]
fn the_page_has_the_table_of_keys() {
    let rows = rows();
    assert!(PAGE.contains(rows.trim()), "docs/tui.md should have:\n{rows}");
}

#[test]
fn the_page_has_the_commands() {
    for (command, help) in COMMANDS {
        for form in command.split("  ") {
            assert!(
                PAGE.replace("\\|", "|").contains(&format!("`{form}`")),
                "docs/tui.md does not have {form}: {help}"
            );
        }
    }
}
