//! What is on the screen: pane by pane, in many sizes and with strange traces.

use insta::assert_snapshot;
use scope_model::{CallEnd, EventKind, FunctionId, Tid};
use scope_timeline::SiteProfile;
use scope_tui::query::Facts;
use scope_tui::source::{Highlight, LeftAt, LineCost, SourceText, SourceView, Span, Token};
use scope_tui::theme::{Colours, Theme};

use crate::harness::{
    PID, PLAIN, Stage, enter, event, leave, leave_as, on, server, start, stored, stored_with,
};

#[test]
fn calls_in_the_middle_of_a_call() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("6.45ms");
    assert_snapshot!(stage.screen());
}

#[test]
fn calls_of_a_caller() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("call 4").press("u u");
    assert_snapshot!(stage.screen());
}

#[test]
fn states_while_a_thread_waits() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("3 :").type_in("3ms");
    assert_snapshot!(stage.screen());
}

#[test]
fn a_wake_up_is_an_arrow_between_two_lanes() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("5.2ms");
    assert!(stage.line(2).contains('▲') && stage.line(3).contains('●'), "{}", stage.screen());
    stage.press("3");
    assert!(
        stage.screen().contains("runnable    200us in read woken by helper 101"),
        "{}",
        stage.screen()
    );
}

#[test]
fn functions_and_their_histogram() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("4");
    assert_snapshot!(stage.screen());
    stage.press("< r");
    assert!(stage.line(15).contains("send"), "{}", stage.screen());
}

#[test]
fn executions_slowest_first() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("4 j enter");
    assert_snapshot!(stage.screen());
}

#[test]
fn marks_and_breakpoints() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("call 4").press("b B").type_in("duration>1ms");
    stage.press("m").type_in("parse here it parses").press("c C 5 j j space");
    assert_snapshot!(stage.screen());
}

#[test]
fn a_wide_screen_has_two_panes() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored).sized(300, 80);
    stage.press("3 :").type_in("5.2ms");
    assert_snapshot!(stage.screen());
}

#[test]
fn find_lists_the_best_first() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("/ s e r p");
    assert_snapshot!(stage.screen());
}

#[test]
fn help_is_the_table_of_keys() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("?");
    assert_snapshot!(stage.screen());
    stage.press("pagedown pagedown pagedown pagedown pagedown pagedown pagedown");
    assert!(stage.screen().contains(":find CONDITION"), "{}", stage.screen());
}

#[test]
fn an_empty_trace() {
    let stored = stored(&[]);
    let mut stage = Stage::new(&stored);
    assert_snapshot!(stage.screen());
    stage.press("n N s f c 2 3 4 5 enter ? esc G g + - z 0");
    assert_eq!(stage.model.focus.moment, 0);
}

#[test]
fn gaps_are_hatched_and_said() {
    let mut events = server();
    events.retain(|event| event.time_ns < crate::harness::START_NS + 600_000);
    events.push(enter(600, PID, 1));
    let until_ns = crate::harness::START_NS + 4_000_000;
    events.push(event(2_000, PID, EventKind::Gap { until_ns, entries: 7, exits: 7, others: 0 }));
    events.push(leave_as(5_000, PID, 1, CallEnd::Lost));
    events.push(enter(6_000, PID, 4));
    events.push(leave(6_100, PID, 4));
    let stored = stored(&events);
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("1ms").press("n");
    assert_snapshot!(stage.screen());
    assert!(stage.line(0).contains("14 lost"), "{}", stage.line(0));
}

#[test]
fn without_colours_glyphs_and_attributes_are_left() {
    let stored = stored(&server());
    let theme = Theme { colours: Colours::None, ..PLAIN };
    let mut stage = Stage::with(&stored, theme);
    stage.press(":").type_in("3ms");
    assert_snapshot!(stage.screen());
    let buffer = stage.buffer();
    for cell in buffer.content() {
        let colours = (cell.fg, cell.bg);
        assert_eq!(colours, (ratatui::style::Color::Reset, ratatui::style::Color::Reset));
    }
}

