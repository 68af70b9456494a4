//! Fuzzes `doorward_fuzz::mail`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| doorward_fuzz::mail::check(data));
