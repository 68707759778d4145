//! Segments from anywhere.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| podring_fuzz::segment::run(input));
