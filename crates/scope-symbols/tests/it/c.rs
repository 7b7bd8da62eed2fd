//! Programs in C.

use scope_model::SiteClass;
use scope_symbols::{Reason, SymbolError};

use crate::build::{Build, function};

const SOURCE: &str = r##"
#include <stdio.h>
#include <stdlib.h>

static inline int twice(int n) { return n + n; }

__attribute__((noinline)) static int leaf(int n) { return n * 3 + 1; }

__attribute__((noinline)) int middle(int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) sum += leaf(i) + twice(i);
    return sum;
}

int middle_as_well(int) __attribute__((alias("middle")));

int main(int argc, char **argv) {
    printf("%d\n", middle(argc) + twice(argc));
    return 0;
}
"##;

#[test]
fn debug_information_gives_file_and_line() {
    let build = Build::new();
    let image = build.image("cc -g -O1 -Wl,--build-id", "main.c", SOURCE);
    assert!(image.has_dwarf && image.has_symbols && !image.is_go);
    assert_eq!(image.build_id.as_ref().map(String::len), Some(40));
    let middle = function(&image, "middle");
    assert_eq!(middle.file.as_deref(), build.path("main.c").canonicalize().unwrap().to_str());
    assert_eq!(middle.line, Some(9));
    assert_eq!(middle.in_project, Some(true));
    assert_eq!(middle.aliases, ["middle_as_well"]);
    assert_eq!(function(&image, "leaf").line, Some(7));
    assert_eq!(function(&image, "_init").in_project, Some(false));
}

#[test]
fn dwarf_of_both_versions_and_compressed_sections_are_read() {
    for flags in ["-gdwarf-4", "-gdwarf-5", "-g -gz=zlib", "-g -flto"] {
        let build = Build::new();
        let image = build.image(&format!("cc -O1 {flags}"), "main.c", SOURCE);
        assert_eq!(function(&image, "middle").line, Some(9), "{flags}");
    }
}

#[test]
fn a_function_that_is_inlined_everywhere_says_so() {
    let image = Build::new().image("cc -g -O2", "main.c", SOURCE);
    let twice = function(&image, "twice");
    assert_eq!(twice.site, Err(Reason::InlinedEverywhere { copies: twice.inlined_copies }));
    assert!(twice.inlined_copies >= 2, "{}", twice.inlined_copies);
    assert_eq!((twice.address, twice.line), (0, Some(5)));
}

#[test]
fn a_function_that_is_also_inlined_counts_its_copies() {
    let source = r##"
        static int both(int n) { return n * 7; }
        int (*volatile pointer)(int) = both;
        int main(int argc, char **argv) { return both(argc) + pointer(argc); }
    "##;
    let image = Build::new().image("cc -g -O2", "main.c", source);
    let both = function(&image, "both");
    assert!(both.site.is_ok());
    assert_eq!(both.inlined_copies, 1);
}

#[test]
fn without_debug_information_symbols_remain() {
    let image = Build::new().image("cc -O1", "main.c", SOURCE);
    assert!(!image.has_dwarf);
    let leaf = function(&image, "leaf");
    assert_eq!((leaf.in_project, &leaf.file), (None, &None));
    assert!(leaf.size > 0);
}

#[test]
fn line_tables_alone_give_file_and_line() {
    let image = Build::new().image("cc -g1 -O1", "main.c", SOURCE);
    assert_eq!(function(&image, "middle").in_project, Some(true));
    assert_eq!(function(&image, "middle").line, Some(9));
}

#[test]
fn assembly_gets_its_place_from_the_line_table() {
    let build = Build::new();
    build.write(
        "add.s",
        ".globl add\n.type add, @function\nadd:\n lea (%rdi,%rsi), %eax\n ret\n.size add, .-add\n",
    );
    build.write("main.c", "int add(int, int); int main(int c, char **v) { return add(c, 1); }");
    build.run("cc -g -c add.s -o add.o");
    build.run("cc -g main.c add.o -o program");
    let image = build.load("program");
    let add = function(&image, "add");
    assert_eq!((add.line, add.in_project), (Some(4), Some(true)));
}

#[test]
fn code_that_is_entered_by_a_jump_is_never_probed() {
    let build = Build::new();
    // `jumped` begins with a frame on the stack already, `inner` inside another's range.
    build.write(
        "part.s",
        ".text
         .globl jumped, outer, inner
         .type jumped, @function
         .type outer, @function
         .type inner, @function
         jumped: .cfi_startproc
          .cfi_def_cfa_offset 16
          pop %rax
          ret
          .cfi_endproc
          .size jumped, .-jumped
         outer: .cfi_startproc
          nop
         inner: nop
          ret
          .cfi_endproc
          .size outer, .-outer
          .size inner, .-inner
        ",
    );
    build.write("main.c", "int outer(void); int main(void) { return outer(); }");
    build.run("cc main.c part.s -o program");
    let image = build.load("program");
    assert_eq!(function(&image, "jumped").site, Err(Reason::NotCalled));
    assert_eq!(function(&image, "inner").site, Err(Reason::NotCalled));
    assert!(function(&image, "outer").site.is_ok());
}

