//! Functions: names, places, linkage, parts, generics, parameters.

use scope_symbols::code::{CodeTables, Language, TypeKind};

use crate::build::Build;
use crate::code::{CPP, describe, has, named, tables};

fn cpp(flags: &str) -> (Build, CodeTables) {
    let build = Build::made("main.cpp", CPP, &format!("g++ -g -O2 {flags} main.cpp -o program"));
    let tables = tables(&build.path("program"));
    (build, tables)
}

#[test]
fn a_function_has_its_declaration() {
    for flags in ["-gdwarf-4", "-gdwarf-5"] {
        let (build, tables) = cpp(flags);
        let work = named(&tables, "work");
        let source = build.path("main.cpp");
        assert_eq!(tables.path(&work.declared), source.to_str().unwrap());
        assert_eq!((work.declared.line, work.declared.column), (Some(25), Some(42)));
        assert!(work.is_external && work.from_dwarf && !work.is_artificial);
        assert_eq!(work.language, Language::Cpp);
        assert!(work.producer.starts_with("GNU C++"), "{}", work.producer);
        assert!(!work.frame_base.is_empty());
        let risky = named(&tables, "risky(int)");
        assert_eq!((risky.symbol, risky.is_external), ("_ZL5riskyi", false));
        let file = tables.file(work.declared.file.unwrap()).unwrap();
        let folder = source.parent().unwrap().to_str().unwrap();
        assert_eq!((file.compiled_in, file.directory()), (folder, folder));
    }
}

#[test]
fn the_checksum_of_a_file_is_that_of_its_contents() {
    if !has("code_functions::the_checksum_of_a_file_is_that_of_its_contents", "clang++") {
        return;
    }
    let build = Build::made("main.cpp", CPP, "clang++ -g -gdwarf-5 -O2 main.cpp -o program");
    let tables = tables(&build.path("program"));
    let output = std::process::Command::new("md5sum").arg(build.path("main.cpp")).output().unwrap();
    let expected = String::from_utf8(output.stdout).unwrap();
    let work = named(&tables, "work");
    let md5 = tables.file(work.declared.file.unwrap()).unwrap().md5.unwrap();
    let md5: String = md5.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(expected.split_whitespace().next(), Some(&md5[..]));
}

#[test]
fn a_cold_part_belongs_to_its_function() {
    let (_build, tables) = cpp("");
    let risky = named(&tables, "risky(int)");
    let ranges: Vec<_> = tables.ranges_of(risky.number).collect();
    assert_eq!(ranges.len(), 2, "{ranges:?}");
    for range in &ranges {
        assert_eq!(tables.function_at(range.start).unwrap().number, risky.number);
        assert_eq!(tables.function_at(range.end - 1).unwrap().number, risky.number);
    }
    assert_eq!(risky.address, Some(ranges[0].start));
    assert!(tables.lines_of(risky.number).any(|line| line.address >= ranges[1].start));
}

#[test]
fn instances_of_a_template_are_known_as_such() {
    let (_build, tables) = cpp("");
    let (of_double, of_int) = (
        named(&tables, "shapes::sum<double>(double const*, int)"),
        named(&tables, "shapes::sum<int>(int const*, int)"),
    );
    let (of_double, of_int) = (of_double.generic.unwrap(), of_int.generic.unwrap());
    assert_eq!(of_double, of_int);
    let generic = tables.generic(of_int).unwrap();
    assert_eq!(
        (generic.name, generic.instances, generic.declared.line),
        ("shapes::sum", 2, Some(15))
    );
    assert_eq!(named(&tables, "work").generic, None);
}

