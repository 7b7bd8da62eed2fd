//! What is kept when the UI ends, and taken up again.

use scope_tui::session::Session;

use crate::harness::{Stage, server, stored};

#[test]
fn a_session_leads_back_to_the_same_screen() {
    let stored = stored(&server());
    let mut stage = Stage::new(&stored);
    stage
        .press("+ + :")
        .type_in("call 13")
        .press("u B")
        .type_in("duration>1ms")
        .press("c C 4 > r esc");
    stage.model.message = None;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions").join("me.json");
    let unwritable = folder.path().join("file").join("me.json");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let kept = stage.model.session().write(&[unwritable, path.clone()]).unwrap();
    assert_eq!(kept, path);

    let mut again = Stage::new(&stored);
    again.model.resume(&Session::read(&path).unwrap().unwrap());
    again.settle();
    assert_eq!(again.model.focus, stage.model.focus);
    assert_eq!(again.screen(), stage.screen());
    assert_eq!(again.model.breakpoints, stage.model.breakpoints);
}

#[test]
fn a_session_of_another_trace_does_no_harm() {
    let long = stored(&server());
    let mut stage = Stage::new(&long);
    stage.press("G 3");
    let session = stage.model.session();
    let empty = stored(&[]);
    let mut again = Stage::new(&empty);
    again.model.resume(&session);
    again.settle();
    assert_eq!(again.model.focus.moment, 0);
    again.screen();
}

#[test]
fn a_file_that_is_no_session_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("me.json");
    assert_eq!(Session::read(&path), Ok(None));
    std::fs::write(&path, "{\"version\": 99}").unwrap();
    assert!(Session::read(&path).unwrap_err().ends_with("it is of a newer scope"));
    std::fs::write(&path, "no").unwrap();
    assert!(Session::read(&path).is_err());
}
