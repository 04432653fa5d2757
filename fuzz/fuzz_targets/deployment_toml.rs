#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| doorward::fuzz::deployment_toml(data));
