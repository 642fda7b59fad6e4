//! What fuzzing kept is run again: every input of `corpus/`, and that there is one for each function.

use fuzz::{TARGETS, target};
use std::path::{Path, PathBuf};

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name)
}

fn replay(name: &str) {
    let target = target(name).expect("it exists");
    let mut inputs = 0;
    for entry in std::fs::read_dir(corpus(name)).expect("it has a corpus") {
        let path = entry.expect("it can be listed").path();
        let bytes = std::fs::read(&path).expect("it can be read");
        if std::panic::catch_unwind(|| (target.run)(&bytes)).is_err() {
            panic!("{} fails", path.display());
        }
        inputs += 1;
    }
    assert!(inputs > 0, "no input");
}

/// A test for each function.
macro_rules! replays {
    ($($name:ident)+) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })+

        #[test]
        fn every_function_is_replayed() {
            let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            assert_eq!(names, [$(stringify!($name)),+]);
        }
    };
}

replays! { acpi boot_info boot_page elf environment fast_and_slow instance manifest_decode ring toml_check }

#[test]
fn the_corpus_is_small() {
    let files = TARGETS.iter().flat_map(|target| std::fs::read_dir(corpus(target.name)).expect("it has a corpus"));
    let bytes: u64 = files.map(|file| file.and_then(|file| file.metadata()).expect("it can be listed").len()).sum();
    assert!(bytes <= 1 << 20, "{bytes} bytes");
}
