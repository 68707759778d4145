//! Scripts of operations, against a model.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| podring_fuzz::script::run(input));
