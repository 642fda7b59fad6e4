//! Finds, among the tests of a whole instance, those that use a name of the interface.

use std::cell::RefCell;
use std::path::Path;

/// Most tests that a row shows.
const SHOWN: usize = 3;
/// What tests write instead of some names: methods of the test harness, which do nothing else.
const METHODS: [(&str, &str); 2] = [("Recv", ".recv("), ("Wait", ".wait(")];

/// The tests, in the order of files and lines.
pub struct Tests {
    tests: Vec<Test>,
    missing: RefCell<Vec<String>>,
}

struct Test {
    /// `file::function`.
    name: String,
    body: String,
}

impl Tests {
    /// Reads the sources.
    pub fn read() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../image/tests/instance");
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "rs")).collect();
        files.sort();
        let mut tests = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let stem = file.file_stem().unwrap().to_str().unwrap();
            // Formatted sources: a function ends at the first brace in column 0.
            for test in text.split("\n#[test]\n").skip(1) {
                let Some((head, rest)) = test.split_once("fn ").and_then(|(_, rest)| rest.split_once('(')) else {
                    continue;
                };
                let body = rest.split("\n}\n").next().unwrap_or(rest).to_owned();
                tests.push(Test { name: format!("{stem}::{head}"), body });
            }
        }
        assert!(tests.len() > 100, "only {} tests found: has their form changed?", tests.len());
        Self { tests, missing: RefCell::default() }
    }

    /// The tests that use `name` of the enumeration `kind` most, or none.
    pub fn of(&self, kind: &str, name: &str) -> String {
        let method = METHODS.iter().find(|(call, _)| kind == "Syscall" && *call == name).map(|(_, method)| *method);
        let uses = |test: &Test| {
            let written = words(&test.body, name, kind);
            written + method.map_or(0, |method| test.body.matches(method).count())
        };
        let mut found: Vec<_> =
            self.tests.iter().map(|test| (uses(test), test)).filter(|(uses, _)| *uses > 0).collect();
        found.sort_by_key(|(uses, _)| std::cmp::Reverse(*uses));
        if found.is_empty() {
            self.missing.borrow_mut().push(format!("{kind}::{name}"));
        }
        let names: Vec<_> = found.iter().take(SHOWN).map(|(_, test)| format!("`{}`", test.name)).collect();
        names.join(", ")
    }

    /// Rows without a test.
    pub fn missing(&self) -> Vec<String> {
        self.missing.borrow().clone()
    }
}

/// How often `name` stands in `text` as a word of its own: alone, or behind `kind::`.
fn words(text: &str, name: &str, kind: &str) -> usize {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name)
        .filter(|(at, _)| {
            let (before, after) = (&text[..*at], &text[at + name.len()..]);
            let owned = before.strip_suffix("::").is_none_or(|before| before.ends_with(kind));
            owned && !before.ends_with(part) && !after.starts_with(part)
        })
        .count()
}