#[test]
fn the_same_state_has_its_colour_in_every_theme() {
    use ratatui::style::Color;
    let stored = stored(&server());
    for (colours, light, running, blocked) in [
        (Colours::Sixteen, false, Color::Green, Color::Blue),
        (Colours::Indexed, false, Color::Indexed(78), Color::Indexed(68)),
        (Colours::True, false, Color::Rgb(0x5f, 0xd7, 0x87), Color::Rgb(0x5f, 0x87, 0xd7)),
        (Colours::Indexed, true, Color::Indexed(28), Color::Indexed(25)),
    ] {
        let stage = Stage::with(&stored, Theme { colours, light, ascii: false });
        let buffer = stage.buffer();
        let lane = stage.model.regions().lanes;
        let cell = |column: u16| &buffer[(lane.x + column, lane.y)];
        assert_eq!((cell(2).symbol(), cell(2).fg), ("█", running));
        assert_eq!((cell(12).symbol(), cell(12).fg), ("─", blocked));
    }
}

#[test]
fn ascii_alone() {
    let stored = stored(&server());
    let theme = Theme { ascii: true, colours: Colours::None, ..PLAIN };
    let mut stage = Stage::with(&stored, theme);
    for pane in ["1", "2", "3", "4", "5", "?"] {
        stage.press(pane);
        assert!(stage.screen().is_ascii(), "{}", stage.screen());
    }
    stage.press("esc 1 :").type_in("5.2ms");
    assert!(stage.screen().is_ascii());
    assert_snapshot!(stage.screen());
}

#[test]
fn one_thread_and_names_of_300_characters() {
    let long: String =
        "namespace::".chars().cycle().take(296).chain("::end".chars().skip(1)).collect();
    let wide = "解析器::分析".repeat(30);
    let names = ["main", &long, &wide];
    let events = [
        start(0, PID, "server"),
        on(5, PID),
        enter(10, PID, 0),
        enter(1_000, PID, 1),
        enter(2_000, PID, 2),
        leave(8_000, PID, 2),
        leave(9_000, PID, 1),
        leave(9_500, PID, 0),
    ];
    let stored = stored_with(&events, &names, 10_000);
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("3ms");
    assert_snapshot!(stage.screen());
    for pane in ["2", "3", "4"] {
        stage.press(pane);
        stage.screen();
    }
}

#[test]
fn names_that_would_drive_the_terminal_do_not() {
    let names = ["main\x1b[2J\r\n\u{202e}evil"];
    let events = [start(0, PID, "a\x1bb"), on(5, PID), enter(10, PID, 0), leave(9_000, PID, 0)];
    let stored = stored_with(&events, &names, 10_000);
    let mut stage = Stage::new(&stored);
    for pane in ["1", "2", "3", "4", "/"] {
        stage.press(pane);
        let screen = stage.screen();
        assert!(
            !screen.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'),
            "{screen:?}"
        );
    }
}

/// Five hundred threads, each with one call.
#[test]
fn many_threads_scroll_with_the_focus() {
    let mut events = vec![start(0, PID, "server"), on(1, PID), enter(2, PID, 0)];
    for tid in 101..600 {
        let at = u64::from(tid);
        events.push(start(at, tid, &format!("worker-{tid}")));
        events.push(on(at + 1, tid));
        events.push(enter(at + 2, tid, 1));
        events.push(leave(at + 3, tid, 1));
    }
    events.sort_by_key(|event| event.time_ns);
    let stored = stored_with(&events, &crate::harness::NAMES, 1_000);
    let mut stage = Stage::new(&stored).sized(100, 40);
    stage.press("3 :").type_in("thread 450").press("G");
    assert_eq!(stage.model.focus.tid, Some(Tid(450)));
    assert_snapshot!(stage.screen());
}

struct Sources;

