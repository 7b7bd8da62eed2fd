//! Errors as a person reads them.

use std::fs;
use std::path::Path;

use scope_store::{StoreError, Trace, TraceWriter, WriterOptions};

use crate::support::{
    create, event_range, finish, functions, left_out, manifest, place, read, read_all,
};

/// The error with the test's folder taken out.
fn text(error: &StoreError, path: &Path) -> String {
    error.to_string().replace(path.to_str().unwrap(), "test.scope")
}

fn open_error(path: &Path) -> String {
    text(&Trace::open(path).unwrap_err(), path)
}

/// Puts a document whose envelope is right around the content that `change` makes of the old.
fn rewrite(file: &Path, version: u32, change: impl FnOnce(String) -> String) {
    let text = fs::read_to_string(file).unwrap();
    let (head, content) = text.split_once("\"content\":").unwrap();
    let format = head.split('"').nth(3).unwrap();
    let content = change(content.trim_end().strip_suffix('}').unwrap().to_owned());
    let checksum = crc32fast::hash(content.as_bytes());
    let text = format!(
        r#"{{"format":"{format}","version":{version},"checksum":"{checksum:08x}","content":{content}}}"#
    );
    fs::write(file, text).unwrap();
}

fn small_trace(path: &Path) {
    let mut writer = create(path, 4096);
    writer.append(&event_range(0..20)).unwrap();
    finish(writer);
}

#[test]
fn an_existing_path_is_refused_and_left_alone() {
    let (_folder, path) = place();
    fs::write(&path, "mine").unwrap();
    let error =
        TraceWriter::create(&path, manifest(), &[], &[], WriterOptions::default()).unwrap_err();
    insta::assert_snapshot!(text(&error, &path), @"test.scope exists already; choose another output or remove it");
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
}

#[test]
fn a_missing_parent_folder_is_named() {
    let (_folder, path) = place();
    let inside = path.join("a.scope");
    let error =
        TraceWriter::create(&inside, manifest(), &[], &[], WriterOptions::default()).unwrap_err();
    insta::assert_snapshot!(text(&error, &path), @"cannot create test.scope/a.scope: No such file or directory (os error 2)");
}

#[test]
fn nothing_there() {
    let (_folder, path) = place();
    insta::assert_snapshot!(open_error(&path), @"test.scope is not a scope trace: there is nothing of that name");
}

#[test]
fn a_file_instead_of_a_folder() {
    let (_folder, path) = place();
    fs::write(&path, "").unwrap();
    insta::assert_snapshot!(open_error(&path), @"test.scope is not a scope trace: it is a file; give the folder that `scope trace` wrote");
}

#[test]
fn a_folder_without_manifest() {
    let (_folder, path) = place();
    fs::create_dir(&path).unwrap();
    insta::assert_snapshot!(open_error(&path), @"test.scope is not a scope trace: it has no manifest.json; give the folder that `scope trace` wrote");
}

