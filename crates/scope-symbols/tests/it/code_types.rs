//! Types and their layouts.

use std::fmt::Write as _;

use scope_symbols::code::{CodeTables, MemberKind, TypeKind, TypeNumber};

use crate::build::Build;
use crate::code::{has, tables};

/// A type as a person would write it.
fn spell(tables: &CodeTables, number: Option<TypeNumber>) -> String {
    let Some(kind) = number.and_then(|number| tables.type_at(number)) else {
        return "void".to_owned();
    };
    let target = || spell(tables, kind.target);
    match kind.kind {
        TypeKind::Pointer => format!("*{}", target()),
        TypeKind::Reference => format!("&{}", target()),
        TypeKind::Const => format!("const {}", target()),
        TypeKind::Array => tables
            .members_of(kind.number)
            .filter(|member| member.kind == MemberKind::Dimension)
            .fold(target(), |text, member| format!("{text}[{}]", member.value.unwrap_or(-1))),
        TypeKind::Function => {
            let parameters: Vec<_> = tables
                .members_of(kind.number)
                .map(|member| spell(tables, member.value_type))
                .collect();
            format!("fn({}) -> {}", parameters.join(", "), target())
        }
        _ if kind.name.is_empty() => format!("{:?}", kind.kind),
        _ => kind.name.to_owned(),
    }
}

/// The layout of the only type of a name.
#[track_caller]
fn layout(tables: &CodeTables, name: &str) -> String {
    let found: Vec<_> = tables.types().filter(|kind| kind.name == name).collect();
    assert_eq!(found.len(), 1, "{name}: {found:?}");
    let kind = found[0];
    let mut text = format!("{:?} {name}, {} bytes", kind.kind, kind.size.unwrap_or(0));
    if let Some(target) = kind.target {
        write!(text, " = {}", spell(tables, Some(target))).unwrap();
    }
    for member in tables.members_of(kind.number) {
        write!(text, "\n  {:?} {}", member.kind, member.name).unwrap();
        if member.kind != MemberKind::Enumerator {
            write!(text, ": {}", spell(tables, member.value_type)).unwrap();
        }
        if let Some(offset) = member.bit_offset {
            write!(text, " at {}", offset / 8).unwrap();
            if let Some(size) = member.bit_size {
                write!(text, ", bit {} of {size} bits", offset % 8).unwrap();
            }
        }
        if let Some(variant) = member.variant {
            write!(text, ", variant {variant}").unwrap();
        }
        if let Some(value) = member.value {
            write!(text, " when {value}").unwrap();
        }
    }
    text
}

const C: &str = r"
enum colour { RED, GREEN = 7, NEGATIVE = -2 };
typedef struct list { struct list *next; unsigned low : 3; unsigned high : 7; const char *name; } list_t;
union number { int whole; double real; };
struct table {
    union number cells[3][4];
    enum colour colour;
    int (*compare)(const struct list *, void *);
    struct { int x, y; } inner;
};
int use(list_t *list, struct table *table) { return list->low + table->inner.x + (int)table->cells[1][2].real; }
int main(void) { list_t list = {0}; struct table table = {0}; return use(&list, &table); }
";

