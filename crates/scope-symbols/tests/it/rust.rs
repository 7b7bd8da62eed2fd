//! Programs in Rust.

use scope_symbols::{Reason, UnwindSymbolKind};

use crate::build::{Build, function};

const SOURCE: &str = r##"
mod shapes {
    pub struct Square(pub u64);
    pub trait Area {
        fn area(&self) -> u64;
    }
    impl Area for Square {
        #[inline(never)]
        fn area(&self) -> u64 {
            self.0 * self.0
        }
    }
}
use shapes::Area as _;

#[inline(never)]
fn generic<T: Into<u64>>(value: T) -> u64 {
    value.into() + 1
}

#[inline(always)]
fn tiny(n: u64) -> u64 {
    n ^ 5
}

fn main() {
    let n = std::env::args().count() as u64;
    let result = std::panic::catch_unwind(|| shapes::Square(n).area() + generic(n as u32));
    println!("{}", tiny(result.unwrap_or(0)) + tiny(n));
}
"##;

#[test]
fn both_manglings_are_readable() {
    for (flag, area, generic) in [
        ("", "<main::shapes::Square as main::shapes::Area>::area", "main::generic"),
        (
            "-Csymbol-mangling-version=v0",
            "<main::shapes::Square as main::shapes::Area>::area",
            "main::generic::<u32>",
        ),
    ] {
        let image =
            Build::new().image(&format!("rustc -g -Copt-level=1 {flag}"), "main.rs", SOURCE);
        let area = function(&image, area);
        assert_eq!((area.line, area.in_project), (Some(9), Some(true)), "{flag}");
        assert!(function(&image, generic).site.is_ok(), "{flag}");
    }
}

#[test]
fn the_standard_library_is_not_of_the_project() {
    let build = Build::new();
    let image = build.image("rustc -g -Copt-level=1", "main.rs", SOURCE);
    let ours: Vec<_> = image.functions.iter().filter(|f| f.in_project == Some(true)).collect();
    assert!(
        (3..10).contains(&ours.len()),
        "{:?}",
        ours.iter().map(|f| &f.name).collect::<Vec<_>>()
    );
    assert!(image.functions.len() > 200);
    let tiny = function(&image, "main::tiny");
    assert_eq!(tiny.site, Err(Reason::InlinedEverywhere { copies: 2 }));
}

#[test]
fn a_program_without_its_own_debug_information_keeps_its_functions() {
    // The standard library still brings its DWARF: that alone must not hide the program.
    let image = Build::new().image("rustc -Copt-level=1 -Cstrip=none", "main.rs", SOURCE);
    assert_eq!(function(&image, "main::generic").in_project, None);
}

#[test]
fn line_tables_alone_tell_the_project() {
    let image =
        Build::new().image("rustc -Cdebuginfo=line-tables-only -Copt-level=1", "main.rs", SOURCE);
    assert_eq!(function(&image, "main::generic").in_project, Some(true));
}

#[test]
fn the_catch_of_a_panic_is_found() {
    let image = Build::new().image("rustc -Copt-level=1", "main.rs", SOURCE);
    assert!(image.can_unwind);
    let catches =
        image.unwind_symbols.iter().filter(|s| s.kind == UnwindSymbolKind::Catches).count();
    assert_eq!(catches, 1, "{:?}", image.unwind_symbols);
}
