//! `scope pack`.

use crate::harness::{Sample, everything, fail};

#[test]
fn a_packed_trace_reads_as_the_folder_does() {
    let sample = Sample::new(&everything());
    sample.text(&["pack", "sample.scope", "sample.pack"]);
    for command in [
        vec!["report", "--limit", "0"],
        vec!["dump"],
        vec!["at", "2.4ms"],
        vec!["find", "function=main"],
    ] {
        let of = |file| {
            let mut arguments = vec![command[0], file];
            arguments.extend(&command[1..]);
            sample.text(&arguments).replace(file, "TRACE")
        };
        assert_eq!(of("sample.pack"), of("sample.scope"), "{command:?}");
    }
    assert!(sample.text(&["verify", "sample.pack"]).contains("sound and complete"));
}

#[test]
fn what_is_there_is_not_overwritten() {
    let sample = Sample::new(&everything());
    sample.text(&["pack", "sample.scope", "sample.pack"]);
    let (status, message) = fail(sample.command(&["pack", "sample.scope", "sample.pack"]));
    assert_eq!(status, Some(1));
    assert!(message.contains("sample.pack") && message.contains("exists"), "{message}");
}
