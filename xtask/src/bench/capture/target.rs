//! A running target that is told what to call and answers how long it took.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

/// A started target; killed when dropped.
#[derive(Debug)]
pub struct Target {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    /// Addresses of its functions, if it tells them.
    pub addresses: HashMap<String, u64>,
}

/// One answer of `bench_calls`.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    /// Wall time of all calls, ns.
    pub ns: f64,
    /// Calls as the functions counted them.
    pub calls: u64,
}

impl Target {
    /// Starts the command and reads until its line `ready`.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().context("a piped child has an output")?;
        let mut target =
            Self { child, stdin, stdout: BufReader::new(stdout), addresses: HashMap::new() };
        loop {
            let line = target.line()?;
            if line == "ready" {
                return Ok(target);
            }
            if let Some((name, address)) = line.split_once(" 0x") {
                let address = u64::from_str_radix(address, 16)
                    .with_context(|| format!("no address in `{line}`"))?;
                target.addresses.insert(name.to_owned(), address);
            }
        }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Has it call `site` and waits for its answer.
    pub fn call(&mut self, site: &str, calls: u64) -> Result<Timed> {
        let stdin = self.stdin.as_mut().context("its input is open until it ends")?;
        writeln!(stdin, "{site} {calls}").context("the target does not read")?;
        let line = self.line()?;
        let answer = line.split_once(' ').and_then(|(ns, calls)| {
            Some(Timed { ns: ns.parse().ok()?, calls: calls.parse().ok()? })
        });
        let answer = answer.with_context(|| format!("the target said `{line}`"))?;
        if answer.calls != calls {
            bail!("the target was told to make {calls} calls and made {}", answer.calls);
        }
        Ok(answer)
    }

    /// Ends its input and returns what it still printed.
    pub fn finish(mut self) -> Result<Vec<String>> {
        drop(self.stdin.take());
        let mut lines = Vec::new();
        while let Ok(line) = self.line() {
            lines.push(line);
        }
        let status = self.child.wait().context("cannot wait for the target")?;
        if !status.success() {
            bail!("the target ended with {status}");
        }
        Ok(lines)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        if self.stdout.read_line(&mut line).context("cannot read from the target")? == 0 {
            bail!("the target ended");
        }
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
