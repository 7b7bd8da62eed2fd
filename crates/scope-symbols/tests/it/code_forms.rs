//! The same program with its debug information in other forms and places says the same.

use std::path::Path;

use scope_symbols::code::{CodeTables, MemberKind};

use crate::build::Build;
use crate::code::{CPP, addresses, describe, has, named, tables};

/// What all code of a program stands for, and its types and parameters, without numbers.
fn everything(tables: &CodeTables, folder: &Path, with_locations: bool) -> Vec<String> {
    let folder = folder.to_str().unwrap();
    let mut lines: Vec<String> = addresses(tables)
        .into_iter()
        .map(|address| format!("{address:#x}: {:?}", describe(tables, address)))
        .collect();
    for function in tables.functions().filter(|function| function.from_dwarf) {
        let parameters: Vec<_> = tables
            .parameters_of(function.number)
            .map(|parameter| {
                let value_type = parameter.value_type.and_then(|number| tables.type_at(number));
                let places = tables.locations_of(&parameter).filter(|_| with_locations);
                let places: Vec<_> = places.collect();
                format!("{}: {:?} {places:?}", parameter.name, value_type.map(|value| value.size))
            })
            .collect();
        let declared = function.declared;
        lines.push(format!(
            "{} {}:{:?} {parameters:?}",
            function.name,
            tables.path(&declared),
            declared.line
        ));
    }
    let mut types: Vec<String> = tables
        .types()
        .filter(|kind| !kind.name.is_empty() && !kind.is_declaration)
        .map(|kind| format!("{} {:?} {:?}", kind.name, kind.kind, kind.size))
        .collect();
    types.sort();
    types.dedup();
    lines.extend(types);
    lines.iter().map(|line| line.replace(folder, "")).collect()
}

/// Compares a program with the same one built plainly. `others` are run after the compiler.
#[track_caller]
fn same(compiler: &str, plain: &str, form: &str, others: &str) {
    let plainly = Build::made("main.cpp", CPP, &format!("{compiler} {plain} main.cpp -o program"));
    let otherwise =
        Build::made("main.cpp", CPP, &format!("{compiler} {plain} {form} main.cpp -o program"));
    others.split(';').filter(|other| !other.is_empty()).for_each(|other| otherwise.run(other));
    let (expected, found) = (tables(&plainly.path("program")), tables(&otherwise.path("program")));
    assert_eq!(found.facts().missing, [""; 0]);
    // In split DWARF 4 GCC mixes views into the lists of locations, in a form that no reader knows.
    let readable = !(compiler == "g++" && form == "-gsplit-dwarf" && plain.contains("-gdwarf-4"));
    let read = |tables, build: &Build| {
        everything(tables, build.path("program").parent().unwrap(), readable)
    };
    let (expected, found) = (read(&expected, &plainly), read(&found, &otherwise));
    assert!(expected.len() > 300);
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected, found, "{compiler} {plain} {form} {others}");
    }
    assert_eq!(expected.len(), found.len());
}

#[test]
fn compressed_sections() {
    same("g++", "-g -O2", "-gz=zlib", "");
    same("g++", "-g -O2", "-gz=zlib-gnu", "");
}

#[test]
fn sections_compressed_with_zstd() {
    if has("code_forms::sections_compressed_with_zstd", "llvm-objcopy-22") {
        same("g++", "-g -O2", "", "llvm-objcopy-22 --compress-debug-sections=zstd program program");
    }
}

#[test]
fn type_units() {
    same("g++", "-g -O2 -gdwarf-4", "-fdebug-types-section", "");
    same("g++", "-g -O2 -gdwarf-5", "-fdebug-types-section", "");
}

#[test]
fn split_units_beside() {
    same("g++", "-g -O2 -gdwarf-4", "-gsplit-dwarf", "");
    same("g++", "-g -O2 -gdwarf-5", "-gsplit-dwarf", "");
    same("g++", "-g -O2 -gdwarf-5 -fdebug-types-section", "-gsplit-dwarf", "");
}

#[test]
fn split_units_of_clang() {
    if has("code_forms::split_units_of_clang", "clang++") {
        same("clang++", "-g -O2 -gdwarf-4", "-gsplit-dwarf", "");
        same("clang++", "-g -O2 -gdwarf-5", "-gsplit-dwarf", "");
    }
}

#[test]
fn split_units_in_a_package() {
    if has("code_forms::split_units_in_a_package", "dwp") {
        let packed = "dwp -e program -o program.dwp;find . -name *.dwo -delete";
        same("g++", "-g -O2 -gdwarf-4", "-gsplit-dwarf", packed);
        same("g++", "-g -O2 -gdwarf-4 -fdebug-types-section", "-gsplit-dwarf", packed);
    }
}

#[test]
fn split_units_of_clang_in_a_package() {
    let test = "code_forms::split_units_of_clang_in_a_package";
    if has(test, "llvm-dwp") && has(test, "clang++") {
        let packed = "llvm-dwp -e program -o program.dwp;find . -name *.dwo -delete";
        same("clang++", "-g -O2 -gdwarf-5", "-gsplit-dwarf", packed);
    }
}

#[test]
fn a_supplementary_file() {
    if has("code_forms::a_supplementary_file", "dwz") {
        let shared = "cp program other;dwz -m shared program other";
        same("g++", "-g -O2 -gdwarf-4", "", shared);
        let shared = "cp program other;dwz -5 -m shared program other";
        same("g++", "-g -O2 -gdwarf-5", "", shared);
    }
}

#[test]
fn partial_units_in_one_file() {
    if has("code_forms::partial_units_in_one_file", "dwz") {
        same("g++", "-g -O2 -gdwarf-5", "", "dwz program");
    }
}

#[test]
fn a_debug_link() {
    let moved = "objcopy --only-keep-debug program program.debug;strip --strip-all program;\
                 objcopy --add-gnu-debuglink=program.debug program";
    same("g++", "-g -O2", "", moved);
}

#[test]
fn missing_files_are_named() {
    let build = Build::made(
        "main.cpp",
        CPP,
        "g++ -g -O2 -gsplit-dwarf main.cpp -o program;find . -name *.dwo -delete",
    );
    let tables = tables(&build.path("program"));
    let missing = &tables.facts().missing;
    assert!(missing.len() == 1 && missing[0].ends_with("main.dwo"), "{missing:?}");
    // What is left are the lines.
    let work = named(&tables, "work");
    let line = tables.line_at(work.address.unwrap()).unwrap();
    assert_eq!(line.place.line, Some(25));
}

#[test]
fn a_split_unit_of_another_build_is_refused() {
    let build = Build::made("main.cpp", CPP, "g++ -g -O2 -gsplit-dwarf main.cpp -o program");
    let find = |folder: &Path| {
        let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|ending| ending == "dwo")).unwrap()
    };
    let dwo = find(build.path("program").parent().unwrap());
    let other = Build::made(
        "main.cpp",
        &CPP.replace("risky", "other"),
        "g++ -g -O2 -gsplit-dwarf main.cpp -o program",
    );
    let other = find(other.path("program").parent().unwrap());
    std::fs::copy(other, dwo).unwrap();
    let tables = tables(&build.path("program"));
    assert_eq!(tables.inlined_copies().len(), 0);
    assert_eq!(
        tables
            .types()
            .filter(|kind| tables
                .members_of(kind.number)
                .any(|member| member.kind == MemberKind::Field))
            .count(),
        0
    );
}
