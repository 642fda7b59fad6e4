//! Paths in Rust source, read as text: enough to see which names of another crate a file uses.

use std::collections::BTreeSet;

/// Names of crate `krate` that `code` uses, from the crate's root on: as far as the first type, constant, function or
/// macro of each path. A module or function that is imported counts by what is named behind it.
pub fn names_of(krate: &str, code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (start, _) in code.match_indices(krate) {
        let before = code[..start].chars().next_back();
        let rest = &code[start + krate.len()..];
        if before.is_some_and(|it| is_word(it) || it == ':' || it == '"' || it == '.') || !rest.starts_with("::") {
            continue;
        }
        tree(&rest[2..], "", code, &mut names);
    }
    names
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// Reads one tree of a `use`, or a path; gives how many bytes it has.
fn tree(text: &str, prefix: &str, code: &str, names: &mut BTreeSet<String>) -> usize {
    let skipped = text.len() - text.trim_start().len();
    let text = &text[skipped..];
    if let Some(inner) = text.strip_prefix('{') {
        let mut at = 0;
        while at < inner.len() && !inner[at..].trim_start().starts_with('}') {
            let read = tree(&inner[at..], prefix, code, names);
            at += read.max(1);
            let rest = inner[at..].trim_start();
            if rest.starts_with(',') {
                at = inner.len() - rest.len() + 1;
            }
        }
        let end = inner[at..].find('}').map_or(inner.len(), |end| at + end + 1);
        return skipped + 1 + end;
    }
    let length = text.find(|it| !is_word(it)).unwrap_or(text.len());
    let word = &text[..length];
    let rest = &text[length..];
    let whole = match (prefix, word) {
        (prefix, "self") => prefix.to_owned(),
        ("", word) => word.to_owned(),
        (prefix, word) => format!("{prefix}::{word}"),
    };
    let is_final = word.starts_with(char::is_uppercase) || word.is_empty();
    if !is_final && let Some(behind) = rest.strip_prefix("::") {
        return skipped + length + 2 + tree(behind, &whole, code, names);
    }
    if is_final {
        if !word.is_empty() {
            names.insert(whole);
        }
        // What follows is the type's own.
        let own = rest.find(|it: char| !is_word(it) && it != ':').unwrap_or(rest.len());
        return skipped + length + own;
    }
    let (bound, renamed) = match rest.strip_prefix(" as ") {
        Some(rest) => {
            let end = rest.find(|it| !is_word(it)).unwrap_or(rest.len());
            (&rest[..end], 4 + end)
        }
        None => (whole.rsplit("::").next().unwrap_or_default(), 0),
    };
    let behind = behind(bound, code);
    if behind.is_empty() || rest.starts_with('(') {
        names.insert(whole.clone());
    } else {
        names.extend(behind.into_iter().map(|name| format!("{whole}::{name}")));
    }
    skipped + length + renamed
}

/// What `code` names behind an imported module.
fn behind(module: &str, code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (start, _) in code.match_indices(module) {
        let before = code[..start].chars().next_back();
        let Some(rest) = code[start + module.len()..].strip_prefix("::") else { continue };
        if before.is_some_and(|it| is_word(it) || it == ':' || it == '.') {
            continue;
        }
        let end = rest.find(|it| !is_word(it)).unwrap_or(rest.len());
        if end > 0 {
            names.insert(rest[..end].to_owned());
        }
    }
    names
}

#[test]
fn paths_are_read_as_rust_reads_them() {
    let code = "use thread::{Tcb, flag, queue::{self, Head}};\nuse thread::registers::Saved as Registers;\n\
                fn f(it: &thread::State) { flag::RUN; queue::append(it); thread::schedule::pick(it); }\n\
                mod my_thread { use crate::thread::Other; }";
    let names: Vec<String> = names_of("thread", code).into_iter().collect();
    let expected = ["State", "Tcb", "flag::RUN", "queue::Head", "queue::append", "registers::Saved", "schedule::pick"];
    assert_eq!(names, expected);
    assert!(names_of("read", code).is_empty());
}