#[test]
fn a_stripped_program_has_functions_from_the_unwind_table() {
    let build = Build::new();
    let whole = build.image("cc -O1", "main.c", SOURCE);
    build.run("strip program");
    let stripped = build.load("program");
    assert!(!stripped.has_symbols);
    for name in ["leaf", "middle", "main"] {
        let before = function(&whole, name);
        let after = function(&stripped, &format!("fn_{:x}", before.address));
        assert_eq!((after.size, after.file_offset), (before.size, before.file_offset));
        assert_eq!(after.site, before.site, "{name}");
    }
    assert_eq!(function(&stripped, "_start").site, Err(Reason::NotCalled));
    assert_eq!(function(&stripped, "printf").site, Err(Reason::Imported));
}

#[test]
fn imports_are_listed_as_stubs_and_the_entry_is_never_probed() {
    let image = Build::new().image("cc -O1", "main.c", SOURCE);
    assert_eq!(function(&image, "printf").site, Err(Reason::Imported));
    assert_eq!(function(&image, "_start").site, Err(Reason::NotCalled));
}

#[test]
fn the_file_offset_of_a_function_holds_its_code() {
    for flags in ["-no-pie", "-pie", "-static", "-static-pie"] {
        let build = Build::new();
        let image = build.image(&format!("cc -O1 {flags}"), "main.c", SOURCE);
        let leaf = function(&image, "leaf");
        let bytes = std::fs::read(build.path("program")).unwrap();
        let at = usize::try_from(leaf.file_offset).unwrap();
        // lea eax, [rdi+rdi*2+1]
        assert_eq!(bytes[at..at + 4], [0x8d, 0x44, 0x7f, 0x01], "{flags}");
        assert_eq!(image.address_at(leaf.file_offset), Some(leaf.address), "{flags}");
        assert_eq!(image.function_at(leaf.address + 1).map(|f| &*f.name), Some("leaf"), "{flags}");
    }
}

#[test]
fn a_static_program_knows_what_must_not_be_probed() {
    let source = r##"
        #include <setjmp.h>
        #include <string.h>
        jmp_buf buffer;
        int main(int argc, char **argv) { return setjmp(buffer) + (int)strlen(argv[0]); }
    "##;
    let image = Build::new().image("cc -O1 -static", "main.c", source);
    let by_symbol = |name: &str| {
        image
            .functions
            .iter()
            .find(|f| f.symbol == name || f.aliases.iter().any(|alias| alias == name))
            .unwrap_or_else(|| panic!("no {name}"))
    };
    assert_eq!(by_symbol("_setjmp").site, Err(Reason::HandlesReturns));
    assert_eq!(by_symbol("strlen").site, Err(Reason::Resolver));
    assert_eq!(by_symbol("_start").site, Err(Reason::NotCalled));
    assert_eq!(by_symbol("_Unwind_Resume").site, Err(Reason::HandlesReturns));
    assert!(image.can_unwind);
    assert!(image.unwind_symbols.iter().any(|symbol| symbol.symbol == "_Unwind_Resume"));
}

#[test]
fn a_program_that_switches_stacks_is_marked() {
    let source = r##"
        #include <ucontext.h>
        ucontext_t a, b;
        int main(void) { return swapcontext(&a, &b); }
    "##;
    assert!(Build::new().image("cc", "main.c", source).switches_stacks);
    let plain = Build::new().image("cc", "main.c", "int main(void) { return 0; }");
    assert!(!plain.switches_stacks && !plain.can_unwind);
}

#[test]
fn a_prologue_for_patching_is_a_nop5_site() {
    let source = "__attribute__((noinline)) int f(int n) { return n + 1; }\nint main(int c, char **v) { return f(c); }";
    let image =
        Build::new().image("cc -O1 -pg -mfentry -mnop-mcount -fno-pie -no-pie", "main.c", source);
    let site = function(&image, "f").site.clone().unwrap();
    assert_eq!((site.class, site.offset), (SiteClass::Nop5, 0));
}

#[test]
fn files_of_other_kinds_are_refused_by_name() {
    let build = Build::new();
    build.write("main.c", "int main(void) { return 0; }");
    build.run("cc -c main.c -o main.o");
    let bytes = std::fs::read(build.path("main.o")).unwrap();
    let load = |bytes: &[u8]| {
        scope_symbols::Image::load("x", bytes, &mut |_| None).map(|_| ()).unwrap_err()
    };
    assert_eq!(load(&bytes), SymbolError::Kind { path: "x".into(), kind: 1 });
    assert_eq!(load(b"#!/bin/sh\n"), SymbolError::NotElf { path: "x".into() });
    let mut other = bytes.clone();
    other[4] = 1;
    assert_eq!(load(&other), SymbolError::Is32Bit { path: "x".into() });
    other[4] = 2;
    other[18] = 183;
    assert_eq!(load(&other), SymbolError::Machine { path: "x".into(), machine: 183 });
}

#[test]
fn a_go_program_is_recognised_and_not_probed() {
    let build = Build::new();
    build.write("note", "go1.24");
    build.write("main.c", "int main(void) { return 0; }");
    build.run("cc main.c -o plain");
    build.run("objcopy --add-section .go.buildinfo=note plain program");
    let image = build.load("program");
    assert!(image.is_go);
    assert_eq!(function(&image, "main").site, Err(Reason::Go));
}
