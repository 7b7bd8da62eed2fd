//! `scope replay` on terminals of all sizes.

use scope_tests::terminal::{Terminal, User};
use scope_tests::{require_tmux, scope_binary};

use crate::harness::{Sample, everything};

fn replay(terminal: &Terminal, sample: &Sample) {
    let trace = sample.path();
    terminal.run(&format!("{} replay --session me {}", scope_binary().display(), trace.display()));
    terminal.rest("all of the screen", is_whole);
}

fn is_whole(screen: &str) -> bool {
    screen.contains("of 28 events") && screen.contains("quit") && !screen.contains("reading")
}

/// Columns of the longest line.
fn width(screen: &str) -> usize {
    screen.lines().map(|line| line.chars().count()).max().unwrap_or(0)
}

#[test]
fn a_small_and_a_large_terminal_are_filled() {
    require_tmux!();
    for size in [(80, 24), (300, 80)] {
        let sample = Sample::new(&everything());
        let terminal = Terminal::new(User::Same, size);
        replay(&terminal, &sample);
        terminal.keys(&["s", "n"]);
        let screen = terminal.rest("a step", |screen| screen.contains("0.000700000s"));
        assert_eq!(width(&screen), usize::from(size.0), "{screen}");
        assert_eq!(screen.lines().count(), usize::from(size.1), "{screen}");
        let last = screen.lines().last().unwrap_or_default();
        assert!(last.starts_with("? help  q quit"), "{screen}");
        terminal.keys(&["q"]);
        terminal.until("$");
    }
}

#[test]
fn a_window_that_becomes_tiny_and_large_again_shows_the_same() {
    require_tmux!();
    let sample = Sample::new(&everything());
    let terminal = Terminal::new(User::Same, (132, 40));
    replay(&terminal, &sample);
    terminal.keys(&["s", "n"]);
    let before = terminal.rest("a step", |screen| screen.contains("0.000700000s"));
    terminal.resize((20, 5));
    terminal.until_it("a note", |screen| screen.trim() == "too small");
    // Keys go on working.
    terminal.keys(&["n", "N"]);
    terminal.resize((132, 40));
    let after = terminal.rest("the same screen", |screen| screen.contains("0.000700000s"));
    assert_eq!(after, before);
    terminal.keys(&["q"]);
    terminal.until("$");
}
