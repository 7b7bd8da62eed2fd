//! Files that are cut off, damaged or made of noise never end in a panic.

use std::sync::LazyLock;

use proptest::prelude::*;
use scope_model::ModuleId;
use scope_symbols::glob::Glob;
use scope_symbols::process::Mappings;
use scope_symbols::{Image, Selection, demangle, names, plan};

use crate::build::Build;

/// A small program with everything that is parsed: symbols, unwind tables, DWARF with inlining.
static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let build = Build::new();
    let source = r"
        static inline int twice(int n) { return n + n; }
        __attribute__((noinline)) int work(int n) { return twice(n) * 3 + twice(n + 1); }
        int main(int argc, char **argv) { return work(argc) + twice(argc); }
    ";
    build.image("cc -g -O1 -Wl,--build-id", "main.c", source);
    std::fs::read(build.path("program")).unwrap()
});

/// The same with compressed sections.
static COMPRESSED: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let build = Build::new();
    build.image("cc -g -gz=zlib -O1", "main.c", "int main(void) { return 0; }");
    std::fs::read(build.path("program")).unwrap()
});

/// Reads and uses whatever can be read.
fn exercise(bytes: &[u8]) {
    let mut debug_file = |_: &_| Some(bytes.to_vec().into());
    let Ok(image) = Image::load("damaged", bytes, &mut debug_file) else { return };
    for function in &image.functions {
        let _ = function.probe_offset();
        let _ = image.function_at(function.address.wrapping_add(1));
        let _ = image.address_at(function.file_offset);
    }
    let all = Selection { all: true, max_functions: Some(3), ..Selection::default() };
    let _ = plan(&[(ModuleId(0), &image)], ModuleId(0), &all);
}

#[test]
fn the_programs_are_read_when_whole() {
    for bytes in [&*PROGRAM, &*COMPRESSED] {
        assert!(Image::load("whole", bytes, &mut |_| None).unwrap().has_dwarf);
    }
}

#[test]
fn every_short_file_is_survived() {
    for length in (0..2048).chain((2048..PROGRAM.len()).step_by(97)) {
        exercise(&PROGRAM[..length]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn noise_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        exercise(&bytes);
        let mut with_header = PROGRAM[..64].to_vec();
        with_header.extend(&bytes);
        exercise(&with_header);
    }

    #[test]
    fn damaged_bytes_are_survived(
        compressed in any::<bool>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
    ) {
        let mut bytes = if compressed { COMPRESSED.clone() } else { PROGRAM.clone() };
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        exercise(&bytes);
    }

    /// Most bytes of a program matter little; its headers and tables are small.
    #[test]
    fn damaged_headers_and_sections_are_survived(
        section in 0_usize..40,
        damage in prop::collection::vec((0_usize..64, any::<u8>()), 1..8),
    ) {
        let mut bytes = PROGRAM.clone();
        let table = usize::try_from(u64::from_le_bytes(bytes[40..48].try_into().unwrap())).unwrap();
        let header = table + section * 64;
        for (at, byte) in damage {
            if let Some(slot) = bytes.get_mut(header + at) {
                *slot = byte;
            }
        }
        exercise(&bytes);
    }

    #[test]
    fn mangled_noise_is_survived(text in "(_ZN|_R|_Z|__Z)?[A-Za-z0-9_$.]{0,80}") {
        prop_assert!(demangle(&text).len() < 100_000);
    }

    #[test]
    fn names_of_any_shape_are_survived(
        name in "([a-zä]{0,3}|::|<|>|->|\\(|\\)| as |operator|[*?{}\\[\\]]){0,12}",
        pattern in "[a-zä*?:<>]{0,8}",
    ) {
        let pattern = Glob::new(&pattern);
        let _ = names::matches(&pattern, &name);
        let _ = pattern.matches_path(&name);
        prop_assert!(names::last_segment(&name).len() <= name.len());
    }

    #[test]
    fn maps_of_any_shape_are_survived(
        text in "([0-9a-f]{0,17}|-|[rwxp-]{4}| |\n|/|:|\\[uprobes\\]){0,40}",
        address in any::<u64>(),
    ) {
        let mappings = Mappings::parse(&text);
        let _ = mappings.locate(address);
        for module in &mappings.modules {
            let _ = (module.runtime_address(address), module.map_files(1));
        }
    }
}
