//! Where keys lead.

use scope_model::Tid;
use scope_tui::model::{Effect, Pane};

use crate::harness::{PID, START_NS, Stage, server, stored};

#[track_caller]
fn at(stage: &Stage, t_us: u64) {
    assert_eq!((stage.model.focus.time_ns - START_NS) / 1_000, t_us, "{}", stage.screen());
}

#[test]
fn steps_and_their_twins() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("s");
    at(&stage, 100);
    stage.press("s s");
    at(&stage, 300);
    stage.press("f");
    at(&stage, 400);
    stage.press("n");
    at(&stage, 480);
    stage.press("N");
    at(&stage, 400);
    stage.press("S");
    at(&stage, 300);
    stage.press("F");
    at(&stage, 200);
    stage.press(". ,");
    at(&stage, 200);
}

#[test]
fn a_step_that_cannot_be_made_says_why() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("N");
    assert_eq!(stage.said(), "nothing of this thread comes before, back to the start of the trace");
    stage.press("s f");
    assert_eq!(stage.said(), "call 2 is still open where the trace ends");
    at(&stage, 100);
}

#[test]
fn moments_by_name() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    for (text, t_us) in [
        (":6.3ms", 6_300),
        (":50%", 5_000),
        (":call 13", 1_000),
        (":event 13", 1_000),
        (":start", 0),
        (":end", 10_000),
    ] {
        stage.press(":").type_in(&text[1..]);
        assert_eq!(stage.said(), "");
        at(&stage, t_us);
    }
}

#[test]
fn what_names_no_moment_stays_to_be_mended() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("soon");
    let prompt = stage.model.prompt.as_ref().unwrap();
    assert!(prompt.error.as_ref().unwrap().starts_with("not a moment; write a time"), "{prompt:?}");
    stage.press("ctrl-u").type_in("99s");
    assert!(stage.said().starts_with("99.000000000s is outside the trace"), "{}", stage.said());
    stage.press(":").type_in("call 0");
    assert!(stage.said().starts_with("event 0 is no call"), "{}", stage.said());
}

#[test]
fn calls_of_the_focused_function_either_way() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("call 4").press("}");
    at(&stage, 700);
    stage.press("}");
    at(&stage, 1_200);
    assert_eq!(stage.model.focus.tid, Some(Tid(101)));
    stage.press("{ {");
    at(&stage, 300);
    stage.press("{");
    assert_eq!(stage.said(), "no call of the function before this moment");
}

#[test]
fn a_breakpoint_stops_a_run_either_way() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("c");
    assert!(stage.said().starts_with("no breakpoint is set"), "{}", stage.said());
    stage
        .press("B")
        .type_in("function=send kind=enter")
        .press("B")
        .type_in("function=server::wait kind=leave");
    stage.press("c");
    at(&stage, 450);
    stage.press("c");
    at(&stage, 5_500);
    stage.press("c");
    at(&stage, 6_300);
    stage.press("C");
    at(&stage, 5_500);
    stage.press("C");
    at(&stage, 450);
    assert_eq!(stage.said(), "breakpoint hit 3: function=send kind=enter");
    stage.press("C");
    assert_eq!(stage.said(), "nothing found back to the start of the trace");
    at(&stage, 450);
}

#[test]
fn a_condition_that_is_none_is_reported_in_place() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("B").type_in("duration>");
    let prompt = stage.model.prompt.as_ref().unwrap();
    assert_eq!(prompt.text, "duration>");
    assert!(prompt.error.as_ref().unwrap().starts_with("at character 10"), "{prompt:?}");
    stage.press("esc B").type_in("function=nowhere").press("c");
    assert!(
        stage.said().starts_with("no function of the trace matches nowhere"),
        "{}",
        stage.said()
    );
    // The others are run to all the same.
    stage.press("B").type_in("function=send kind=enter").press("c");
    assert_eq!(stage.said(), "breakpoint hit 1: function=send kind=enter");
    stage.press("G").press("c");
    let said = stage.said();
    assert!(said.starts_with("nothing found up to the end of the trace; no function"), "{said}");
}

