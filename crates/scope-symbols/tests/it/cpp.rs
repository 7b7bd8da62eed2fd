//! Programs in C++.

use scope_symbols::{Reason, UnwindSymbolKind};

use crate::build::{Build, function};

const SOURCE: &str = r##"
#include <stdexcept>
#include <vector>

namespace app {
template <typename T> __attribute__((noinline)) T add(T a, T b) {
    asm volatile("");
    return a + b;
}

struct Shape {
    virtual ~Shape() = default;
    virtual int area(int scale) const;
};

int Shape::area(int scale) const { return scale * 4; }

__attribute__((noinline)) int thrower(int n) {
    if (n > 0) throw std::runtime_error("no");
    return n;
}
}

int main(int argc, char **) {
    std::vector<int> v(static_cast<std::size_t>(argc), 3);
    app::Shape shape;
    try {
        return app::thrower(argc) + app::add(v[0], 1);
    } catch (const std::exception &) {
        return app::add(1L, 2L) + shape.area(argc);
    }
}
"##;

#[test]
fn names_are_demangled_with_parameters() {
    let image = Build::new().image("c++ -g -O1", "main.cpp", SOURCE);
    let area = function(&image, "app::Shape::area(int) const");
    assert_eq!(area.symbol, "_ZNK3app5Shape4areaEi");
    // The line is that of the definition, not of the declaration in the class.
    assert_eq!((area.line, area.in_project), (Some(16), Some(true)));
    assert!(function(&image, "app::add<long>(long, long)").site.is_ok());
}

#[test]
fn the_standard_library_is_not_of_the_project() {
    let image = Build::new().image("c++ -g -O0", "main.cpp", SOURCE);
    let library = image.functions.iter().find(|f| f.name.starts_with("std::vector<int")).unwrap();
    assert_eq!(library.in_project, Some(false), "{library:?}");
}

#[test]
fn exceptions_are_seen_in_the_imports() {
    let image = Build::new().image("c++ -O1", "main.cpp", SOURCE);
    assert!(image.can_unwind);
    assert!(image.unwind_symbols.is_empty());
}

#[test]
fn a_static_program_defines_the_catch_points() {
    let image = Build::new().image("c++ -O1 -static", "main.cpp", SOURCE);
    let catches: Vec<_> = image
        .unwind_symbols
        .iter()
        .filter(|symbol| symbol.kind == UnwindSymbolKind::Catches)
        .map(|symbol| symbol.symbol.as_str())
        .collect();
    assert_eq!(catches, ["__cxa_begin_catch"]);
    assert!(image.unwind_symbols.iter().any(|s| s.kind == UnwindSymbolKind::Walks));
}

#[test]
fn split_off_parts_are_no_functions_with_and_without_symbols() {
    let source = r##"
        void risky(int) __attribute__((noinline));
        void risky(int n) { if (n > 5) throw n; }
        volatile int drops; struct Guard { int *p; ~Guard() { ++*p; drops = *p; } };
        __attribute__((noinline)) int work(int n) {
            int count = 0;
            { Guard guard{&count}; risky(n); }
            return count;
        }
        int main(int argc, char **) { return work(argc); }
    "##;
    let build = Build::new();
    let image = build.image("c++ -O2", "main.cpp", source);
    let part = function(&image, "work(int) [clone .cold]");
    assert_eq!(part.site, Err(Reason::SplitOff));
    assert!(function(&image, "work(int)").site.is_ok());

    build.run("strip program");
    let stripped = build.load("program");
    // Its unwind table says that it is entered with a frame on the stack already.
    let part = function(&stripped, &format!("fn_{:x}", part.address));
    assert_eq!(part.site, Err(Reason::SplitOff));
}
