//! Function by function: ours, theirs, and what explains the difference.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt::Write as _;

use scope_source::{AstId, Cfg, Function, FunctionKind, Language, SourceFile};

use crate::Drawn;
use crate::classes::{Habits, astray};

/// One function as a tool reports it.
pub struct TheirFunction {
    /// Its first line.
    pub start: u32,
    /// Its name, maybe with what it is in before it.
    pub name: String,
    /// Cyclomatic complexity.
    pub cyclomatic: u32,
}

/// A tool's functions by file.
pub type Theirs = HashMap<String, Vec<TheirFunction>>;

/// How a tool counts.
pub struct Rules {
    /// Closures count into the function around them.
    pub closures_inside: fn(&Language) -> bool,
    /// What it counts in a function beyond decisions, negative for decisions it does not count.
    pub habits: fn(&SourceFile, AstId, &Cfg) -> Habits,
}

/// The functions of a project beside a tool's.
#[derive(Default)]
pub struct Comparison {
    both: u32,
    equal: u32,
    explained: u32,
    broken: u32,
    unknown: u32,
    /// Functions by the habits that their difference is made of.
    by_class: BTreeMap<&'static str, u32>,
    /// Of the unexplained ones, those with a construct that misleads the tool.
    astray: BTreeMap<&'static str, u32>,
    /// Those with a difference that nothing explains.
    pub unexplained: Vec<String>,
}

impl Comparison {
    /// The head of the table of [`Self::row`].
    pub const HEAD: &'static str =
        "| sources | functions | equal | equal or explained | differ by \
                                    | left out |
|---|---|---|---|---|---|";

    pub fn of(drawn: &[Drawn], theirs: &Theirs, rules: &Rules) -> Self {
        let mut this = Self::default();
        for one in drawn {
            let Some(theirs) = theirs.get(&one.path) else { continue };
            let inside = (rules.closures_inside)(one.file.language());
            let sums = sums(one, inside);
            let mut taken = vec![false; sums.len()];
            for their in theirs {
                let same = |(index, function): &(usize, &Function)| {
                    !taken[*index] && is_same(function, their)
                };
                let found = one.file.functions().iter().enumerate().find(same);
                let Some((index, function)) = found else {
                    this.unknown += 1;
                    continue;
                };
                taken[index] = true;
                this.compare(one, (index, function, sums[index]), their, rules);
            }
        }
        this
    }

    fn compare(
        &mut self,
        one: &Drawn,
        (index, function, ours): (usize, &Function, u32),
        their: &TheirFunction,
        rules: &Rules,
    ) {
        let mut inside = one.file.ast().descendants(function.body.unwrap_or(function.node));
        if inside.any(|node| one.file.kind_of(node) == "ERROR") {
            self.broken += 1;
            return;
        }
        self.both += 1;
        if ours == their.cyclomatic {
            self.equal += 1;
            return;
        }
        let habits = (rules.habits)(&one.file, function.node, &one.graphs[index]);
        let difference = i64::from(their.cyclomatic) - i64::from(ours);
        if habits.values().sum::<i64>() == difference {
            self.explained += 1;
            for class in habits.keys() {
                *self.by_class.entry(class).or_default() += 1;
            }
            return;
        }
        if let Some(why) = astray(&one.file, function.node) {
            *self.astray.entry(why).or_default() += 1;
        }
        self.unexplained.push(format!(
            "{}:{} {}: {ours} here, {} there, {habits:?}",
            one.path, their.start, their.name, their.cyclomatic
        ));
    }

    /// Share of functions that are equal or whose difference is explained.
    pub fn explained_share(&self) -> f64 {
        f64::from(self.equal + self.explained) / f64::from(self.both.max(1))
    }

    /// A row of a table in Markdown.
    pub fn row(&self, name: &str) -> String {
        let percent = |part: u32| 100.0 * f64::from(part) / f64::from(self.both.max(1));
        let mut row = format!(
            "| {name} | {} | {:.1} % | {:.1} % | ",
            self.both,
            percent(self.equal),
            percent(self.equal + self.explained)
        );
        let mut classes: Vec<_> = self.by_class.iter().collect();
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (class, count) in classes {
            let _ = write!(row, "{class} {count}, ");
        }
        for (why, count) in &self.astray {
            let _ = write!(row, "({why} {count}), ");
        }
        let _ = write!(
            row,
            "unexplained {} | {} with syntax errors, {} unknown |",
            self.unexplained.len(),
            self.broken,
            self.unknown
        );
        row
    }
}

fn is_same(function: &Function, their: &TheirFunction) -> bool {
    let from = function.attributes_at.line.min(function.span.start.line);
    crate::is_compared(function)
        && (from..=function.name_at.line).contains(&their.start)
        && their.name.ends_with(&*function.name)
}

/// Cyclomatic complexity by function, closures and async blocks in those they are written in
/// where the tool has it so; async blocks always.
fn sums(one: &Drawn, closures_inside: bool) -> Vec<u32> {
    let mut sums: Vec<u32> = one.graphs.iter().map(Cfg::cyclomatic).collect();
    for (index, function) in one.file.functions().iter().enumerate().rev() {
        let inside = closures_inside || one.file.kind_of(function.node) == "async_block";
        if let Some(parent) =
            function.parent.filter(|_| function.kind == FunctionKind::Closure && inside)
        {
            sums[parent as usize] += sums[index] - 1;
        }
    }
    sums
}
