//! Go programs without DWARF: their own table gives names, files and lines.

use std::path::PathBuf;
use std::process::Command;

use scope_symbols::code::{CodeTables, Language};

use crate::build::Build;
use crate::code::{describe, has, named, tables};

const SOURCE: &str = r#"package main

import (
	"fmt"
	"os"
)

type Square struct{ side int }

//go:noinline
func (s *Square) Area(scale int) int {
	if scale > 3 {
		return s.side
	}
	return s.side * s.side * scale
}

//go:noinline
func total(values []int) int {
	sum := 0
	for _, value := range values {
		sum += value
	}
	return sum
}

func main() {
	square := Square{len(os.Args)}
	fmt.Println(square.Area(2), total([]int{1, 2, len(os.Args)}))
}
"#;

/// Builds with these linker flags; `None` without a Go compiler.
fn built(test: &str, flags: &str) -> Option<(Build, PathBuf)> {
    if !has(test, "go") {
        return None;
    }
    let build = Build::new();
    build.write("main.go", SOURCE);
    let folder = build.path("main.go");
    let folder = folder.parent().unwrap();
    let output = Command::new("go")
        .args(["build", "-o", "program"])
        .args(flags.split_whitespace())
        .arg("main.go")
        .current_dir(folder)
        .env("GOCACHE", std::env::temp_dir().join("scope-tests-go"))
        .env("GOFLAGS", "-mod=mod")
        .env("GOTOOLCHAIN", "local")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let program = build.path("program");
    Some((build, program))
}

fn check(build: &Build, tables: &CodeTables) {
    let facts = tables.facts();
    assert!(facts.from_go_table && !facts.has_dwarf, "{facts:?}");
    let source = build.path("main.go");
    let area = named(tables, "main.(*Square).Area");
    assert_eq!(tables.path(&area.declared), source.to_str().unwrap());
    // Before Go 1.20 the line of the first instruction stands for the declaration.
    assert!(matches!(area.declared.line, Some(11 | 12)), "{:?}", area.declared);
    assert_eq!(area.language, Language::Go);
    let lines: Vec<u32> = tables.lines_of(area.number).filter_map(|line| line.place.line).collect();
    for line in [12, 13, 15] {
        assert!(lines.contains(&line), "{line}: {lines:?}");
    }
    assert!(tables.functions_with_code() > 1000);
    let entry = area.address.unwrap();
    assert_eq!(tables.function_at(entry + 1).unwrap().number, area.number);
}

#[test]
fn a_stripped_program_keeps_names_files_and_lines() {
    let test = "code_go::a_stripped_program_keeps_names_files_and_lines";
    let Some((build, program)) = built(test, "-ldflags=-s") else { return };
    check(&build, &tables(&program));
}

#[test]
fn a_position_independent_one_as_well() {
    let test = "code_go::a_position_independent_one_as_well";
    let Some((build, program)) = built(test, "-buildmode=pie -ldflags=-s") else { return };
    check(&build, &tables(&program));
}

#[test]
fn the_table_agrees_with_dwarf() {
    let Some((build, program)) = built("code_go::the_table_agrees_with_dwarf", "") else { return };
    let with_dwarf = tables(&program);
    assert!(with_dwarf.facts().has_dwarf);
    build.run("strip --strip-all -o bare program");
    let bare = tables(&build.path("bare"));
    let mut all = 0;
    for function in bare.functions().filter(|function| function.name.starts_with("main.")) {
        for address in bare.ranges_of(function.number).flatten() {
            // With DWARF the innermost of inlined functions comes first.
            let (ours, theirs) = (describe(&bare, address), describe(&with_dwarf, address));
            let place = |text: &String| {
                let place = text.rsplit_once(' ').unwrap().1;
                place.rsplit_once(':').unwrap().0.to_owned()
            };
            // Between functions there is padding, which the table counts to the one before.
            if let Some(theirs) = theirs.first() {
                assert_eq!(ours.first().map(place), Some(place(theirs)), "{address:#x}");
                all += 1;
            }
        }
    }
    assert!(all > 250, "{all}");
}
