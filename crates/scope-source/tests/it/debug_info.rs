//! Real programs: what compilers say of functions and calls is found in the sources.

use std::path::{Path, PathBuf};
use std::process::Command;

use gimli::{AttributeValue, EndianSlice, RunTimeEndian};
use iced_x86::{Decoder, DecoderOptions, FlowControl};
use object::{Object, ObjectSection, ObjectSymbol};
use scope_source::{How, SourceFile, load};

type Dwarf<'a> = gimli::Dwarf<EndianSlice<'a, RunTimeEndian>>;

/// A call instruction: where its line table row says it is, and the symbol it calls.
struct CallSite {
    line: u32,
    column: u32,
    target: Option<String>,
}

struct Program {
    /// Line of declaration and name.
    functions: Vec<(u32, String)>,
    calls: Vec<CallSite>,
}

fn build(name: &str, folder: &Path) -> (SourceFile, Vec<u8>) {
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/programs").join(name);
    let out = folder.join("program");
    let mut command = match source.extension().and_then(|extension| extension.to_str()) {
        Some("rs") => {
            let mut command = Command::new("rustc");
            command.args(["--edition=2024", "-g", "-Copt-level=0"]);
            command
        }
        Some("c") => Command::new("cc"),
        _ => Command::new("c++"),
    };
    if source.extension().is_some_and(|extension| extension != "rs") {
        command.args(["-g", "-O0"]);
    }
    let status = command.arg(&source).arg("-o").arg(&out).status().expect("a compiler");
    assert!(status.success());
    let file = load::source(&source, name).expect("parsed");
    assert_eq!(file.errors(), 0);
    (file, std::fs::read(out).expect("read"))
}

fn read(image: &[u8], name: &str) -> Program {
    let object = object::File::parse(image).expect("an executable");
    let load = |id: gimli::SectionId| {
        let section = object.section_by_name(id.name());
        let data = section.and_then(|section| section.data().ok()).unwrap_or_default();
        Ok::<_, gimli::Error>(EndianSlice::new(data, RunTimeEndian::Little))
    };
    let dwarf = Dwarf::load(load).expect("DWARF");
    let mut program = Program { functions: Vec::new(), calls: Vec::new() };
    // Address, and line and column where the row is of our file.
    let mut rows: Vec<(u64, Option<(u32, u32)>)> = Vec::new();
    let mut units = dwarf.units();
    while let Some(header) = units.next().expect("a unit") {
        let unit = dwarf.unit(header).expect("a unit");
        let Some(lines) = unit.line_program.clone() else { continue };
        let header = lines.header().clone();
        let is_ours = |index: u64| {
            let file = header.file(index).map(gimli::FileEntry::path_name);
            let path = file.and_then(|path| dwarf.attr_string(&unit, path).ok());
            path.is_some_and(|path| path.to_string_lossy().ends_with(name))
        };
        let mut state = lines.rows();
        while let Ok(Some((_, row))) = state.next_row() {
            let column = match row.column() {
                gimli::ColumnType::LeftEdge => 0,
                gimli::ColumnType::Column(column) => column.get() as u32,
            };
            let line = row.line().map_or(0, |line| line.get() as u32);
            let ours = !row.end_sequence() && is_ours(row.file_index());
            rows.push((row.address(), ours.then_some((line, column))));
        }
        let mut entries = unit.entries();
        while let Ok(Some(entry)) = entries.next_dfs() {
            if entry.tag() != gimli::DW_TAG_subprogram {
                continue;
            }
            let text = entry.attr_value(gimli::DW_AT_name);
            let text = text.and_then(|value| dwarf.attr_string(&unit, value).ok());
            let file = entry.attr_value(gimli::DW_AT_decl_file);
            let ours = matches!(file, Some(AttributeValue::FileIndex(index)) if is_ours(index));
            let line = entry.attr_value(gimli::DW_AT_decl_line);
            let line = line.and_then(|line| line.udata_value());
            if let (Some(text), Some(line), true) = (text, line, ours) {
                program.functions.push((line as u32, text.to_string_lossy().into_owned()));
            }
        }
    }
    rows.sort_by_key(|row| row.0);
    let symbols: Vec<(u64, u64, String)> = object
        .symbols()
        .filter(|symbol| symbol.size() > 0)
        .filter_map(|symbol| {
            Some((symbol.address(), symbol.size(), symbol.name().ok()?.to_owned()))
        })
        .collect();
    let text = object.section_by_name(".text").expect("code");
    let code = text.data().expect("code");
    for (start, size, _) in &symbols {
        let Some(from) = start.checked_sub(text.address()).map(|at| at as usize) else { continue };
        let Some(bytes) = code.get(from..from + *size as usize) else { continue };
        for instruction in &mut Decoder::with_ip(64, bytes, *start, DecoderOptions::NONE) {
            let direct = instruction.flow_control() == FlowControl::Call;
            if !direct && instruction.flow_control() != FlowControl::IndirectCall {
                continue;
            }
            // As for a recorded call: the return address minus one.
            let address = instruction.next_ip() - 1;
            let row = rows.partition_point(|row| row.0 <= address).checked_sub(1);
            let Some((line, column)) = row.and_then(|row| rows[row].1) else { continue };
            let target = direct.then(|| instruction.near_branch_target());
            let target = symbols.iter().find(|symbol| Some(symbol.0) == target);
            let target = target.map(|symbol| symbol.2.clone());
            program.calls.push(CallSite { line, column, target });
        }
    }
    assert!(program.functions.len() > 4 && program.calls.len() > 8);
    program
}

