#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scope_source::fuzzing::everything(bytes));
