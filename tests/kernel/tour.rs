//! docs/tour.md, walked: its keys are pressed on a recording of the demo, and what it shows must be on
//! the screen. Both are read from the page, so that it says what is so.
//!
//! `<kbd>…</kbd>` is a key by its name, or a text that is typed; in a block of `screen`, each line must be
//! on one line of the screen with all its words; those with digits differ from one recording to the next
//! and are not compared. A block of `sh` is typed into the shell, with the paths of the test.

use scope_tests::terminal::{Terminal, User};
use scope_tests::{require_root, require_tmux, scope_binary};

use super::harness::{alone, scope};
use super::terminal::Demo;

const PAGE: &str = include_str!("../../docs/tour.md");

/// What the page says to do, and to see.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Shell(String),
    Press(String),
    See(Vec<String>),
}

fn steps(page: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            let block: Vec<String> = lines
                .by_ref()
                .take_while(|line| line.trim() != "```")
                .map(|line| line.trim().to_owned())
                .collect();
            match language {
                "sh" => steps.extend(block.into_iter().map(Step::Shell)),
                "screen" => steps.push(Step::See(block)),
                _ => panic!("a block of {language:?} is neither typed nor seen"),
            }
        }
        let keys = line.split("<kbd>").skip(1).filter_map(|rest| rest.split("</kbd>").next());
        let plain = |key: &str| key.replace("&lt;", "<").replace("&gt;", ">");
        steps.extend(keys.map(|key| Step::Press(plain(key))));
    }
    steps
}

/// Words of a line that are the same in every recording.
fn words(line: &str) -> Vec<&str> {
    let same = |word: &&str| {
        let cut_off = word.contains('…');
        word.chars().any(char::is_alphanumeric)
            && !word.contains(|c: char| c.is_ascii_digit())
            && !cut_off
    };
    line.split_whitespace().filter(same).collect()
}

fn shows(screen: &str, line: &str) -> bool {
    let words = words(line);
    screen.lines().any(|row| words.iter().all(|word| row.contains(word)))
}

#[test]
fn the_page_is_read_as_it_is_meant() {
    let page =
        "Press <kbd>n</kbd> or <kbd>a&lt;b</kbd>:\n\n```screen\n  a 12  b\n```\n```sh\nls\n```\n";
    let see = Step::See(vec!["a 12  b".to_owned()]);
    let press = |text: &str| Step::Press(text.to_owned());
    assert_eq!(steps(page), [press("n"), press("a<b"), see, Step::Shell("ls".to_owned())]);
    assert!(shows("x\nb 7 a", "a 12 b"));
    assert!(!shows("a\nb", "a 12 b"), "they are on two lines");
}

#[test]
fn the_tour_can_be_walked_with_two_panes_and_with_one() {
    require_root!();
    require_tmux!();
    let _turn = alone();
    let steps = steps(PAGE);
    let seen = steps.iter().filter(|step| matches!(step, Step::See(_))).count();
    assert!(seen >= 6, "the page shows {seen} screens");
    let mut demo = Demo::start();
    let (program, trace) = (scope_binary().display().to_string(), demo.trace());
    let (pid, path) = (demo.pid().to_string(), trace.display().to_string());
    // As `cargo xtask demo` does.
    scope(&["trace", &pid, "--no-tui", "--quiet", "--duration", "2s", "--output", &path]);
    demo.stop();
    for size in [(170, 44), (100, 30)] {
        walk(&steps, &program, &path, size);
        // The next walk begins anew.
        std::fs::remove_dir_all(trace.join("sessions")).expect("the session was kept");
        scope(&["bookmark", &path, "--remove", "too-long"]);
    }
}

fn walk(steps: &[Step], program: &str, trace: &str, size: (u16, u16)) {
    let terminal = Terminal::new(User::Same, size);
    for step in steps {
        match step {
            Step::Shell(line) if line == "cargo xtask demo" => {}
            Step::Shell(line) => {
                terminal.until_it("the shell", |screen| screen.trim_end().ends_with('$'));
                let line = line.replace("target/release/scope", program);
                terminal.run(&line.replace("target/demo.scope", trace));
            }
            Step::Press(key) if ["Enter", "Escape"].contains(&key.as_str()) => {
                terminal.keys(&[key]);
            }
            Step::Press(text) => terminal.type_text(text),
            Step::See(lines) => {
                for line in lines.iter().filter(|line| !words(line).is_empty()) {
                    terminal.until_it(line, |screen| shows(screen, line));
                }
            }
        }
    }
}
