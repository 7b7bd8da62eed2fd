//! The key bar, the mouse and the config.

use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use scope_model::Tid;
use scope_tui::config::Config;
use scope_tui::model::Pane;

use crate::harness::{START_NS, Stage, server, stored};

fn mouse(stage: &mut Stage, kind: MouseEventKind, column: u16, row: u16) {
    stage.model.mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    stage.settle();
}

const LEFT: MouseEventKind = MouseEventKind::Down(MouseButton::Left);

#[test]
fn a_click_on_a_lane_goes_to_its_time_and_thread() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    let lanes = stage.model.regions().lanes;
    mouse(&mut stage, LEFT, lanes.x + lanes.width / 2, lanes.y + 1);
    assert_eq!(stage.model.focus.tid, Some(Tid(101)));
    let t_us = (stage.model.focus.time_ns - START_NS) / 1_000;
    assert!((4_900..5_200).contains(&t_us), "{t_us}");
}

#[test]
fn a_click_on_a_row_selects_it_and_another_opens_it() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("4");
    let (_, rect) = stage.model.regions().panes[0];
    mouse(&mut stage, LEFT, rect.x + 3, rect.y + 2);
    assert_eq!(stage.model.selected.functions, 1);
    mouse(&mut stage, LEFT, rect.x + 3, rect.y + 2);
    assert!(stage.model.executions_of.is_some());
}

#[test]
fn a_click_on_a_heading_shows_its_pane() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    let tabs = stage.model.regions().tabs;
    let x = stage.line(tabs.y.into()).find("State").unwrap() as u16;
    mouse(&mut stage, LEFT, x, tabs.y);
    assert_eq!(stage.model.pane, Pane::State);
}

#[test]
fn the_wheel_zooms_around_the_pointer_and_dragging_pans() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    let lanes = stage.model.regions().lanes;
    let x = lanes.x + lanes.width * 3 / 4;
    let before = stage.model.time_of_column(x - lanes.x, lanes.width);
    for _ in 0..10 {
        mouse(&mut stage, MouseEventKind::ScrollUp, x, lanes.y);
    }
    let after = stage.model.time_of_column(x - lanes.x, lanes.width);
    assert!(before.abs_diff(after) < stage.model.range.length() / 10);
    let range = stage.model.range;
    mouse(&mut stage, LEFT, x, lanes.y);
    mouse(&mut stage, MouseEventKind::Drag(MouseButton::Left), x + 10, lanes.y);
    assert!(stage.model.range.start_ns < range.start_ns);
    assert_eq!(stage.model.range.length(), range.length());
}

#[test]
fn a_bad_config_is_reported_and_the_old_one_stays() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.model.configure(Config::parse("[keys]\nstep_into = \"i\"\n"));
    stage.model.configure(Config::parse("[keys]\nstep_into = \"hyper-i\"\n"));
    assert!(stage.said().starts_with("config file not taken, the old one stays: no key is called"));
    stage.press("i");
    assert_eq!(stage.model.focus.time_ns, START_NS + 100_000);
    assert!(stage.line(23).contains("i into"), "{}", stage.line(23));
}

#[test]
fn typed_text_is_edited_and_remembered() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(": 5 1 backspace 0 % enter : up");
    assert_eq!(stage.model.prompt.as_ref().unwrap().text, "50%");
    stage.press("down");
    assert_eq!(stage.model.prompt.as_ref().unwrap().text, "");
    stage.press("backspace");
    assert!(stage.model.prompt.is_none());
    stage.press(":");
    stage.model.paste("6ms\n");
    stage.press("enter");
    assert_eq!(stage.model.focus.time_ns, START_NS + 6_000_000);
}

#[test]
fn keys_before_the_answers_mean_what_they_would_after_them() {
    let stored = stored(&server());
    let mut fast = Stage::new(&stored);
    let mut slow = Stage::new(&stored);
    let keys = "s s s u b s / w a i t enter m x enter u 3 c C } F j enter";
    fast.press_fast(keys);
    slow.press(keys);
    assert_eq!(fast.model.focus, slow.model.focus);
    assert_eq!(fast.model.breakpoints, slow.model.breakpoints);
    assert_eq!(fast.model.breakpoints[0].function, Some(scope_model::FunctionId(1)));
    assert_eq!(fast.model.marks, slow.model.marks);
    assert_eq!(fast.screen(), slow.screen());
}
