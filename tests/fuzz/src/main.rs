//! The engine's half: libFuzzer calls the function that `SKERRY_FUZZ_TARGET` names. Built and started by `cargo xtask fuzz`.
#![no_main]

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    static CHOSEN: OnceLock<fn(&[u8])> = OnceLock::new();
    let run = CHOSEN.get_or_init(|| {
        let name = std::env::var("SKERRY_FUZZ_TARGET").expect("SKERRY_FUZZ_TARGET names a function");
        fuzz::target(&name).expect("SKERRY_FUZZ_TARGET names a function that exists").run
    });
    run(bytes);
});
