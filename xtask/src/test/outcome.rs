//! Counts tests from what libtest prints.
//!
//! libtest has no word for "could not run here". A test that finds it cannot run writes its name
//! and the reason to a file and returns, so libtest counts it as passed; it is moved from the
//! passed ones to those not run here, since a test that did not run must not look green.

use std::fmt;

/// What became of the tests of one or more commands.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub passed: usize,
    pub failed: usize,
    /// Names of failed tests, or of commands that died.
    pub failures: Vec<String>,
    /// Name and reason.
    pub not_run: Vec<(String, String)>,
}

impl Outcome {
    /// Takes one line of libtest's output into account.
    pub fn read_line(&mut self, line: &str) {
        let line = line.trim();
        if let Some((name, verdict)) =
            line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        {
            if verdict.starts_with("FAILED") {
                self.failures.push(name.to_owned());
            }
        } else if let Some(result) = line.strip_prefix("test result: ") {
            let count = |what: &str| {
                result
                    .split(['.', ';'])
                    .find_map(|part| part.trim().strip_suffix(what)?.trim().parse().ok())
                    .unwrap_or(0)
            };
            self.passed += count("passed");
            self.failed += count("failed");
            for _ in 0..count("ignored") {
                self.not_run.push(("an ignored test".to_owned(), "#[ignore]".to_owned()));
            }
        }
    }

    /// Moves the tests named in `text`, a line `not run: NAME: WHY` each, from passed to not run.
    pub fn take_not_run(&mut self, text: &str) {
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        lines.dedup();
        for line in lines {
            let line = line.strip_prefix("not run: ").unwrap_or(line);
            let (name, why) = line.split_once(": ").unwrap_or((line, "gave no reason"));
            self.passed = self.passed.saturating_sub(1);
            self.not_run.push((name.to_owned(), why.to_owned()));
        }
    }

    /// Adds what another command's tests came to.
    pub fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.failures.extend_from_slice(&other.failures);
        self.not_run.extend_from_slice(&other.not_run);
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for name in &self.failures {
            writeln!(f, "failed: {name}")?;
        }
        for (name, why) in &self.not_run {
            writeln!(f, "not run: {name}: {why}")?;
        }
        let Self { passed, failed, .. } = self;
        let not_run = self.not_run.len();
        writeln!(f, "{passed} passed, {failed} failed, {not_run} not run")?;
        // The words that readers of test output look for.
        writeln!(f, "{passed} passed, {failed} failed, {not_run} skipped")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Outcome {
        let mut outcome = Outcome::default();
        text.lines().for_each(|line| outcome.read_line(line));
        outcome
    }

    #[test]
    fn adds_up_the_results_of_several_binaries() {
        let outcome = read(
            "running 2 tests\ntest a ... ok\ntest b::c ... FAILED\n\
             test result: FAILED. 1 passed; 1 failed; 0 ignored; 0 measured; 3 filtered out; finished in 0.01s\n\
             test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n",
        );
        assert_eq!((outcome.passed, outcome.failed), (13, 1));
        assert_eq!(outcome.failures, ["b::c"]);
    }

    #[test]
    fn a_test_that_did_not_run_is_not_counted_as_passed() {
        let mut outcome = read("test result: ok. 2 passed; 0 failed; 0 ignored");
        outcome.take_not_run("not run: counts::callgrind: valgrind is missing\n");
        assert_eq!(
            outcome.to_string(),
            "\nnot run: counts::callgrind: valgrind is missing\n\
             1 passed, 0 failed, 1 not run\n1 passed, 0 failed, 1 skipped\n"
        );
    }

    #[test]
    fn an_ignored_test_is_one_not_run() {
        let outcome = read("test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured");
        assert_eq!(outcome.not_run.len(), 1);
    }
}