#[test]
fn hits_of_a_search_either_way() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("]");
    assert!(stage.said().starts_with("search for something first"), "{}", stage.said());
    stage.press(":").type_in("find function=send kind=leave");
    at(&stage, 480);
    stage.press("] ]");
    at(&stage, 6_410);
    stage.press("[");
    at(&stage, 6_310);
    // Its hits are ticks over the timeline; the focus is on one of them.
    assert!(stage.line(1).matches('•').count() >= 2, "{}", stage.line(1));
    stage.press(":").type_in("find function=nowhere");
    assert!(!stage.line(1).contains('•'), "{}", stage.line(1));
}

#[test]
fn back_and_forward_through_jumps() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("s s :").type_in("6ms").press("n ctrl-o");
    at(&stage, 200);
    stage.press("ctrl-n");
    at(&stage, 6_200);
    stage.press("ctrl-o ctrl-o");
    assert_eq!(stage.said(), "this is where you began");
}

#[test]
fn a_found_function_leads_to_its_call_and_a_thread_to_its_lane() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press("/").type_in("wait");
    at(&stage, 1_000);
    stage.press("/").type_in("helper");
    assert_eq!(stage.model.focus.tid, Some(Tid(101)));
    at(&stage, 1_000);
    stage.press("K");
    assert_eq!(stage.model.focus.tid, Some(Tid(PID)));
}

#[test]
fn rows_lead_to_what_they_name() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    // The slowest execution of the function with the second largest total.
    stage.press("4 j enter enter");
    at(&stage, 600);
    stage.press("esc 1");
    // The one execution of the function with the largest total is open at the end.
    stage.press("4 k enter enter");
    at(&stage, 100);
    stage.press("ctrl-o esc 1");
    at(&stage, 600);
    // The first callee of it.
    stage.press("j j j enter");
    at(&stage, 700);
    stage.press("3 j j j");
    let rows = stage.model.state_rows().len();
    assert_eq!(rows, 5);
    stage.press("j j j enter");
    assert_eq!(stage.model.focus.tid, Some(Tid(101)));
}

#[test]
fn zoom_and_pan_keep_the_focus() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("3ms");
    let all = stage.model.range;
    for _ in 0..40 {
        stage.press("+");
        assert!(stage.model.range.contains(stage.model.focus.time_ns));
    }
    assert_eq!(stage.model.range.length(), 64);
    for _ in 0..40 {
        stage.press("-");
    }
    assert_eq!(stage.model.range, all);
    stage.press("+ + h h l l l");
    at(&stage, 3_000);
    stage.press("0 :").type_in("call 3").press("z");
    assert!(stage.model.range.length() < 400_000, "{:?}", stage.model.range);
    stage.press_fast("0 z");
    assert!(stage.model.range.length() < 400_000, "{:?}", stage.model.range);
    assert_eq!(stage.model.pane, Pane::Calls);
}

#[test]
fn marks_are_kept_and_lead_back() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("call 13").press("m").type_in("slow it waits here");
    let kept = stage.effects.iter().any(|effect| {
        matches!(effect, Effect::Keep(name, Some(mark)) if name == "slow" && mark.moment == 14 && mark.note == "it waits here")
    });
    assert!(kept, "{:?}", stage.effects);
    stage.press("g :").type_in("@slow");
    at(&stage, 1_000);
    stage.press("g 5 enter");
    at(&stage, 1_000);
    stage.press("x");
    assert!(stage.model.marks.is_empty());
    assert!(stage.effects.contains(&Effect::Keep("slow".to_owned(), None)));
}

#[test]
fn a_frame_is_looked_at_and_left() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("call 4").press("u u u");
    assert_eq!(stage.model.focus.frame, 2);
    assert_eq!(stage.said(), "this is the outermost call that was recorded");
    stage.press("d");
    assert_eq!(stage.model.focus.frame, 1);
    stage.press("esc");
    assert_eq!(stage.model.focus.frame, 0);
}

#[test]
fn a_copied_moment_leads_to_itself() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("call 4").press("y");
    let Some(Effect::Copy(text)) = stage.effects.last().cloned() else { panic!() };
    assert_eq!(text, "0.000300000s");
    stage.press("G :").type_in(&text);
    at(&stage, 300);
}
