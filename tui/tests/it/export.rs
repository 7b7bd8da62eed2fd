//! Exports of what the timeline shows.

use std::path::Path;

use scope_model::Tid;
use scope_tui::model::Effect;

use crate::harness::{PID, Stage, server, stored};

#[test]
fn the_range_on_the_screen_is_exported_once_at_a_time() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage.press(":").type_in("export perfetto a b.pftrace");
    assert!(stage.screen().contains("nothing here writes exports"), "{}", stage.screen());
    stage.press("esc");
    stage.model.with_exports();
    stage.press("+ +").press(":").type_in("export thread perfetto a b.pftrace");
    let Some(Effect::Export(selection)) = stage.effects.last().cloned() else {
        panic!("{:?}", stage.effects);
    };
    let range = stage.model.range;
    assert_eq!(selection.to_ns - selection.from_ns, i64::try_from(range.length()).unwrap());
    assert_eq!((&*selection.format, selection.thread), ("perfetto", Some(Tid(PID))));
    assert_eq!(selection.file, Path::new("a b.pftrace"));
    stage.press(":").type_in("export folded c");
    assert!(stage.screen().contains("an export is being written"), "{}", stage.screen());
    stage.press("esc esc");
    assert_eq!(stage.effects.last(), Some(&Effect::CancelExport));
    stage.model.exported(Err("interrupted".to_owned()));
    assert_eq!(stage.said(), "not exported: interrupted");
    stage.press(":").type_in("export folded c");
    stage.model.exported(Ok("3 calls in c".to_owned()));
    assert_eq!(stage.said(), "3 calls in c");
    stage.press(":").type_in("export folded");
    assert!(stage.screen().contains(":export perfetto slow.pftrace"), "{}", stage.screen());
}