impl SourceView for Sources {
    fn text(
        &self,
        _: &Facts,
        function: FunctionId,
        left_at: Option<&LeftAt>,
    ) -> Result<SourceText, String> {
        let lines = [
            "fn handle(request: &str) {",
            "\tlet parsed = parse(request);",
            "    send(parsed) // 解析",
            "}",
        ];
        let span = |line, start, end| Span { line, start, end };
        let text = (function == FunctionId(1)).then(|| SourceText {
            file: "src/server.rs".to_owned(),
            first_line: 20,
            lines: lines.map(str::to_owned).to_vec(),
            highlights: vec![Highlight { span: span(0, 0, 2), token: Token::Keyword }],
            node: left_at.map(|_| span(1, 14, 28)),
            note: Some("not the text that was compiled".to_owned()),
            at: 0,
        });
        text.ok_or_else(|| "the trace has no tables of the module".to_owned())
    }

    fn costs(&self, _: &Facts, function: FunctionId, sites: &[SiteProfile]) -> Vec<LineCost> {
        let from = |site: &&SiteProfile| site.caller == Some(function) && site.function.0 == 4;
        let line = |site: &SiteProfile| LineCost {
            line: 22,
            calls: site.calls,
            total_ns: site.total_ns,
            p99_ns: site.durations.quantile_ns(0.99),
            sites: vec![(site.function, site.return_address)],
        };
        sites.iter().filter(from).map(line).collect()
    }
}

#[test]
fn the_source_of_the_focused_call() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.sources(Sources);
    stage.press(":").type_in("call 4").press("u 2");
    assert_snapshot!(stage.screen());
    // From the line that sends: the calls that were made there, the slowest first.
    stage.press("j enter");
    assert!(stage.screen().contains("calls of send from server.rs:22: 5"), "{}", stage.screen());
    assert!(stage.screen().contains("40.0us  at 0.006600000s"), "{}", stage.screen());
    stage.press("esc 2 k enter");
    assert!(
        stage.said().contains("no recorded call was made from server.rs:21"),
        "{}",
        stage.said()
    );
    stage.press("u");
    let why = "no source: the trace has no tables of the module";
    assert!(stage.screen().contains(why), "{}", stage.screen());
    assert!(stage.screen().contains("declared in src/server.rs:10"));
}

#[test]
fn every_size_is_drawn() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("3ms");
    for (columns, rows) in
        (0..60).map(|n| (n * 3, n)).chain([(300, 80), (500, 3), (5, 200), (65_535, 10)])
    {
        if u32::from(columns) * u32::from(rows) > 60_000 {
            continue;
        }
        stage.model.resize(columns, rows);
        stage.settle();
        for pane in ["1", "2", "3", "4", "5", "?"] {
            stage.press(pane);
            stage.screen();
        }
        stage.press("esc");
    }
}

#[test]
fn names_of_functions_keep_room() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored).sized(58, 24);
    stage.press("4");
    let screen = stage.screen();
    assert!(screen.contains("server::handle") && !screen.contains("p50"), "{screen}");
    // What they are sorted by stays.
    stage.press("> >");
    assert!(stage.screen().contains("p50"), "{}", stage.screen());
}

#[test]
fn thousands_of_gaps_hatch_all_that_they_touch() {
    let mut events = vec![start(0, PID, "server"), on(1, PID), enter(2, PID, 0)];
    for gap in 0..5_000 {
        let t_us = 10 + 2 * gap;
        let until_ns = crate::harness::START_NS + (t_us + 1) * 1_000;
        let tid = if gap % 2 == 0 { PID } else { 0 };
        events.push(event(t_us, tid, EventKind::Gap { until_ns, entries: 1, exits: 1, others: 0 }));
    }
    let stored = stored(&events);
    let stage = Stage::new(&stored).sized(200, 60);
    let lane = stage.line(2);
    assert_eq!(
        lane.chars().filter(|c| *c == '╱').count(),
        usize::from(stage.model.regions().lanes.width),
        "{lane}"
    );
}
