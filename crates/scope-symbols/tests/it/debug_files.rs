//! Separate debug files: found where they belong, refused where they do not fit.

use std::fs::{self, File};
use std::path::Path;

use scope_symbols::{DebugFileRequest, DebugFiles, Image, load_image};

use crate::build::{Build, function};

const SOURCE: &str = r"
    __attribute__((noinline)) static int work(int n) { return n * 3; }
    int main(int argc, char **argv) { return work(argc); }
";

/// A stripped program at `/opt/app/program` below a root of its own, and its debug file aside.
fn split(flags: &str) -> Build {
    let build = Build::new();
    build.image(&format!("cc -g -O1 {flags}"), "main.c", SOURCE);
    fs::create_dir_all(build.path("root/opt/app")).unwrap();
    build.run("objcopy --only-keep-debug program program.debug");
    build.run("objcopy --strip-all --add-gnu-debuglink=program.debug program root/opt/app/program");
    build
}

fn load(build: &Build) -> Image {
    let file = File::open(build.path("root/opt/app/program")).unwrap();
    let debug_files = DebugFiles::new(build.path("root"), "/opt/app/program");
    load_image("/opt/app/program", &file, &debug_files).unwrap()
}

fn put(build: &Build, place: &str) {
    let place = build.path(&format!("root{place}"));
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::copy(build.path("program.debug"), place).unwrap();
}

#[test]
fn a_debug_link_is_followed_to_each_of_its_places() {
    for place in [
        "/opt/app/program.debug",
        "/opt/app/.debug/program.debug",
        "/usr/lib/debug/opt/app/program.debug",
    ] {
        let build = split("-Wl,--build-id=none");
        put(&build, place);
        let image = load(&build);
        let work = function(&image, "work");
        assert_eq!((work.line, work.in_project), (Some(2), Some(true)), "{place}");
        assert!(image.has_symbols && image.has_dwarf && image.missing_debug_file.is_none());
    }
}

#[test]
fn a_build_id_leads_to_the_debug_file() {
    let build = split("-Wl,--build-id=0x0123456789abcdef");
    put(&build, "/usr/lib/debug/.build-id/01/23456789abcdef.debug");
    let image = load(&build);
    assert_eq!(image.build_id.as_deref(), Some("0123456789abcdef"));
    assert_eq!(function(&image, "work").line, Some(2));
}

#[test]
fn a_debug_file_of_another_build_is_refused() {
    let build = split("-Wl,--build-id=0x0123456789abcdef");
    let other = split("-Wl,--build-id=0xfedcba9876543210 -DOTHER");
    fs::copy(other.path("program.debug"), build.path("root/opt/app/program.debug")).unwrap();
    let image = load(&build);
    assert!(!image.has_dwarf && !image.has_symbols);
    let missing = image.missing_debug_file.unwrap();
    assert_eq!(missing.link.unwrap().0, "program.debug");
}

#[test]
fn a_debug_file_that_is_damaged_is_refused_by_its_checksum() {
    let build = split("-Wl,--build-id=none");
    put(&build, "/opt/app/program.debug");
    let mut bytes = fs::read(build.path("program.debug")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(build.path("root/opt/app/program.debug"), bytes).unwrap();
    assert!(!load(&build).has_dwarf);
}

#[test]
fn a_link_cannot_lead_out_of_the_known_places() {
    let files = DebugFiles::new("/root", "/opt/app/program");
    let request = |name: &str| DebugFileRequest { build_id: None, link: Some((name.into(), 0)) };
    for name in ["../../etc/passwd", "/etc/passwd", "..", ""] {
        assert!(files.candidates(&request(name)).is_empty(), "{name}");
    }
    let build_id = Some("../../x".to_owned());
    assert!(files.candidates(&DebugFileRequest { build_id, link: None }).is_empty());
    // A binary that links to its own name is not its own debug file.
    let own = files.candidates(&request("program"));
    assert!(!own.iter().any(|path| path == Path::new("/root/opt/app/program")), "{own:?}");
}
