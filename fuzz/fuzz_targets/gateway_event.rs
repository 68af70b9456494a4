//! Fuzzes `doorward_fuzz::gateway_event`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| doorward_fuzz::gateway_event::check(data));
