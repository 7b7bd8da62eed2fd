//! How fast sources are parsed and their graphs built, beside tree-sitter's parse alone:
//! `cargo run --release -p scope-source --example throughput -- FOLDER…`.
//!
//! Prints one line of JSON. Each side is the best of three rounds over all files.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use scope_source::{CallGraph, Graphs, Language, SourceFile};

type Source = (String, Arc<[u8]>, &'static Language);

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths = Vec::new();
    for folder in std::env::args().skip(1) {
        find(Path::new(&folder), &mut paths)?;
    }
    let mut sources: Vec<Source> = Vec::new();
    for path in paths {
        let name = path.to_string_lossy().into_owned();
        if let Some(language) = Language::by_path(&name) {
            sources.push((name, std::fs::read(&path)?.into(), language));
        }
    }
    let bytes: usize = sources.iter().map(|source| source.1.len()).sum();
    let megabytes = bytes as f64 / 1e6;
    let mut functions = 0;
    let threads = std::thread::available_parallelism()?.get();
    let mut line = format!("{{\"files\": {}, \"bytes\": {bytes}", sources.len());
    for (name, threads) in [("one_thread", 1), ("all_threads", threads)] {
        let parse = best(|| each(&sources, threads, parse_alone));
        let outline = best(|| each(&sources, threads, outline));
        let all = best(|| functions = each(&sources, threads, everything));
        line += &format!(
            ", \"{name}\": {{\"parse_mb_per_s\": {:.1}, \"outline_mb_per_s\": {:.1}, \
             \"source_mb_per_s\": {:.1}, \"graphs_over_parse\": {:.2}}}",
            megabytes / parse.as_secs_f64(),
            megabytes / outline.as_secs_f64(),
            megabytes / all.as_secs_f64(),
            parse.as_secs_f64() / all.as_secs_f64(),
        );
    }
    println!("{line}, \"functions\": {functions}}}");
    Ok(())
}

fn find(folder: &Path, out: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if folder.is_file() {
        out.push(folder.to_path_buf());
        return Ok(());
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            find(&path, out)?;
        } else {
            out.push(path);
        }
    }
    Ok(())
}

fn best<R>(mut run: impl FnMut() -> R) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        run();
        shortest = shortest.min(begun.elapsed());
    }
    shortest
}

fn each(sources: &[Source], threads: usize, work: fn(&Source) -> usize) -> usize {
    let next = AtomicUsize::new(0);
    let sum = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
                    sum.fetch_add(work(source), Ordering::Relaxed);
                }
            });
        }
    });
    sum.into_inner()
}

fn parse_alone(source: &Source) -> usize {
    let mut parser = tree_sitter::Parser::new();
    let known = parser.set_language(source.2.grammar());
    known
        .ok()
        .and_then(|()| parser.parse(&source.1, None))
        .map_or(0, |tree| tree.root_node().end_byte())
}

fn outline(source: &Source) -> usize {
    let file = SourceFile::parse(&source.0, Arc::clone(&source.1), source.2);
    file.map_or(0, |file| file.functions().len())
}

fn everything(source: &Source) -> usize {
    let Ok(file) = SourceFile::parse(&source.0, Arc::clone(&source.1), source.2) else { return 0 };
    let graphs = Graphs::build(&file);
    let calls = CallGraph::link(&[&file]);
    graphs.control.len() + usize::from(calls.edges.len() == usize::MAX)
}
