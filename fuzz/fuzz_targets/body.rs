//! Fuzzes `doorward_fuzz::body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| doorward_fuzz::body::check(data));