#[test]
fn parameters_have_names_types_and_places() {
    let (_build, tables) = cpp("");
    let work = named(&tables, "work");
    let parameters: Vec<_> = tables.parameters_of(work.number).collect();
    let names: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
    assert_eq!(names, ["n", "text"]);
    let int = tables.type_at(parameters[0].value_type.unwrap()).unwrap();
    assert_eq!((int.name, int.kind, int.size), ("int", TypeKind::Base, Some(4)));
    let text = tables.type_at(parameters[1].value_type.unwrap()).unwrap();
    let character = tables.plain_type(text.target.unwrap()).unwrap();
    assert_eq!((text.kind, character.name), (TypeKind::Pointer, "char"));
    // At its entry the first argument is in rdi: DW_OP_reg5.
    let entry = work.address.unwrap();
    let location = tables.locations_of(&parameters[0]).find(|place| place.start <= entry).unwrap();
    assert_eq!(location.expression, [0x55]);
    assert!(location.end > entry);
    let returns = tables.type_at(work.returns.unwrap()).unwrap();
    assert_eq!(returns.name, "int");
}

#[test]
fn what_was_inlined_knows_its_caller_and_its_call() {
    let (_build, tables) = cpp("");
    let risky = named(&tables, "risky(int)");
    let copies: Vec<_> =
        tables.inlined_copies().filter(|copy| copy.owner == risky.number).collect();
    let name = |function| tables.function(function).unwrap().name;
    let inner = copies.iter().find(|copy| copy.depth == 2).unwrap();
    assert_eq!((name(inner.function), inner.call.line), ("shapes::clamp", Some(14)));
    let outer = tables.inlined(inner.caller.unwrap()).unwrap();
    assert_eq!((name(outer.function), outer.depth), ("shapes::twice", 1));
    assert_eq!((outer.call.line, outer.call.column), (Some(23), Some(25)));
    // Neither has code of its own.
    assert_eq!(tables.function(outer.function).unwrap().address, None);
    for range in tables.inlined_ranges(inner.number) {
        let frames = tables.frames_at(range.start);
        assert!(frames.iter().any(|frame| frame.inlined == Some(inner.number)));
        assert_eq!(frames[0].function, risky.number);
    }
}

#[test]
fn a_call_site_is_the_place_before_the_return_address() {
    let build = Build::made(
        "main.c",
        "__attribute__((noinline)) int leaf(int n) { return n + 1; }\n\
         int main(int argc, char **argv) {\n  int a = leaf(argc);\n  return leaf(a) * 3;\n}\n",
        "gcc -g -O0 main.c -o program",
    );
    let tables = tables(&build.path("program"));
    let output = std::process::Command::new("objdump")
        .args(["-d", "--disassemble=main"])
        .arg(build.path("program"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let calls = lines.windows(2).filter(|pair| pair[0].contains("call")).map(|pair| {
        let address = pair[1].trim().split(':').next().unwrap();
        u64::from_str_radix(address, 16).unwrap()
    });
    let lines: Vec<_> = calls.map(|call| tables.call_site(call)[0].place.line.unwrap()).collect();
    assert_eq!(lines, [3, 4]);
}

#[test]
fn a_stripped_file_keeps_what_its_symbols_say() {
    let build = Build::made(
        "main.cpp",
        CPP,
        "g++ -O2 main.cpp -o program;strip --strip-debug program;\
         strip --strip-all -o bare program",
    );
    let with_symbols = tables(&build.path("program"));
    assert!(!with_symbols.facts().has_dwarf);
    let risky = named(&with_symbols, "risky(int)");
    assert!(!risky.from_dwarf && !risky.is_external);
    assert!(named(&with_symbols, "work").is_external);
    let inside = risky.address.unwrap() + 3;
    assert_eq!(describe(&with_symbols, inside), ["_ZL5riskyi ??:0:0"]);
    // Without symbols the unwind table still tells functions apart.
    let bare = tables(&build.path("bare"));
    assert_eq!(bare.function_at(inside).unwrap().address, risky.address);
    assert_eq!(bare.function_at(inside).unwrap().name, format!("fn_{:x}", risky.address.unwrap()));
}
