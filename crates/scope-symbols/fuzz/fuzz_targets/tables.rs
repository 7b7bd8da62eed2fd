#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| scope_symbols::fuzzing::tables(bytes));
