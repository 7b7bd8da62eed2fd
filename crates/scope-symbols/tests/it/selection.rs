//! From what a user asks for to what is probed.

use scope_model::{ModuleId, SiteClass};
use scope_symbols::glob::Glob;
use scope_symbols::{Image, ImageFunction, Plan, PlanError, Reason, Selection, Site, plan};

const MAIN: ModuleId = ModuleId(0);

fn function(name: &str, in_project: Option<bool>, class: SiteClass, size: u64) -> ImageFunction {
    ImageFunction {
        name: name.to_owned(),
        symbol: name.to_owned(),
        aliases: Vec::new(),
        address: 0x1000,
        file_offset: 0x400,
        size,
        file: in_project.map(|own| format!("{}/f.rs", if own { "/home/me/app" } else { "/rustc" })),
        line: Some(1),
        in_project,
        inlined_copies: 0,
        site: Ok(Site { class, offset: 0, loops_to_start: false }),
    }
}

fn image(path: &str, functions: Vec<ImageFunction>) -> Image {
    Image {
        path: path.to_owned(),
        build_id: None,
        is_go: false,
        has_dwarf: true,
        has_split_dwarf: false,
        has_symbols: true,
        missing_debug_file: None,
        can_unwind: false,
        switches_stacks: false,
        unwind_symbols: Vec::new(),
        functions,
        segments: Vec::new(),
    }
}

fn app() -> Image {
    let mut inlined = function("app::tiny", Some(true), SiteClass::Emulated, 0);
    inlined.address = 0;
    inlined.inlined_copies = 3;
    inlined.site = Err(Reason::InlinedEverywhere { copies: 3 });
    let mut looping = function("app::spin", Some(true), SiteClass::Moved, 90);
    looping.site = Ok(Site { class: SiteClass::Moved, offset: 4, loops_to_start: true });
    image(
        "/opt/app",
        vec![
            inlined,
            function("app::main", Some(true), SiteClass::Emulated, 300),
            function("app::parser::parse_line", Some(true), SiteClass::Emulated, 200),
            function("app::get", Some(true), SiteClass::SingleStepped, 20),
            function("app::solve", Some(true), SiteClass::SingleStepped, 400),
            looping,
            function("core::fmt::write", Some(false), SiteClass::Emulated, 500),
            function("_init", Some(false), SiteClass::SingleStepped, 20),
        ],
    )
}

fn library() -> Image {
    image(
        "/usr/lib/libz.so.1.2.13",
        vec![
            function("inflate", None, SiteClass::Emulated, 900),
            function("_init", None, SiteClass::Emulated, 20),
        ],
    )
}

fn globs(patterns: &[&str]) -> Vec<Glob> {
    patterns.iter().map(|pattern| Glob::new(pattern)).collect()
}

fn planned(selection: &Selection) -> Result<Plan, PlanError> {
    let (app, library) = (app(), library());
    plan(&[(MAIN, &app), (ModuleId(1), &library)], MAIN, selection)
}

fn names(plan: &Plan) -> Vec<&str> {
    plan.chosen.iter().map(|chosen| chosen.function.name.as_str()).collect()
}

fn left_out(plan: &Plan) -> String {
    plan.left_out.iter().map(|left| format!("{}: {}\n", left.name, left.reason)).collect()
}