/// Functions and calls of a program are found; how many calls, and how many exactly.
fn check(name: &str, is_target: impl Fn(&str, &str) -> bool) -> (usize, usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, image) = build(name, folder.path());
    let program = read(&image, name);
    for (line, function) in &program.functions {
        let found = file.function_at(*line, Some(function));
        let found = found.unwrap_or_else(|| panic!("{function} at {line}"));
        let ends = |how| matches!(how, How::Exact | How::InHead);
        // Members are declared in their class and defined elsewhere; some nobody wrote.
        let made = name.ends_with(".cpp") && (found.how == How::ByName || found.function.is_none());
        assert!(ends(found.how) || made, "{function} at {line}: {found:?}");
    }
    let (mut known, mut exact) = (0, 0);
    for site in &program.calls {
        let (line, column) = (site.line, site.column);
        let Some(target) = &site.target else { continue };
        let wanted: Vec<String> = file
            .calls()
            .iter()
            .map(|call| String::from_utf8_lossy(file.slice(call.name)).into_owned())
            .filter(|call| is_target(target, call))
            .collect();
        // What nobody wrote (panics, allocation, destructors) has no expression.
        let Some(wanted) = wanted.first() else { continue };
        known += 1;
        let found = file.call_to(line, column, wanted).expect("the line is there");
        let call = found.call.map(|index| &file.calls()[index as usize]);
        let text = call.map(|call| String::from_utf8_lossy(file.slice(call.name)).into_owned());
        if found.how == How::InsideMacro {
            continue;
        }
        if text.as_deref() == Some(wanted) && found.how <= How::ByCallee {
            exact += 1;
        } else {
            println!("{name}:{line}:{column} {target}: {text:?} {found:?}");
        }
    }
    println!("{name}: {exact} of {known}");
    (known, exact)
}

#[test]
fn calls_of_a_rust_program_are_found() {
    let is = |target: &str, call: &str| {
        let name = format!("{:#}", rustc_demangle::demangle(target));
        let ours = name.starts_with("calls::") || name.starts_with("<calls::");
        ours && name.rsplit("::").next() == Some(call)
    };
    let (known, exact) = check("calls.rs", is);
    assert!(known >= 20 && exact == known, "{exact} of {known}");
}

#[test]
fn calls_of_a_c_program_are_found() {
    let (known, exact) = check("calls.c", |target, call| target == call);
    // The two of the macro have the macro's place; two of one name share the statement's.
    assert!(known >= 12 && exact + 4 >= known, "{exact} of {known}");
}

#[test]
fn calls_of_a_cpp_program_are_found() {
    // `_ZNK3net4Conn5firstEv`: length and name.
    let is = |target: &str, call: &str| {
        target.starts_with("_Z") && target.contains(&format!("{}{call}", call.len()))
    };
    let (known, exact) = check("calls.cpp", is);
    // A constructor of a declaration, an operator and three destructors are no call expressions.
    assert!(known >= 20 && exact + 5 >= known, "{exact} of {known}");
}
