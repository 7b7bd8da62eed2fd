//! Whatever is pressed: no panic, and the focus is a moment of the trace.

use crossterm::event::{KeyCode, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use scope_model::{CallEnd, Event, EventKind};
use scope_tui::keys::{Key, Keymap};

use crate::harness::{
    PID, START_NS, Stage, Stored, enter, event, leave, leave_as, off, on, server, start, stored,
};

#[derive(Clone, Debug)]
enum Input {
    Key(Key),
    Text(&'static str),
    Mouse(MouseEventKind, u16, u16),
    Resize(u16, u16),
    /// Until here, and no further back, answers are awaited.
    Answers,
}

fn input() -> impl Strategy<Value = Input> {
    let map = Keymap::default();
    let keys: Vec<Key> = map
        .rows()
        .flat_map(|(_, keys)| keys.to_vec())
        .chain("abc059:/%*\u{89e3}".chars().map(Key::char))
        .chain([Key::plain(KeyCode::Backspace), Key::plain(KeyCode::Null)])
        .collect();
    let texts = vec![
        "37%",
        "call 4",
        "event 999999",
        "1.5ms",
        "-1s",
        "thread 101",
        "find kind=gap",
        "@x",
        "q",
        "duration>1us",
        "break function=send",
        "mark x y",
        "sql select 1",
        "sql nonsense",
        "pause",
        "stop",
        "function=\"",
        "end",
        "\u{301}",
    ];
    let mouse = prop_oneof![
        Just(MouseEventKind::Down(MouseButton::Left)),
        Just(MouseEventKind::Drag(MouseButton::Left)),
        Just(MouseEventKind::Up(MouseButton::Left)),
        Just(MouseEventKind::ScrollUp),
        Just(MouseEventKind::ScrollDown),
    ];
    prop_oneof![
        12 => prop::sample::select(keys).prop_map(Input::Key),
        2 => prop::sample::select(texts).prop_map(Input::Text),
        2 => (mouse, 0_u16..130, 0_u16..50).prop_map(|(kind, x, y)| Input::Mouse(kind, x, y)),
        8 => Just(Input::Answers),
        1 => (0_u16..200, 0_u16..60).prop_map(|(columns, rows)| Input::Resize(columns, rows)),
    ]
}

/// Three threads that call, wait, lose events and end.
fn busy() -> Vec<Event> {
    let mut events = server();
    let mut t_us = 9_001;
    for round in 0..20 {
        for tid in [PID, 102, 103] {
            if round == 0 && tid != PID {
                events.push(start(t_us, tid, "w\u{e9}"));
            }
            events.push(on(t_us, tid));
            events.push(enter(t_us + 1, tid, round % 5));
            events.push(enter(t_us + 1, tid, 4));
            events.push(leave(t_us + 2, tid, 4));
            if round == 7 {
                let until_ns = START_NS + (t_us + 3) * 1_000;
                events.push(event(
                    t_us + 2,
                    tid,
                    EventKind::Gap { until_ns, entries: 1, exits: 1, others: 1 },
                ));
            }
            if round != 9 {
                events.push(leave_as(
                    t_us + 3,
                    tid,
                    round % 5,
                    if round == 7 { CallEnd::Lost } else { CallEnd::Returned },
                ));
            }
            events.push(off(t_us + 4, tid, round % 2));
            t_us += 5;
        }
    }
    events.push(event(t_us, 102, EventKind::ThreadExit { code: 0, last: false }));
    events
}

fn check(stored: &Stored, inputs: &[Input]) {
    let mut stage = Stage::new(stored);
    stage.model.with_queries();
    if !stage.model.facts.complete {
        stage.model.with_recorder();
    }
    for input in inputs {
        match input {
            Input::Key(key) => stage.model.key(*key),
            Input::Text(text) => text.chars().for_each(|c| stage.model.key(Key::char(c))),
            Input::Mouse(kind, column, row) => stage.model.mouse(MouseEvent {
                kind: *kind,
                column: *column,
                row: *row,
                modifiers: KeyModifiers::NONE,
            }),
            Input::Resize(columns, rows) => stage.model.resize(*columns, *rows),
            Input::Answers => crate::queries::answer(&mut stage),
        }
        stage.screen();
        let (facts, focus) = (&stage.model.facts, stage.model.focus);
        assert!((facts.first..=facts.end).contains(&focus.moment), "{focus:?}");
        assert!((facts.start_ns..=facts.end_ns).contains(&focus.time_ns), "{focus:?}");
        assert!(stage.model.range.start_ns < stage.model.range.end_ns);
        let thread = stage.model.current_tree().and_then(|tree| tree.thread.as_ref());
        let depth = thread.map_or(usize::MAX, |thread| thread.stack.len());
        assert!(focus.frame == 0 || focus.frame < depth, "{focus:?} of {depth}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_input_leaves_a_valid_focus(inputs in prop::collection::vec(input(), 1..60)) {
        check(&stored(&busy()), &inputs);
    }

    /// As above, while a recorder in this process adds to the trace.
    #[test]
    fn any_input_while_it_is_recorded(inputs in prop::collection::vec(input(), 1..40)) {
        check(&crate::live::recording(), &inputs);
    }

    #[test]
    fn any_input_on_an_empty_trace(inputs in prop::collection::vec(input(), 1..30)) {
        check(&stored(&[]), &inputs);
    }

    /// Next and previous undo each other wherever a step was made; so do into and back into on the
    /// stops that they lead to.
    #[test]
    fn a_step_and_its_twin_return(share in 0_u32..100, into in any::<bool>()) {
        let stored = stored(&busy());
        let mut stage = Stage::new(&stored);
        stage.press(":").type_in(&format!("{share}%"));
        let (step, twin) = if into { ("s", "S") } else { (".", ",") };
        // Onto a stop first.
        stage.press(step);
        let before = stage.model.focus;
        stage.press(step);
        if stage.model.focus.moment != before.moment {
            stage.press(twin);
            prop_assert_eq!(stage.model.focus.moment, before.moment);
        }
    }
}
