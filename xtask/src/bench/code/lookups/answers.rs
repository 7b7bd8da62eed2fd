//! Answers as text, read, and compared.
//!
//! Compared are linkage names without what compilers and linkers append to clones, and files and
//! lines with `..` resolved; columns are not, since `addr2line` has none. A line that is not known
//! is 0.

use anyhow::{Context, Result, ensure};

use super::Answers;

/// One level of the calls that an address stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub function: String,
    /// `file:line`.
    pub place: String,
}

/// Shares of addresses, from 0 to 1, for which two agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    /// In all frames.
    pub all: f64,
    /// In the innermost frame.
    pub innermost: f64,
    /// In files and lines of all frames.
    pub places: f64,
    /// Where they do not, the first few.
    pub examples: Vec<String>,
}

impl Agreement {
    /// Compares the answers for the same addresses.
    pub fn of(ours: &Answers, theirs: &Answers) -> Self {
        let pairs = || ours.iter().zip(theirs);
        let share = |same: usize| same as f64 / ours.len().max(1) as f64;
        let places = |frames: &[Frame]| -> Vec<String> {
            frames.iter().map(|frame| frame.place.clone()).collect()
        };
        let different = pairs().filter(|(ours, theirs)| ours != theirs);
        Self {
            all: share(pairs().filter(|(ours, theirs)| ours == theirs).count()),
            innermost: share(
                pairs().filter(|(ours, theirs)| ours.first() == theirs.first()).count(),
            ),
            places: share(pairs().filter(|(ours, theirs)| places(ours) == places(theirs)).count()),
            examples: different
                .take(3)
                .map(|(ours, theirs)| format!("{theirs:?}, scope has {ours:?}"))
                .collect(),
        }
    }
}

/// Reads what `llvm-symbolizer` prints: a line for the function, one for the place with line and
/// column, an empty one after each address.
pub fn read(text: &str, addresses: usize) -> Result<Answers> {
    let mut answers = Vec::with_capacity(addresses);
    let mut frames = Vec::new();
    let mut lines = text.lines();
    while let Some(function) = lines.next() {
        if function.is_empty() {
            answers.push(std::mem::take(&mut frames));
            continue;
        }
        let place = lines.next().context("a function without a place")?;
        let (place, _column) = place.rsplit_once(':').context("a place without a column")?;
        frames.push(frame(function, place));
    }
    ensure!(answers.len() == addresses, "{} answers for {addresses} addresses", answers.len());
    Ok(answers)
}

/// Reads what `addr2line -a -f -i` prints: a line for the address, then for each frame one for the
/// function and one for the place, which may end with a discriminator.
pub fn read_addr2line(text: &str, addresses: usize) -> Result<Answers> {
    let mut answers: Answers = Vec::with_capacity(addresses);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            answers.push(Vec::new());
            continue;
        }
        let frames = answers.last_mut().context("a function without an address")?;
        let place = lines.next().context("a function without a place")?;
        let place = place.split(" (discriminator").next().unwrap_or(place);
        frames.push(frame(line, &place.replace(":?", ":0")));
    }
    ensure!(answers.len() == addresses, "{} answers for {addresses} addresses", answers.len());
    Ok(answers)
}

fn frame(function: &str, place: &str) -> Frame {
    Frame { function: without_marks(function).to_owned(), place: without_dots(place) }
}

/// A linkage name without the marks of clones.
fn without_marks(symbol: &str) -> &str {
    symbol.find(".llvm.").map_or(symbol, |at| &symbol[..at])
}

/// A path without `.` and `..`, by its text.
fn without_dots(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/') {
        match name {
            "." => {}
            ".." => drop(names.pop()),
            _ => names.push(name),
        }
    }
    names.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let llvm = "f.llvm.17\n/a/b/../c.rs:3:9\ng\n/a/d.rs:4:1\n\n??\n??:0:0\n\n";
        let binutils = "0x0000000000001000\nf\n/a/./c.rs:3 (discriminator 2)\ng\n/a/d.rs:4\n\
                        0x0000000000002000\n??\n??:0\n";
        let answers = read(llvm, 2).unwrap();
        assert_eq!(answers[0][0], frame("f", "/a/c.rs:3"));
        assert_eq!(answers, read_addr2line(binutils, 2).unwrap());
        assert!(read(llvm, 3).is_err());
    }

    #[test]
    fn agreement_is_a_share() {
        let ours = vec![vec![frame("f", "a:1"), frame("g", "b:2")], vec![frame("h", "c:3")]];
        let mut theirs = ours.clone();
        assert_eq!(Agreement::of(&ours, &theirs).all, 1.0);
        theirs[0][1] = frame("other", "b:2");
        let agreement = Agreement::of(&ours, &theirs);
        assert_eq!((agreement.all, agreement.innermost, agreement.places), (0.5, 1.0, 1.0));
        assert_eq!(agreement.examples.len(), 1);
        theirs[1][0] = frame("h", "c:4");
        let agreement = Agreement::of(&ours, &theirs);
        assert_eq!((agreement.all, agreement.innermost, agreement.places), (0.0, 0.5, 0.5));
    }
}