#[test]
fn by_default_the_project_is_chosen_and_what_is_left_out_is_listed() {
    let plan = planned(&Selection::default()).unwrap();
    assert_eq!(names(&plan), ["app::main", "app::parser::parse_line", "app::solve"]);
    insta::assert_snapshot!(left_out(&plan), @r"
    app::tiny: inlined everywhere (3 copies)
    app::get: the kernel would single-step its first instruction, some 10 µs a call, for 20 bytes of code
    app::spin: its loop jumps back to its first instruction: each turn would look like a call
    ");
}

#[test]
fn a_pattern_widens_beyond_the_project() {
    let functions = globs(&["parse*", "core::*"]);
    let plan = planned(&Selection { functions, ..Selection::default() }).unwrap();
    assert_eq!(names(&plan), ["app::parser::parse_line", "core::fmt::write"]);
}

#[test]
fn a_name_takes_a_function_that_a_pattern_leaves_out() {
    let by_name = Selection { functions: globs(&["get", "app::spin"]), ..Selection::default() };
    let plan = planned(&by_name).unwrap();
    assert_eq!(names(&plan), ["app::get", "app::spin"]);
    assert_eq!(
        plan.notes,
        ["app::spin: its loop jumps back to its first instruction, so each turn counts as a call"]
    );
    let loosely = Selection { functions: globs(&["ge*"]), ..Selection::default() };
    let plan = planned(&loosely).unwrap();
    assert!(names(&plan).is_empty());
    assert_eq!(plan.left_out.len(), 1);
}

#[test]
fn all_takes_everything_that_can_be_probed() {
    let plan = planned(&Selection { all: true, ..Selection::default() }).unwrap();
    assert_eq!(plan.chosen.len(), 7);
    assert_eq!(left_out(&plan), "app::tiny: inlined everywhere (3 copies)\n");
}

#[test]
fn an_excluded_function_is_left_out_even_with_all() {
    let selection = Selection { all: true, exclude: globs(&["app::*"]), ..Selection::default() };
    let plan = planned(&selection).unwrap();
    assert_eq!(names(&plan), ["core::fmt::write", "_init"]);
}

#[test]
fn a_module_is_named_without_its_version() {
    for module in ["libz", "libz.so.1.2.13", "/usr/lib/libz*"] {
        let selection = Selection { modules: vec![module.to_owned()], ..Selection::default() };
        let plan = planned(&selection).unwrap();
        assert!(names(&plan).contains(&"inflate"), "{module}");
        let inflate = plan.chosen.iter().find(|chosen| chosen.function.name == "inflate").unwrap();
        assert_eq!((inflate.image, inflate.function.module), (1, ModuleId(1)));
        assert!(left_out(&plan).contains("_init: start-up code"), "{module}");
    }
}

#[test]
fn a_module_of_a_longer_name_is_another() {
    let selection = Selection { modules: vec!["lib".to_owned()], ..Selection::default() };
    assert!(matches!(planned(&selection), Err(PlanError::NoSuchModule { .. })));
}

#[test]
fn a_stub_alone_is_no_match() {
    let mut app = app();
    let mut stub = function("inflate", None, SiteClass::Emulated, 0);
    stub.address = 0;
    stub.site = Err(Reason::Imported);
    app.functions.insert(0, stub);
    let library = library();
    let selection = Selection { functions: globs(&["inflate"]), ..Selection::default() };
    let images = [(MAIN, &app), (ModuleId(1), &library)];
    let error = plan(&images, MAIN, &selection).unwrap_err();
    let PlanError::NothingMatches { elsewhere, .. } = error else { panic!("{error}") };
    assert_eq!(elsewhere, ["libz.so.1.2.13"]);
    // With the module named, the stub is what is left out.
    let selection = Selection { modules: vec!["libz".to_owned()], ..selection };
    let plan = plan(&images, MAIN, &selection).unwrap();
    assert_eq!(names(&plan), ["inflate"]);
    assert!(left_out(&plan).starts_with("inflate: only a stub (PLT) here"));
}

#[test]
fn files_choose_functions_declared_there() {
    let selection = Selection { files: globs(&["rustc/*.rs"]), ..Selection::default() };
    assert_eq!(names(&planned(&selection).unwrap()), ["core::fmt::write"]);
}

#[test]
fn a_limit_keeps_the_cheapest_and_numbers_them_anew() {
    let plan = planned(&Selection { max_functions: Some(2), ..Selection::default() }).unwrap();
    assert_eq!(names(&plan), ["app::main", "app::parser::parse_line"]);
    let ids: Vec<u32> = plan.chosen.iter().map(|chosen| chosen.function.id.0).collect();
    assert_eq!(ids, [0, 1]);
    assert!(left_out(&plan).contains("app::solve: beyond the limit of 2 functions"));
}

#[test]
fn errors_name_what_is_near() {
    let error = |selection: Selection| planned(&selection).unwrap_err().to_string();
    let function =
        |name: &str| error(Selection { functions: globs(&[name]), ..Selection::default() });
    insta::assert_snapshot!(function("parse_lines"), @"no function matches parse_lines; nearest: app::parser::parse_line");
    insta::assert_snapshot!(function("inflate"), @"no function matches inflate; libz.so.1.2.13 has it (add it with --module)");
    insta::assert_snapshot!(function("zzz"), @"no function matches zzz");
    insta::assert_snapshot!(error(Selection { modules: vec!["libq".into()], ..Selection::default() }), @"no mapped file is called libq; there are app, libz.so.1.2.13");
    insta::assert_snapshot!(error(Selection { files: globs(&["x.c"]), ..Selection::default() }), @"no source file matches x.c");
}
