//! How fast sources are parsed and all their graphs built, beside tree-sitter's parse alone.
//!
//! The sources are those of crates that this workspace depends on, so they are on every machine that
//! built it, in the versions of `Cargo.lock`. They are read beforehand; two threads take the next
//! largest file each. Parsing alone uses one parser a thread.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use scope_source::{Graphs, Language, SourceFile};
use serde_json::Value;

use crate::bench::results::Results;
use crate::bench::sample::timed;
use crate::bench::table::Rows;
use crate::project::{cargo, output};

/// The crates. Not among them: those that are mostly tables (grammars of tree-sitter, libc).
pub const CRATES: [&str; 11] = [
    "aya",
    "clap_builder",
    "gimli",
    "hashbrown",
    "indexmap",
    "proptest",
    "rayon",
    "regex-automata",
    "tokio",
    "tree-sitter",
    "zstd-sys",
];

/// Threads that work.
const THREADS: usize = 2;

#[derive(Debug)]
struct Source {
    path: String,
    text: Arc<[u8]>,
    language: &'static Language,
}

/// Files in memory, the largest first.
#[derive(Debug)]
pub struct Corpus {
    sources: Vec<Source>,
    /// Crates with their versions.
    crates: Vec<String>,
}

impl Corpus {
    /// Reads the crates.
    pub fn read(crates: &[&str]) -> Result<Self> {
        let text = output(cargo().args(["metadata", "--format-version=1", "--locked"]))?;
        let metadata: Value = serde_json::from_str(&text).context("cargo metadata prints JSON")?;
        let mut corpus = Self { sources: Vec::new(), crates: Vec::new() };
        for name in crates {
            let (version, folder) = newest(&metadata, name)?;
            corpus.crates.push(format!("{name} {version}"));
            let mut paths = Vec::new();
            files_below(&folder, &mut paths)?;
            for path in paths {
                let inside = path.strip_prefix(&folder).unwrap_or(&path);
                let shown = format!("{name}/{}", inside.display());
                let Some(language) = Language::by_path(&shown) else { continue };
                let text: Arc<[u8]> = fs::read(&path)?.into();
                corpus.sources.push(Source { path: shown, text, language });
            }
        }
        let largest_first =
            |source: &Source| (std::cmp::Reverse(source.text.len()), source.path.clone());
        corpus.sources.sort_by_cached_key(largest_first);
        Ok(corpus)
    }

    fn bytes(&self) -> usize {
        self.sources.iter().map(|source| source.text.len()).sum()
    }

    /// Adds what the sources are to the results.
    fn describe(&self, results: &mut Results) {
        let mut languages: BTreeMap<&str, usize> = BTreeMap::new();
        for source in &self.sources {
            *languages.entry(source.language.name()).or_insert(0) += source.text.len();
        }
        let megabytes = |bytes: usize| bytes as f64 / 1e6;
        let shares: Vec<String> = languages
            .iter()
            .map(|(name, bytes)| format!("{name} {:.1} MB", megabytes(*bytes)))
            .collect();
        results.number("source_files", self.sources.len() as f64);
        results.number("source_mb", megabytes(self.bytes()));
        results.remark(format!(
            "sources: {} files of {} ({})",
            self.sources.len(),
            self.crates.join(", "),
            shares.join(", ")
        ));
    }
}

/// The newest version of a crate in the workspace's tree, and its folder.
fn newest(metadata: &Value, name: &str) -> Result<(String, PathBuf)> {
    let packages = metadata["packages"].as_array().context("there are packages")?;
    let versions =
        packages.iter().filter(|package| package["name"] == name).filter_map(|package| {
            let version = package["version"].as_str()?;
            let folder = Path::new(package["manifest_path"].as_str()?).parent()?;
            let plain = version.split(['+', '-']).next()?;
            let key: Vec<u32> = plain.split('.').filter_map(|part| part.parse().ok()).collect();
            Some((key, version.to_owned(), folder.to_owned()))
        });
    let (_, version, folder) =
        versions.max().with_context(|| format!("the workspace does not use {name}"))?;
    Ok((version, folder))
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let entry = entry?;
        match entry.file_type()? {
            kind if kind.is_dir() => files_below(&entry.path(), files)?,
            kind if kind.is_file() => files.push(entry.path()),
            _ => {}
        }
    }
    Ok(())
}

