//! Fuzzes `doorward_fuzz::stored_hash`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| doorward_fuzz::stored_hash::check(data));