#[test]
fn layouts_of_c() {
    let mut compilers = vec!["gcc"];
    compilers.extend(has("code_types::layouts_of_c (clang)", "clang").then_some("clang"));
    for compiler in compilers {
        for version in ["-gdwarf-4", "-gdwarf-5", "-gdwarf-3"] {
            let command = format!("{compiler} -g {version} main.c -o program");
            let build = Build::made("main.c", C, &command);
            let tables = tables(&build.path("program"));
            let found = ["colour", "list", "list_t", "number", "table"]
                .map(|name| layout(&tables, name))
                .join("\n");
            insta::allow_duplicates! {
                insta::assert_snapshot!(found, @r"
                Enum colour, 4 bytes = int
                  Enumerator RED when 0
                  Enumerator GREEN when 7
                  Enumerator NEGATIVE when -2
                Struct list, 24 bytes
                  Field next: *list at 0
                  Field low: unsigned int at 8, bit 0 of 3 bits
                  Field high: unsigned int at 8, bit 3 of 7 bits
                  Field name: *const char at 16
                Typedef list_t, 0 bytes = list
                Union number, 8 bytes
                  Field whole: int at 0
                  Field real: double at 0
                Struct table, 120 bytes
                  Field cells: number[3][4] at 0
                  Field colour: colour at 96
                  Field compare: *fn(*const list, *void) -> int at 104
                  Field inner: Struct at 112
                ");
            }
        }
    }
}

const RUST: &str = r#"
pub struct Point { pub x: u16, pub y: i64 }
pub enum Shape { Empty, Circle(u32), Named { name: &'static str, at: Point } }
pub enum Plain { First = 1, Second = 200 }
#[inline(never)]
fn show(shape: &Shape, nothing: Option<Box<Point>>, plain: Plain) -> u64 {
    let size = match shape { Shape::Empty => 0, Shape::Circle(r) => *r as u64, Shape::Named { name, at } => name.len() as u64 + at.x as u64 };
    size + nothing.map_or(0, |point| point.y as u64) + plain as u64
}
fn main() {
    let n = std::env::args().count() as u32;
    let shapes = [Shape::Empty, Shape::Circle(n), Shape::Named { name: "a", at: Point { x: 1, y: 2 } }];
    for shape in &shapes { println!("{}", show(shape, Some(Box::new(Point { x: 3, y: 4 })), if n > 1 { Plain::First } else { Plain::Second })); }
}
"#;

#[test]
fn layouts_of_rust() {
    let build = Build::made("main.rs", RUST, "rustc -g main.rs -o program");
    let tables = tables(&build.path("program"));
    let show = tables.functions().find(|function| function.name == "main::show").unwrap();
    let parameters: Vec<_> = tables
        .parameters_of(show.number)
        .map(|parameter| format!("{}: {}", parameter.name, spell(&tables, parameter.value_type)))
        .collect();
    insta::assert_snapshot!(parameters.join("\n"), @r"
    shape: *main::Shape
    nothing: core::option::Option<alloc::boxed::Box<main::Point, alloc::alloc::Global>>
    plain: main::Plain
    ");
    let option = "core::option::Option<alloc::boxed::Box<main::Point, alloc::alloc::Global>>";
    let found = ["main::Shape", "main::Shape::Named", "main::Plain", option]
        .map(|name| layout(&tables, name))
        .join("\n");
    insta::assert_snapshot!(found, @r"
    Struct main::Shape, 40 bytes
      Discriminant : u32 at 0
      Field Empty: main::Shape::Empty at 0, variant 1 when 0
      Field Circle: main::Shape::Circle at 0, variant 2 when 1
      Field Named: main::Shape::Named at 0, variant 3 when 2
    Struct main::Shape::Named, 40 bytes
      Field name: &str at 24
      Field at: main::Point at 8
    Enum main::Plain, 1 bytes = u8
      Enumerator First when 1
      Enumerator Second when 200
    Struct core::option::Option<alloc::boxed::Box<main::Point, alloc::alloc::Global>>, 8 bytes
      Discriminant : u64 at 0
      Field None: core::option::Option<alloc::boxed::Box<main::Point, alloc::alloc::Global>>::None at 0, variant 1 when 0
      Field Some: core::option::Option<alloc::boxed::Box<main::Point, alloc::alloc::Global>>::Some at 0, variant 2
    ");
}

#[test]
fn what_several_units_describe_is_one_type() {
    let build = Build::new();
    build
        .write("shared.h", "struct shared { struct shared *next; struct hidden *hidden; int n; };");
    build.write(
        "a.c",
        "#include \"shared.h\"\nstruct own { int a; };\n\
        int a(struct shared *s, struct own *o) { return s->n + o->a; }",
    );
    build.write(
        "b.c",
        "#include \"shared.h\"\nstruct own { long b; };\nstruct hidden { int h; };\n\
        int b(struct shared *s, struct own *o) { return s->hidden->h + (int)o->b; }",
    );
    build.write(
        "main.c",
        "int a(void *, void *), b(void *, void *);\n\
        int main(void) { return a(0, 0) + b(0, 0); }",
    );
    build.run("gcc -g a.c b.c main.c -o program");
    let tables = tables(&build.path("program"));
    let count = |name: &str| tables.types().filter(|kind| kind.name == name).count();
    // The declaration in one unit is the definition in the other; equal names alone are not enough.
    assert_eq!((count("shared"), count("hidden"), count("own"), count("int")), (1, 1, 2, 1));
    let hidden = tables.types().find(|kind| kind.name == "hidden").unwrap();
    assert!(!hidden.is_declaration);
}
