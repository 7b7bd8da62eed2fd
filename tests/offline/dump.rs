//! `scope dump`.

use scope_model::EventKind;
use serde_json::Value;

use crate::harness::{Sample, enter, event, everything, leave};

fn lines(sample: &Sample, arguments: &[&str]) -> Vec<Value> {
    let all: Vec<&str> =
        ["dump", "sample.scope", "--json"].iter().chain(arguments).copied().collect();
    sample
        .text(&all)
        .lines()
        .map(|line| serde_json::from_str(line).expect("each line is an object"))
        .collect()
}

#[test]
fn text_is_one_event_a_line_indented_by_depth() {
    let sample = Sample::new(&everything());
    insta::assert_snapshot!(sample.text(&["dump", "sample.scope"]), @r"
    0.000000000s      100  thread_start   server, found
    0.000010000s      100  switch_in      CPU 1
    0.000100000s      100  enter          main
    0.000200000s      100  enter            server::parse<alloc::string::String>
    0.000700000s      100  leave            server::parse<alloc::string::String> 500us
    0.001000000s      100  enter            server::parse<alloc::string::String>
    0.001200000s      100  enter              server::parse<alloc::string::String>
    0.001500000s      100  leave              server::parse<alloc::string::String> (unwound)
    0.002000000s      100  leave            server::parse<alloc::string::String> 1.00ms
    0.002050000s      101  thread_start   helper, by 100
    0.002100000s      101  switch_in      CPU 0
    0.002100000s      100  enter            server::wait
    0.002150000s      100  syscall_enter      nanosleep
    0.002200000s      100  switch_out         CPU 1, sleeping
    0.002300000s      101  enter          server::parse<alloc::string::String>
    0.002400000s      101  rename           helper-1
    0.002500000s      101  leave          server::parse<alloc::string::String> 200us
    0.002600000s      101  thread_exit    status 0
    0.006200000s      100  waking             by 9 of process 9
    0.006300000s      100  switch_in          CPU 0
    0.006310000s      100  syscall_exit       nanosleep = EINTR
    0.006400000s      100  leave            server::wait 4.30ms
    0.007000000s      100  enter            server::parse<alloc::string::String>
    0.007100000s      100  gap                lost 2 entries, 3 exits, 0 others until 0.007400000s
    0.008000000s      100  leave            server::parse<alloc::string::String> (lost)
    0.008000000s      100  enter            server::parse<alloc::string::String>
    0.008100000s      100  leave            server::parse<alloc::string::String> 100us
    0.009000000s      100  switch_out       CPU 0, preempted
    ");
}

#[test]
fn json_is_one_object_a_line() {
    let sample = Sample::new(&everything());
    let text = sample.text(&["dump", "sample.scope", "--json"]);
    insta::assert_snapshot!(text, @r#"
    {"t_ns":0,"tid":100,"pid":100,"kind":"thread_start","parent":0,"thread_name":"server"}
    {"t_ns":10000,"tid":100,"pid":100,"kind":"switch_in","cpu":1}
    {"t_ns":100000,"tid":100,"pid":100,"kind":"enter","function":0,"name":"main","depth":0,"return_address":365072224820,"stack_pointer":140733193392120,"inherited":false,"file":"src/server.rs","line":10,"node_id":null,"call_node_id":null,"call_file":null,"call_line":null}
    {"t_ns":200000,"tid":100,"pid":100,"kind":"enter","function":1,"name":"server::parse<alloc::string::String>","depth":1,"return_address":365072224820,"stack_pointer":140733193392120,"inherited":false,"file":"src/server.rs","line":11,"node_id":null,"call_node_id":null,"call_file":null,"call_line":null}
    {"t_ns":700000,"tid":100,"pid":100,"kind":"leave","function":1,"name":"server::parse<alloc::string::String>","depth":1,"end":"returned","duration_ns":500000,"return_value":7,"crosses_gap":false}
    {"t_ns":1000000,"tid":100,"pid":100,"kind":"enter","function":1,"name":"server::parse<alloc::string::String>","depth":1,"return_address":365072224820,"stack_pointer":140733193392120,"inherited":false,"file":"src/server.rs","line":11,"node_id":null,"call_node_id":null,"call_file":null,"call_line":null}
    {"t_ns":1200000,"tid":100,"pid":100,"kind":"enter","function":1,"name":"server::parse<alloc::string::String>","depth":2,"return_address":365072224820,"stack_pointer":140733193392120,"inherited":false,"file":"src/server.rs","line":11,"node_id":null,"call_node_id":null,"call_file":null,"call_line":null}
    {"t_ns":1500000,"tid":100,"pid":100,"kind":"leave","function":1,"name":"server::parse<alloc::string::String>","depth":2,"end":"unwound","duration_ns":null,"return_value":0,"crosses_gap":false}
    {"t_ns":2000000,"tid":100,"pid":100,"kind":"leave","function":1,"name":"server::parse<alloc::string::String>","depth":1,"end":"returned","duration_ns":1000000,"return_value":7,"crosses_gap":false}
    {"t_ns":2050000,"tid":101,"pid":100,"kind":"thread_start","parent":100,"thread_name":"helper"}
    {"t_ns":2100000,"tid":101,"pid":100,"kind":"switch_in","cpu":0}
    {"t_ns":2100000,"tid":100,"pid":100,"kind":"enter","function":2,"name":"server::wait","depth":1,"return_address":365072224820,"stack_pointer":140733193392120,"inherited":false,"file":"src/server.rs","line":12,"node_id":null,"call_node_id":null,"call_file":null,"call_line":null}
    {"t_ns":2150000,"tid":100,"pid":100,"kind":"syscall_enter","number":35,"syscall":"nanosleep"}
    {"t_ns":2200000,"tid":100,"pid":100,"kind":"switch_out","cpu":1,"state":1,"preempted":false}
    {"t_ns":2300000,"tid":101,"pid":100,"kind":"enter","function":1,"name":"server::parse<alloc::string::String>","depth":0,"return_address":365072224820,"stack_pointer":140733193392120,"inherited":false,"file":"src/server.rs","line":11,"node_id":null,"call_node_id":null,"call_file":null,"call_line":null}
    {"t_ns":2400000,"tid":101,"pid":100,"kind":"rename","thread_name":"helper-1"}
    {"t_ns":2500000,"tid":101,"pid":100,"kind":"leave","function":1,"name":"server::parse<alloc::string::String>","depth":0,"end":"returned","duration_ns":200000,"return_value":7,"crosses_gap":false}
    {"t_ns":2600000,"tid":101,"pid":100,"kind":"thread_exit","code":0,"last":false}
    {"t_ns":6200000,"tid":100,"pid":100,"kind":"waking","waker":9,"waker_pid":9}
    {"t_ns":6300000,"tid":100,"pid":100,"kind":"switch_in","cpu":0}
    {"t_ns":6310000,"tid":100,"pid":100,"kind":"syscall_exit","number":35,"syscall":"nanosleep","result":-4,"error":"EINTR"}
    {"t_ns":6400000,"tid":100,"pid":100,"kind":"leave","function":2,"name":"server::wait","depth":1,"end":"returned","duration_ns":4300000,"return_value":7,"crosses_gap":false}
    {"t_ns":7000000,"tid":100,"pid":100,"kind":"enter","function":1,"name":"server::parse<alloc::string::String>","depth":1,"return_address":365072224820,"stack_pointer":140733193392120,"inherited":false,"file":"src/server.rs","line":11,"node_id":null,"call_node_id":null,"call_file":null,"call_line":null}
    {"t_ns":7100000,"tid":100,"pid":100,"kind":"gap","until_ns":7400000,"entries":2,"exits":3,"others":0}
    {"t_ns":8000000,"tid":100,"pid":100,"kind":"leave","function":1,"name":"server::parse<alloc::string::String>","depth":1,"end":"lost","duration_ns":null,"return_value":0,"crosses_gap":true}
    {"t_ns":8000000,"tid":100,"pid":100,"kind":"enter","function":1,"name":"server::parse<alloc::string::String>","depth":1,"return_address":365072224820,"stack_pointer":140733193392120,"inherited":false,"file":"src/server.rs","line":11,"node_id":null,"call_node_id":null,"call_file":null,"call_line":null}
    {"t_ns":8100000,"tid":100,"pid":100,"kind":"leave","function":1,"name":"server::parse<alloc::string::String>","depth":1,"end":"returned","duration_ns":100000,"return_value":7,"crosses_gap":false}
    {"t_ns":9000000,"tid":100,"pid":100,"kind":"switch_out","cpu":0,"state":0,"preempted":true}
    "#);
}

#[test]
fn one_thread() {
    let sample = Sample::new(&everything());
    let lines = lines(&sample, &["--thread", "101"]);
    assert_eq!(lines.len(), 6);
    assert!(lines.iter().all(|line| line["tid"] == 101));
}

#[test]
fn a_printed_time_given_back_selects_that_event() {
    let sample = Sample::new(&everything());
    let text =
        sample.text(&["dump", "sample.scope", "--from", "0.002100000s", "--to", "0.002200000s"]);
    let kinds: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().nth(2)).collect();
    assert_eq!(kinds, ["switch_in", "enter", "syscall_enter"]);
    // The depth is that of the whole trace.
    assert!(text.contains("enter            server::wait"), "{text}");
}

#[test]
fn functions_by_glob_and_never_other_kinds() {
    let sample = Sample::new(&everything());
    let lines = lines(&sample, &["--function", "wait", "-F", "main"]);
    let seen: Vec<_> =
        lines.iter().map(|line| (line["kind"].as_str(), line["function"].as_u64())).collect();
    assert_eq!(
        seen,
        [(Some("enter"), Some(0)), (Some("enter"), Some(2)), (Some("leave"), Some(2))]
    );
}

#[test]
fn limit_counts_what_is_printed() {
    let sample = Sample::new(&everything());
    assert_eq!(lines(&sample, &["--limit", "3", "--function", "*parse*"]).len(), 3);
    assert_eq!(lines(&sample, &["--limit", "0"]).len(), everything().len());
}

#[test]
fn a_call_deep_in_recursion_is_not_indented_off_the_screen() {
    let mut events: Vec<_> = (0..100).map(|depth| enter(depth, 100, 1)).collect();
    events.extend((0..100).map(|depth| leave(200 + depth, 100, 1)));
    let text = Sample::new(&events).text(&["dump", "sample.scope"]);
    assert!(text.lines().all(|line| line.len() < 200));
    assert!(text.contains("[99] server::parse"), "{text}");
}

#[test]
fn task_states_are_words_where_one_says_it() {
    let out = |t_us, state| event(t_us, 100, EventKind::SwitchOut { cpu: 0, state });
    // Sleeping, freezable; killable; and a state of no name.
    let sample = Sample::new(&[out(1, 0x2001), out(2, 0x102), out(3, 0x1000)]);
    insta::assert_snapshot!(sample.text(&["dump", "sample.scope"]), @r"
    0.000001000s      100  switch_out     CPU 0, sleeping
    0.000002000s      100  switch_out     CPU 0, uninterruptible
    0.000003000s      100  switch_out     CPU 0, blocked in state 0x1000
    ");
    let at = sample.text(&["at", "sample.scope", "end"]);
    assert!(at.contains("thread 100: blocked (state 0x1000) for"), "{at}");
}
