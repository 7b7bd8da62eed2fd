//! What is meant to be reached, beside what was measured.

use super::results::Results;
use super::table::{aligned, short};

/// A goal for a number.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

/// Adds a table of goals to the results. It judges nothing: on a busy machine, or with less to
/// do, they say little.
pub fn show(shows: &str, goals: &[(&str, Goal)], results: &mut Results) {
    let mut rows = vec![["", "measured", "goal", ""].map(str::to_owned).to_vec()];
    for (name, goal) in goals {
        let measured = results.get(name);
        let (goal, met) = match *goal {
            Goal::AtLeast(least) => {
                (format!("≥ {}", short(least)), measured.map(|value| value >= least))
            }
            Goal::AtMost(most) => {
                (format!("≤ {}", short(most)), measured.map(|value| value <= most))
            }
        };
        let verdict = match met {
            Some(true) => "",
            Some(false) => "missed",
            None => "not run",
        };
        let measured = measured.map(short).unwrap_or_default();
        rows.push(vec![(*name).to_owned(), measured, goal, verdict.to_owned()]);
    }
    results.table(shows.to_owned(), aligned(&rows));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_goal_is_named_and_so_is_one_that_was_not_tried() {
        let mut results = Results::default();
        results.number("fast", 0.5);
        results.number("slow", 9.0);
        let goals = [
            ("fast", Goal::AtMost(1.0)),
            ("slow", Goal::AtMost(1.0)),
            ("many", Goal::AtLeast(2.0)),
        ];
        show("goals", &goals, &mut results);
        let text = results.to_string();
        let of = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.trim_end().to_owned()
        };
        assert!(of("fast").ends_with("≤ 1.00"), "{text}");
        assert!(of("slow").ends_with("missed"), "{text}");
        assert!(of("many").ends_with("not run"), "{text}");
    }
}