#[test]
fn a_manifest_of_something_else() {
    let (_folder, path) = place();
    fs::create_dir(&path).unwrap();
    fs::write(path.join("manifest.json"), r#"{"name":"app","version":"1.0"}"#).unwrap();
    insta::assert_snapshot!(open_error(&path), @r#"test.scope/manifest.json cannot be read: it is not a "scope trace" document"#);
}

#[test]
fn a_newer_manifest_is_refused_with_both_versions() {
    let (_folder, path) = place();
    small_trace(&path);
    rewrite(&path.join("manifest.json"), 3, |_| r#"{"all":"new"}"#.to_owned());
    insta::assert_snapshot!(open_error(&path), @"test.scope/manifest.json has format version 3, this scope reads up to 2; use a newer scope");
}

#[test]
fn a_newer_segment_is_refused_with_both_versions() {
    let (_folder, path) = place();
    small_trace(&path);
    let segment = path.join("segments/00000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] = 9;
    let crc = crc32fast::hash(&bytes[..44]);
    bytes[44..48].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, bytes).unwrap();
    insta::assert_snapshot!(open_error(&path), @"test.scope/segments/00000000.seg has format version 9, this scope reads up to 2; use a newer scope");
}

#[test]
fn unknown_fields_are_tolerated() {
    let (_folder, path) = place();
    small_trace(&path);
    let add = |content: String| content.replacen('{', r#"{"of_tomorrow":[1],"#, 1);
    rewrite(&path.join("manifest.json"), 1, add);
    rewrite(&path.join("code/functions.json"), 1, add);
    let trace = Trace::open(&path).unwrap();
    assert_eq!(trace.manifest().host, manifest().host);
    assert_eq!(trace.functions(), functions(9));
    assert_eq!(read_all(&trace), event_range(0..20));
}

#[test]
fn a_missing_segment_is_named() {
    let (_folder, path) = place();
    small_trace(&path);
    fs::remove_file(path.join("segments/00000000.seg")).unwrap();
    insta::assert_snapshot!(open_error(&path), @"test.scope/segments/00000000.seg is missing: the manifest lists it");
}

#[test]
fn a_table_row_out_of_place_is_named() {
    let (_folder, path) = place();
    small_trace(&path);
    rewrite(&path.join("code/functions.json"), 1, |content| {
        content.replacen("\"id\":4", "\"id\":5", 1)
    });
    insta::assert_snapshot!(open_error(&path), @"test.scope/code/functions.json cannot be read: row 4 is not at the index of its id");
}

#[test]
fn a_source_file_that_is_not_in_the_table_is_named() {
    let (_folder, path) = place();
    small_trace(&path);
    rewrite(&path.join("code/functions.json"), 1, |content| {
        content.replacen("\"file\":2", "\"file\":77", 1)
    });
    insta::assert_snapshot!(open_error(&path), @"test.scope/code/functions.json cannot be read: row 2 refers to a source file that is not there");
}

#[test]
fn a_damaged_manifest() {
    let (_folder, path) = place();
    small_trace(&path);
    let file = path.join("manifest.json");
    let text = fs::read_to_string(&file).unwrap().replace("6.18.0", "6.19.0");
    fs::write(&file, text).unwrap();
    insta::assert_snapshot!(open_error(&path), @"test.scope/manifest.json is damaged at byte 68: its checksum is 8e51610c, expected 8c7e17ee");
}

#[test]
fn a_damaged_block() {
    let (_folder, path) = place();
    small_trace(&path);
    let segment = path.join("segments/00000000.seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[200] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let (_, error) = read(&Trace::open(&path).unwrap());
    insta::assert_snapshot!(text(&error.unwrap(), &path), @"test.scope/segments/00000000.seg is damaged at byte 112: its checksum is f94a817d, expected c6d4122b");
}

#[test]
fn a_cut_segment() {
    let (_folder, path) = place();
    small_trace(&path);
    let segment = path.join("segments/00000000.seg");
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..300]).unwrap();
    let (_, error) = read(&Trace::open(&path).unwrap());
    insta::assert_snapshot!(text(&error.unwrap(), &path), @"test.scope/segments/00000000.seg was cut: it ends at byte 300, but 912 bytes were committed");
}

#[test]
fn tables_whose_rows_do_not_fit_leave_nothing_behind() {
    let (_folder, path) = place();
    let options = WriterOptions::default();
    let shifted = &functions(3)[1..];
    let error =
        TraceWriter::create(&path, manifest(), shifted, &left_out(), options.clone()).unwrap_err();
    insta::assert_snapshot!(text(&error, &path), @"row 0 of the function table is not at the index of its id");
    let mut lost = functions(3);
    lost[2].module = scope_model::ModuleId(5);
    let error =
        TraceWriter::create(&path, manifest(), &lost, &left_out(), options.clone()).unwrap_err();
    insta::assert_snapshot!(text(&error, &path), @"row 2 of the function table refers to a module that is not there");
    assert!(!path.exists());
}
