//! Edits files of other projects and sees whether ids of functions and calls survive:
//! `check_edits NAME:LANGUAGE=FOLDER…`. Part of `cargo xtask check-metrics`.

#[path = "../../tests/it/edits.rs"]
mod edits;

use std::error::Error;
use std::path::{Path, PathBuf};

use scope_source::Language;

/// Files of a project that are looked at, spread over all of them.
const MOST_FILES: usize = 24;

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "| sources | files | functions | calls | edited files | unclear | locals renamed | moved | bodies changed | formatted files | other tokens | wrong |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|---|");
    let mut wrong = 0;
    for argument in std::env::args().skip(1) {
        let (name, folder) = argument.split_once('=').ok_or("no NAME:LANGUAGE=FOLDER")?;
        let (name, language) = name.rsplit_once(':').ok_or("no NAME:LANGUAGE=FOLDER")?;
        let language = Language::by_name(language).ok_or("no such language")?;
        let mut paths = Vec::new();
        files(Path::new(folder), language, &mut paths)?;
        paths.sort();
        let mut counts = edits::Counts::default();
        let mut failed = 0;
        let step = paths.len().div_ceil(MOST_FILES).max(1);
        for path in paths.iter().step_by(step) {
            let Ok(text) = std::fs::read_to_string(path) else { continue };
            if let Err(why) = edits::check(&text, language, &mut counts) {
                eprintln!("{}: {why}", path.display());
                failed += 1;
            }
        }
        println!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {failed} |",
            counts.files,
            counts.functions,
            counts.calls,
            counts.edits,
            counts.unclear,
            counts.renamed,
            counts.moved,
            counts.changed,
            counts.formatted,
            counts.formatted_otherwise,
        );
        wrong += failed;
    }
    match wrong {
        0 => Ok(()),
        wrong => Err(format!("ids of {wrong} files did not survive").into()),
    }
}

fn files(
    folder: &Path,
    language: &'static Language,
    out: &mut Vec<PathBuf>,
) -> Result<(), Box<dyn Error>> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let header = path.extension().is_some_and(|extension| extension == "h");
        if path.is_dir() {
            files(&path, language, out)?;
        } else if header && matches!(language.name(), "c" | "cpp")
            || Language::by_path(&path.to_string_lossy()) == Some(language)
        {
            out.push(path);
        }
    }
    Ok(())
}
