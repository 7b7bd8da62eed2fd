//! A recording that goes on: what its recorder tells is shown, and what it can be told.

use scope_model::FunctionId;
use scope_store::{Health, HealthNote, HealthSample, Trace};
use scope_tui::control::Order;
use scope_tui::model::Effect;

use crate::harness::{NAMES, START_NS, Stage, Stored, server, stored, writer};

/// A recording that goes on, with what its recorder told so far.
pub(crate) fn recording() -> Stored {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample.scope");
    let mut writer = writer(&path, &NAMES);
    writer.append(&server()).unwrap();
    writer.commit().unwrap();
    let mut health = Health { rings: 2, ring_bytes: 8 << 20, ..Health::default() };
    for second in 0..12_u64 {
        health.push(HealthSample {
            time_ns: START_NS + second * 1_000_000_000,
            events: second * second * 10_000,
            lost: second / 10 * 77,
            dropped: 0,
            bytes: second * (3 << 20),
            cpu_ns: second * 25_000_000,
            ring_fill: (second * 15) as u32,
            hot_segments: 1,
            max_hot_segments: 8,
        });
    }
    for (time_ms, text, paused) in [(2_500, "paused", true), (3_000, "recording again", false)] {
        let (time_ns, text) = (START_NS + time_ms * 1_000_000, text.to_owned());
        health.note(HealthNote { time_ns, text, paused: Some(paused) });
    }
    health.write(&path).unwrap();
    Stored::at(path, folder)
}

#[test]
fn a_pause_is_hatched() {
    let stored = stored(&server());
    let mut health = Health::default();
    for (time_us, paused) in [(1_000, true), (2_000, false)] {
        let (time_ns, text) = (START_NS + time_us * 1_000, String::new());
        health.note(HealthNote { time_ns, text, paused: Some(paused) });
    }
    health.write(&stored.path).unwrap();
    let mut stage = Stage::new(&stored);
    insta::assert_snapshot!(stage.screen());
    // Only a part of it, and that alone.
    stage.press(":").type_in("1500us").press("+").press("+").press("+").press("+");
    let ruler = stage.line(1);
    assert!(ruler.contains('╲') && !stage.line(2).contains('╲'), "{}", stage.screen());
    let ascii = scope_tui::theme::Theme { ascii: true, ..crate::harness::PLAIN };
    let stage = Stage::with(&stored, ascii);
    assert!(stage.line(1).contains('\\') && !stage.screen().contains('╲'), "{}", stage.screen());
}

fn live(stored: &Stored) -> Stage {
    let mut stage = Stage::new(stored);
    stage.model.with_recorder();
    stage
}

#[test]
fn what_the_recorder_tells_is_on_the_screen() {
    let stored = recording();
    let mut stage = live(&stored);
    stage.press("7");
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn what_the_recorder_tells_on_a_wide_screen_without_colours() {
    let stored = recording();
    let theme = scope_tui::theme::Theme {
        colours: scope_tui::theme::Colours::None,
        ..crate::harness::PLAIN
    };
    let mut stage = Stage::with(&stored, theme).sized(200, 60);
    stage.press("7");
    insta::assert_snapshot!(stage.screen());
}

#[test]
fn what_the_recorder_tells_changes_where_no_event_comes() {
    let stored = recording();
    let mut stage = live(&stored);
    stage.press("7");
    let mut health = Trace::open(&stored.path).unwrap().health().unwrap().unwrap();
    let last = *health.samples.last().unwrap();
    health.push(HealthSample { time_ns: last.time_ns + 1_000_000_000, lost: 4_321, ..last });
    health.write(&stored.path).unwrap();
    stage.settle();
    assert!(!stage.screen().contains("4,321"), "{}", stage.screen());
    stage.model.beat();
    stage.settle();
    assert!(stage.screen().contains("4,321"), "{}", stage.screen());
}

#[test]
fn a_pause_is_ordered_shown_and_ended() {
    let stored = recording();
    let mut stage = live(&stored);
    stage.press("p");
    assert!(stage.line(0).contains("PAUSED"), "{}", stage.line(0));
    stage.press("p");
    assert!(!stage.line(0).contains("PAUSED"), "{}", stage.line(0));
    let orders = [Effect::Recorder(Order::Pause), Effect::Recorder(Order::Resume)];
    assert_eq!(stage.effects, orders);
}

#[test]
fn a_function_is_not_recorded_until_it_is_again() {
    let stored = recording();
    let mut stage = live(&stored);
    stage.press("4");
    let function = stage.model.focused_function().unwrap();
    stage.press("space");
    assert!(stage.screen().contains("(not recorded)"), "{}", stage.screen());
    stage.press("space");
    assert!(!stage.screen().contains("(not recorded)"), "{}", stage.screen());
    let orders = [Order::Disable(function), Order::Enable(function)].map(Effect::Recorder);
    assert_eq!(stage.effects, orders);
}

#[test]
fn what_the_recorder_refuses_is_said_and_not_shown_as_done() {
    let stored = recording();
    let mut stage = live(&stored);
    stage.press("p");
    stage.model.refused(Order::Pause, "the kernel refuses");
    assert_eq!(stage.said(), "the kernel refuses");
    assert!(!stage.line(0).contains("PAUSED"), "{}", stage.line(0));
    let function = FunctionId(1);
    stage.model.refused(Order::Disable(function), "the kernel refuses");
    assert!(!stage.model.is_disabled(function));
}

#[test]
fn leaving_a_recording_ends_it_only_when_asked_twice() {
    let stored = recording();
    let mut stage = live(&stored);
    stage.press("q");
    assert_eq!(stage.said(), "q again ends the recording; D leaves it running");
    // Something else was meant meanwhile.
    stage.press("1 q");
    assert_eq!(stage.effects, []);
    stage.press("q");
    assert_eq!(stage.effects, [Effect::Quit]);
    let mut stage = live(&stored);
    stage.press("D");
    assert_eq!(stage.effects, [Effect::Detach]);
    let mut stage = live(&stored);
    stage.press("X");
    assert!(stage.line(0).contains("ending"), "{}", stage.line(0));
    stage.press("q");
    assert_eq!(stage.effects, [Effect::Recorder(Order::Stop), Effect::Quit]);
}

#[test]
fn who_only_looks_steers_nothing() {
    let stored = recording();
    let mut stage = Stage::new(&stored);
    stage.press("p 4 space X D");
    assert_eq!(stage.effects, []);
    assert!(stage.said().contains("only the scope that began it steers it"), "{}", stage.said());
    stage.press("q");
    assert_eq!(stage.effects, [Effect::Quit]);
}
