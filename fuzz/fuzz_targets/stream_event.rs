//! Fuzzes `doorward_fuzz::stream_event`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| doorward_fuzz::stream_event::check(data));
