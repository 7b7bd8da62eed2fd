//! Compares cyclomatic complexity with lizard's (PyPI `lizard`, in the path or named by
//! `LIZARD`), function by function, and lists the differences:
//! `cargo run -p scope-source --example compare_lizard -- FOLDER…`.
//!
//! lizard counts closures into the function around them; so does this comparison. It counts
//! tokens, so some of its decisions are none: `where`, the `||` of a closure without parameters,
//! the `?` of `?Sized`, `for (;;)`, `#if`, and whatever stands in a macro's arguments. Functions
//! that differ by exactly those are counted apart.

use std::collections::HashMap;
use std::error::Error;
use std::process::Command;

use scope_source::language::Role;
use scope_source::{AstId, CfgKind, FunctionKind, Language, SourceFile, control_flow};

fn main() -> Result<(), Box<dyn Error>> {
    let folders: Vec<String> = std::env::args().skip(1).collect();
    let lizard = std::env::var("LIZARD").unwrap_or_else(|_| "lizard".to_owned());
    let output = Command::new(lizard).arg("--csv").args(&folders).output()?;
    let mut files: HashMap<String, Vec<(u32, u32, String)>> = HashMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        // NLOC, CCN, tokens, parameters, length, "place", "file", "name", "long name", start, end
        let Some((numbers, texts)) = line.split_once(",\"") else { continue };
        let parts: Vec<&str> = texts.split("\",").collect();
        let (Some(ccn), [_, file, name, .., lines]) = (numbers.split(',').nth(1), &parts[..])
        else {
            continue;
        };
        let (Ok(ccn), Some(Ok(start))) = (ccn.parse(), lines.split(',').next().map(str::parse))
        else {
            continue;
        };
        let file = file.trim_matches('"').to_owned();
        files.entry(file).or_default().push((start, ccn, name.trim_matches('"').to_owned()));
    }
    let (mut both, mut equal, mut explained, mut broken) = (0_u32, 0_u32, 0_u32, 0_u32);
    for (path, theirs) in files {
        let Some(language) = Language::by_path(&path) else { continue };
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let file = SourceFile::parse(&path, bytes, language)?;
        let graphs = control_flow(&file);
        let mut sums: Vec<u32> = graphs.iter().map(scope_source::Cfg::cyclomatic).collect();
        for (index, function) in file.functions().iter().enumerate().rev() {
            if let Some(parent) = function.parent.filter(|_| function.kind == FunctionKind::Closure)
            {
                sums[parent as usize] += sums[index] - 1;
            }
        }
        for (start, ccn, name) in theirs {
            let same = |function: &&(usize, &scope_source::Function)| {
                let (name_at, span) = (function.1.name_at.line, function.1.span);
                function.1.kind != FunctionKind::Closure
                    && (span.start.line..=name_at).contains(&start)
                    && name.ends_with(&*function.1.name)
            };
            let all: Vec<(usize, &scope_source::Function)> =
                file.functions().iter().enumerate().collect();
            let Some((index, function)) = all.iter().find(same) else { continue };
            let mut inside = file.ast().descendants(function.node);
            if inside.any(|node| file.kind_of(node) == "ERROR") {
                broken += 1;
                continue;
            }
            both += 1;
            if sums[*index] == ccn {
                equal += 1;
            } else if sums[*index] + tokens_only(&file, function.node, &graphs[*index]) == ccn {
                explained += 1;
            } else {
                println!("{path}:{start} {name}: {} here, {ccn} there", sums[*index]);
            }
        }
    }
    let percent = |part: u32| 100.0 * f64::from(part) / f64::from(both.max(1));
    println!(
        "{both} functions: {equal} equal ({:.1} %), {explained} differ by tokens that are no \
         decisions ({:.1} % together), {broken} with syntax errors left out",
        percent(equal),
        percent(equal + explained),
    );
    Ok(())
}

/// What lizard counts in a function that is no decision.
fn tokens_only(file: &SourceFile, function: AstId, cfg: &scope_source::Cfg) -> u32 {
    let mut count = 0;
    let mut skip_to = function;
    for node in file.ast().descendants(function) {
        if node < skip_to {
            continue;
        }
        let text = String::from_utf8_lossy(file.text_of(node));
        match (file.ast().node(node).role, file.kind_of(node)) {
            (Role::Tokens, _) => {
                count += decisions_in(&text);
                skip_to = file.ast().subtree_end(node);
            }
            (_, "where_clause") => count += 1 + text.matches("?Sized").count() as u32,
            (_, "closure_parameters") if text.as_ref() == "||" => count += 1,
            (Role::Opaque, _) => count += text.matches("?Sized").count() as u32,
            (Role::Conditional | Role::ConditionalElse, kind) if kind != "preproc_else" => {
                count += 1;
            }
            _ => {}
        }
    }
    let endless = cfg.nodes.iter().filter(|node| node.kind == CfgKind::Loop);
    let endless = endless.filter(|node| file.ast().node(node.ast).role == Role::For);
    let alternatives = cfg.nodes.iter().filter(|node| node.kind == CfgKind::Conditional);
    (count + endless.count() as u32).saturating_sub(alternatives.count() as u32)
}

/// Words and signs of decisions in unparsed text, without its strings.
fn decisions_in(text: &str) -> u32 {
    let bare: String = text.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let words = bare.split(|c: char| !c.is_alphanumeric() && c != '_');
    let words = words.filter(|word| matches!(*word, "if" | "for" | "while" | "where"));
    let signs = ["&&", "||", "?"].map(|sign| bare.matches(sign).count());
    (words.count() + signs.iter().sum::<usize>()) as u32
}
