//! Fuzzes `doorward_fuzz::authorizer_event`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| doorward_fuzz::authorizer_event::check(data));
