//! Holds the graphs of real sources against what every graph must be, and cyclomatic complexity
//! against other tools. `cargo xtask check-metrics` fetches sources and tools and runs this:
//!
//! `check_metrics [--lizard PROGRAM] [--rust-code-analysis PROGRAM] NAME:LANGUAGE=FOLDER…`
//!
//! Tools count other things than decisions (tokens, arms, keywords in macros). Each such habit is a
//! class in [`classes`], counted in our own tree: a function whose difference is exactly the sum
//! of its classes is explained, any other is printed. Functions with syntax errors in
//! their bodies are left out of the comparison, and counted.

mod classes;
mod compare;
mod lizard;
mod rust_code_analysis;
mod shape;
mod tokens;

use std::error::Error;
use std::path::{Path, PathBuf};

use scope_source::{Cfg, FunctionKind, Language, SourceFile, control_flow};

use self::compare::{Comparison, Theirs};

/// Sources to look at.
struct Project {
    name: String,
    language: &'static Language,
    folder: PathBuf,
}

/// A file with the graphs of its functions.
#[derive(Debug)]
pub struct Drawn {
    path: String,
    file: SourceFile,
    graphs: Vec<Cfg>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut lizard, mut analysis, mut projects) = (None, None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--lizard" => lizard = arguments.next(),
            "--rust-code-analysis" => analysis = arguments.next(),
            other => projects.push(project(other)?),
        }
    }
    let mut wrong = 0;
    println!("| sources | functions | graphs | statements | nodes dead | wrong |");
    println!("|---|---|---|---|---|---|");
    let mut all = Vec::new();
    for project in projects {
        let drawn = draw(&project)?;
        let shapes = shape::check(&drawn);
        println!(
            "| {} | {} | {} | {} | {} | {} |",
            project.name,
            shapes.functions,
            shapes.graphs,
            shapes.statements,
            shapes.dead,
            shapes.wrong.len()
        );
        shapes.wrong.iter().for_each(|one| eprintln!("{one}"));
        wrong += shapes.wrong.len();
        all.push((project, drawn));
    }
    let mut unexplained = false;
    let tools: [(&str, Option<String>, Reader, compare::Rules); 2] = [
        ("lizard", lizard, lizard::read, classes::LIZARD),
        ("rust-code-analysis", analysis, rust_code_analysis::read, classes::RUST_CODE_ANALYSIS),
    ];
    for (tool, program, read, rules) in tools {
        let Some(program) = program else {
            println!("\nnot run: {tool}");
            continue;
        };
        println!("\n{tool}:\n\n{}", Comparison::HEAD);
        for (project, drawn) in &all {
            if !classes::reads(tool, project.language) {
                continue;
            }
            let theirs = read(&program, &project.folder)?;
            let comparison = Comparison::of(drawn, &theirs, &rules);
            println!("{}", comparison.row(&project.name));
            comparison.unexplained.iter().for_each(|one| eprintln!("{tool}: {one}"));
            unexplained |= comparison.explained_share() < 0.95;
        }
    }
    match (wrong, unexplained) {
        (0, false) => Ok(()),
        (0, true) => Err("more than 5 % of the functions of a project differ unexplained".into()),
        _ => Err(format!("{wrong} graphs are wrong").into()),
    }
}

/// Reads what a tool says of a folder.
type Reader = fn(&str, &Path) -> Result<Theirs, Box<dyn Error>>;

fn project(argument: &str) -> Result<Project, Box<dyn Error>> {
    let parts = argument.split_once('=').and_then(|(name, folder)| {
        let (name, language) = name.rsplit_once(':')?;
        Some((name, Language::by_name(language)?, folder))
    });
    let (name, language, folder) =
        parts.ok_or_else(|| format!("`{argument}` is no NAME:LANGUAGE=FOLDER"))?;
    Ok(Project { name: name.to_owned(), language, folder: folder.into() })
}

/// Parses the files of the project's language; its headers are of that language too.
fn draw(project: &Project) -> Result<Vec<Drawn>, Box<dyn Error>> {
    let mut paths = Vec::new();
    files(&project.folder, &mut paths)?;
    paths.sort();
    let mut drawn = Vec::new();
    for path in paths {
        let path = path.to_string_lossy().into_owned();
        let header = path.ends_with(".h") && matches!(project.language.name(), "c" | "cpp");
        if !header && Language::by_path(&path) != Some(project.language) {
            continue;
        }
        let file = SourceFile::parse(&path, std::fs::read(&path)?, project.language)?;
        let graphs = control_flow(&file);
        drawn.push(Drawn { path, file, graphs });
    }
    Ok(drawn)
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && entry.file_name() != "testdata" {
            files(&entry.path(), out)?;
        } else if kind.is_file() {
            out.push(entry.path());
        }
    }
    Ok(())
}

/// Whether a function has a body and is no closure.
fn is_compared(function: &scope_source::Function) -> bool {
    function.kind != FunctionKind::Closure && function.body.is_some()
}
