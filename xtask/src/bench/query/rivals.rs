//! DuckDB and SQLite, each a Python process that is asked one statement after the other.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::{CPUS, Row};
use crate::project::{run, target_dir, which};

const SCRIPT: &str = include_str!("rivals.py");
/// What the bench installs where no other is named.
const DUCKDB: &str = "duckdb==1.4.2";

/// A rival that waits for statements; ends when it is dropped.
#[derive(Debug)]
pub struct Rival {
    child: Child,
    statements: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Rival {
    /// DuckDB over the tables of a Parquet export. `Err` of the inner result says why it is not run.
    pub fn duckdb(parquet: &Path) -> Result<Result<Self, String>> {
        let python = match duckdb_python() {
            Ok(python) => python,
            Err(error) => return Ok(Err(format!("{error:#}"))),
        };
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT, "duckdb"]).arg(parquet).arg(CPUS.to_string());
        let mut rival = Self::start(&mut command)?;
        rival.ready()?;
        Ok(Ok(rival))
    }

    /// SQLite with the calls of a file of lines `function_id,start,duration`, without a head.
    pub fn sqlite(csv: &Path, database: &Path) -> Result<Result<Self, String>> {
        let python = std::env::var_os("SCOPE_PYTHON").unwrap_or_else(|| "python3".into());
        if which(&python.to_string_lossy()).is_none() && !Path::new(&python).exists() {
            return Ok(Err("python3 is not installed".to_owned()));
        }
        let mut command = Command::new(python);
        command.args(["-c", SCRIPT, "sqlite"]).arg(database);
        let mut rival = Self::start(&mut command)?;
        let text = fs::read(csv).with_context(|| format!("cannot read {}", csv.display()))?;
        let lines = text.iter().filter(|byte| **byte == b'\n').count();
        writeln!(rival.statements, "{lines}")?;
        rival.statements.write_all(&text)?;
        rival.ready()?;
        Ok(Ok(rival))
    }

    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start Python")?;
        let statements = child.stdin.take().context("a piped child has an input")?;
        let answers = child.stdout.take().context("a piped child has an output")?;
        Ok(Self { child, statements, answers: BufReader::new(answers) })
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        ensure!(self.answers.read_line(&mut line)? > 0, "a rival ended without an answer");
        serde_json::from_str(&line).context("a rival printed something else than JSON")
    }

    fn ready(&mut self) -> Result<()> {
        ensure!(self.line()? == "ready", "a rival did not get ready");
        Ok(())
    }

    /// The rows of a statement, `function_id, calls, p99`, and the time from the statement to its last
    /// row.
    pub fn ask(&mut self, statement: &str) -> Result<(Duration, Vec<Row>)> {
        writeln!(self.statements, "{}", Value::from(statement))?;
        let answer = self.line()?;
        let seconds = answer["seconds"].as_f64().context("an answer has its time")?;
        let rows = answer["rows"].as_array().context("an answer has rows")?.iter().map(|row| {
            let number = |at: usize| row[at].as_f64().map(|number| number as i64);
            Some((number(0)?, number(1)?, number(2)))
        });
        let rows = rows.collect::<Option<_>>().context("a row has numbers")?;
        Ok((Duration::from_secs_f64(seconds), rows))
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // It holds nothing that is worth an orderly end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Python that has DuckDB: the one that is named, or an environment of the bench's own.
fn duckdb_python() -> Result<PathBuf> {
    let has = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-c", "import duckdb"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    if let Some(named) = std::env::var_os("SCOPE_DUCKDB_PYTHON") {
        let named = PathBuf::from(named);
        ensure!(has(&named), "SCOPE_DUCKDB_PYTHON, {}, has no duckdb", named.display());
        return Ok(named);
    }
    let home = target_dir().join("bench-query/python");
    let own = home.join("bin/python");
    if !has(&own) {
        run(Command::new("python3").args(["-m", "venv"]).arg(&home))?;
        run(Command::new(home.join("bin/pip")).args(["install", "--quiet", DUCKDB]))?;
        ensure!(has(&own), "duckdb was installed and is not there");
    }
    Ok(own)
}