/// Measures both, in turn: which is first changes from round to round.
pub fn measure(corpus: &Corpus, rounds: u32, rows: &mut Rows, results: &mut Results) -> Result<()> {
    corpus.describe(results);
    let megabytes = corpus.bytes() as f64 / 1e6;
    for round in 0..=rounds {
        let (parsed, graphs) = if round % 2 == 0 {
            let parsed = parse_alone(corpus)?;
            (parsed, parse_with_graphs(corpus)?)
        } else {
            let graphs = parse_with_graphs(corpus)?;
            (parse_alone(corpus)?, graphs)
        };
        // The first round warms up.
        if round == 0 {
            super::progress(&format!("sources: {megabytes:.0} MB"));
            results.number("source_functions", graphs.1 as f64);
            results.remark(format!("the sources have {} functions", graphs.1));
            continue;
        }
        super::progress(&format!("sources: round {round} of {rounds}"));
        let graphs = graphs.0.as_secs_f64();
        let parsed = parsed.as_secs_f64();
        rows.push("parse_mb_per_s", megabytes / parsed, "MB/s, tree-sitter's parse alone");
        rows.push("source_mb_per_s", megabytes / graphs, "MB/s, parsed and all graphs built");
        rows.push("graphs_over_parse", parsed / graphs, "");
    }
    Ok(())
}

/// tree-sitter's parse of all sources.
fn parse_alone(corpus: &Corpus) -> Result<Duration> {
    let (bytes, passed) = timed(|| {
        on_threads(&corpus.sources, tree_sitter::Parser::new, |parser, source| {
            parser.set_language(source.language.grammar()).ok()?;
            let tree = parser.parse(&*source.text, None)?;
            Some(tree.root_node().descendant_count())
        })
    });
    ensure!(bytes.context("a source does not parse")? > 0, "the trees are empty");
    Ok(passed)
}

/// Parse and all graphs of all sources: the time, and how many functions there are.
fn parse_with_graphs(corpus: &Corpus) -> Result<(Duration, usize)> {
    let (functions, passed) = timed(|| {
        on_threads(
            &corpus.sources,
            || (),
            |(), source| {
                let text = Arc::clone(&source.text);
                let file = SourceFile::parse(&source.path, text, source.language).ok()?;
                let graphs = Graphs::build(&file);
                let count = file.functions().len();
                let all = [graphs.control.len(), graphs.data.len(), graphs.metrics.len()];
                all.iter().all(|graphs| *graphs == count).then_some(count)
            },
        )
    });
    Ok((passed, functions.context("a source does not parse, or lacks graphs")?))
}

/// The sum of what `work` makes of each source; `None` where it failed for one.
fn on_threads<S>(
    sources: &[Source],
    start: fn() -> S,
    work: fn(&mut S, &Source) -> Option<usize>,
) -> Option<usize> {
    let next = AtomicUsize::new(0);
    let one = || {
        let mut state = start();
        let mut sum = Some(0);
        while let Some(source) = sources.get(next.fetch_add(1, Ordering::Relaxed)) {
            sum = sum.zip(work(&mut state, source)).map(|(sum, more)| sum + more);
        }
        sum
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        let sums = threads.into_iter().map(|thread| thread.join().ok().flatten());
        sums.sum::<Option<usize>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_newest_version_is_taken() {
        let metadata = json!({"packages": [
            {"name": "a", "version": "1.9.0", "manifest_path": "/r/a-1.9.0/Cargo.toml"},
            {"name": "a", "version": "1.10.0+z", "manifest_path": "/r/a-1.10.0/Cargo.toml"},
            {"name": "b", "version": "2.0.0", "manifest_path": "/r/b/Cargo.toml"},
        ]});
        let (version, folder) = newest(&metadata, "a").unwrap();
        assert_eq!((version.as_str(), folder.as_path()), ("1.10.0+z", Path::new("/r/a-1.10.0")));
        assert!(newest(&metadata, "c").is_err());
    }

    #[test]
    fn two_threads_do_all_of_the_work() {
        let language = Language::by_path("a.rs").unwrap();
        let source =
            |text: &str| Source { path: "a.rs".into(), text: text.as_bytes().into(), language };
        let sources = vec![source("fn a() { b(); }"), source("fn c() {} fn d() {}")];
        let corpus = Corpus { sources, crates: Vec::new() };
        assert_eq!(parse_with_graphs(&corpus).unwrap().1, 3);
        parse_alone(&corpus).unwrap();
        assert_eq!(on_threads(&corpus.sources, || (), |(), _| None), None);
    }
}
