//! What a run found: one entry for each obligation, as JSON for tools and as Markdown for people. Tests: below.

use super::ledger::{Check, Class, LEVELS, Obligation};
use serde::Serialize;
use std::fmt::{self, Write};

/// What came of an obligation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Its check ran and passed.
    Holds,
    /// Its check ran and did not pass, or could not be carried out.
    Fails,
    /// Nothing is claimed.
    Open,
    /// A tool is absent, or the run was a short one: never a pass.
    NotRun,
}

impl Status {
    const ALL: [Self; 4] = [Self::Holds, Self::Fails, Self::Open, Self::NotRun];
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::Open => "open",
            Self::NotRun => "not run",
        })
    }
}

/// One obligation after a run.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The obligation's id.
    pub id: String,
    /// Its level.
    pub level: u32,
    /// Its class, as printed.
    pub class: String,
    /// What came of it.
    pub status: Status,
    /// Within which bounds.
    pub bound: String,
    /// What was run; empty if nothing is claimed.
    pub command: String,
    /// How long that took (what several checks share is charged to the first).
    pub seconds: f64,
    /// In words.
    pub statement: String,
    /// What the check said.
    pub note: String,
    /// What remains.
    pub gap: String,
    /// The code it is about.
    pub code: Vec<String>,
    /// Mistakes in its model that its check was given, and found if it holds.
    pub mistakes: Vec<String>,
    /// The obligations that it rests on.
    pub rests_on: Vec<String>,
    /// Theorems whose assumptions its check printed; if it holds there are none.
    pub theorems: Vec<String>,
}

/// The command that repeats a check by hand.
fn command(check: &Check) -> String {
    match check {
        Check::Cargo { package, features, tests, .. } => {
            let features = if features.is_empty() { String::new() } else { format!(" -F {}", features.join(",")) };
            match &tests[..] {
                [test] => format!("cargo test -p {package}{features} {}", test.trim_end_matches('*')),
                tests => format!("cargo test -p {package}{features} ({} named tests)", tests.len()),
            }
        }
        Check::System { tests, .. } => format!("cargo test -p skerry-tests --test system -- {}", tests.join(" ")),
        Check::Coq { file, .. } => format!("coqc tests/assurance/coq/{file}"),
        Check::Spin { file, .. } => format!("spin on tests/assurance/spin/{file}"),
        Check::Binary { .. } => "machine code of skerry-kernel (release)".into(),
        Check::Stack { .. } => "call graph of skerry-kernel (release)".into(),
        Check::Proof { harness, .. } => format!("CBMC on prove_{harness} of tests/assurance/proofs"),
        Check::Leaf { leaf, .. } => {
            format!("angr on skerry-kernel (release): {leaf} of tests/assurance/angr/leaves.py")
        }
        Check::Separation => "z3 on the manifests of partition-config/systems and tests/systems".into(),
        Check::Configuration => "manifests of partition-config/systems".into(),
    }
}

impl Entry {
    /// The entry of `obligation`.
    pub fn new(obligation: &Obligation, status: Status, note: String, seconds: f64) -> Self {
        let check = obligation.check.as_ref();
        Self {
            id: obligation.id.clone(),
            level: obligation.level,
            class: obligation.class.to_string(),
            status,
            bound: obligation.bound.clone(),
            command: check.map(command).unwrap_or_default(),
            seconds: (seconds * 10.0).round() / 10.0,
            statement: obligation.statement.trim().to_owned(),
            note,
            gap: obligation.gap.trim().to_owned(),
            code: obligation.code.clone(),
            mistakes: check.map(Check::mutants).unwrap_or_default().iter().map(|it| it.why.clone()).collect(),
            rests_on: obligation.rests_on.clone(),
            theorems: check.map(Check::theorems).unwrap_or_default().to_vec(),
        }
    }
}

/// What each level is about.
pub fn title(level: u32) -> &'static str {
    match level {
        1 => "sequential correctness",
        2 => "obligations named",
        3 => "obligations discharged in isolation",
        4 => "parametrised over instances",
        5 => "coarse-grained automaton",
        6 => "concurrency framework",
        _ => "functional correctness under full concurrency",
    }
}

/// The first obligation from below that does not hold.
pub fn first_gap(entries: &[Entry]) -> Option<&Entry> {
    entries.iter().filter(|entry| entry.status != Status::Holds).min_by_key(|entry| entry.level)
}

/// How many entries of a level hold, by class, then how many are in each other state.
pub fn counts(entries: &[Entry], level: u32) -> String {
    let of_level = || entries.iter().filter(move |entry| entry.level == level);
    let mut parts = Vec::new();
    for class in Class::ALL {
        let count =
            of_level().filter(|entry| entry.status == Status::Holds && entry.class == class.to_string()).count();
        if count > 0 {
            parts.push(format!("{count} {class}"));
        }
    }
    let mut line = if parts.is_empty() { "none hold".to_owned() } else { format!("holds: {}", parts.join(", ")) };
    for status in Status::ALL.into_iter().skip(1) {
        let count = of_level().filter(|entry| entry.status == status).count();
        if count > 0 {
            line += &format!(" · {status}: {count}");
        }
    }
    line
}

/// The machine-readable report.
///
/// # Errors
/// None that can happen with these types.
pub fn json(entries: &[Entry]) -> serde_json::Result<String> {
    serde_json::to_string_pretty(entries)
}

const HEAD: &str = "# Assurance\n\n\
<!-- Generated by `cargo xtask assure --publish` from tests/assurance/ledger.toml. Do not edit. -->\n\n\
What is claimed about Skerry, what kind of evidence each claim has, and what is missing. This page is written by a run of\n\
`cargo xtask assure`: a claim *holds* here because its check ran and passed in that run. **The kernel is not proved\n\
correct.** What is proved of code (P) are small functions, each for all its values; the theorems (D) are about models, and\n\
no tool links a model to the code.\n\n\
| class | means |\n|---|---|\n\
| **P** | machine-checked on the code for all values of a stated size |\n\
| **E** | exhaustive within a bound |\n\
| **R** | randomised or sampled |\n\
| **D** | a theorem about a design model, linked to the code by reading only |\n\
| **open** | nothing is claimed |\n\n\
`cargo xtask assure` runs what takes minutes, `--full` the slow system tests too; `--planted` plants every listed bug,\n\
and `cargo xtask mutate` small mistakes everywhere, to see what notices them: that takes hours, and what it found is kept\n\
in `tests/assurance` and shown below. `--install` fetches tools that Debian 12 has and this machine lacks; a claim whose\n\
tool is missing is *not run*.\n\n\
Each Coq theorem is *closed under the global context*: it assumes nothing but what its statement says. Each Coq file has\n\
mutants, changes of a definition or hypothesis that must break a proof: a file whose mutant is proved too fails. That a\n\
proof breaks does not say why; so each file also refutes its property for the broken design, and ends with a concrete,\n\
non-trivial system that meets its hypotheses.\n";

/// The report for people; `evidence` is what stands between the ladder and the entries.
pub fn markdown(entries: &[Entry], seconds: f64, evidence: &str) -> String {
    let mut text = HEAD.to_owned();
    // Writing into a string cannot fail.
    let _ = writeln!(text, "\n## The ladder\n\n| level | | state |\n|---|---|---|");
    for level in 1..=LEVELS {
        let _ = writeln!(text, "| [{level}](#level-{level}) | {} | {} |", title(level), counts(entries, level));
    }
    let total = |status| entries.iter().filter(|entry| entry.status == status).count();
    let _ = writeln!(
        text,
        "\n{} obligations: {} hold, {} fail, {} open, {} not run. The run took {seconds:.0} s.",
        entries.len(),
        total(Status::Holds),
        total(Status::Fails),
        total(Status::Open),
        total(Status::NotRun)
    );
    if let Some(gap) = first_gap(entries) {
        let _ = writeln!(text, "\nThe first gap from below is **{}** ({}): {}", gap.id, gap.status, gap.gap);
    }
    text += evidence;
    for level in 1..=LEVELS {
        let _ = writeln!(text, "\n<a id=\"level-{level}\"></a>\n\n## Level {level}: {}", title(level));
        for entry in entries.iter().filter(|entry| entry.level == level) {
            section(&mut text, entry, entries);
        }
    }
    text
}

/// The class of an entry and what came of it.
fn claim(entry: &Entry) -> String {
    if entry.status == Status::Open { "open".to_owned() } else { format!("{}, {}", entry.class, entry.status) }
}

/// What `entry` rests on, each with its class and what came of it; nothing is said of what was not part of the run.
fn foundations(entry: &Entry, entries: &[Entry]) -> String {
    let found = |id: &String| entries.iter().find(|entry| entry.id == *id);
    let ids = entry.rests_on.iter();
    ids.map(|id| found(id).map_or_else(|| id.clone(), |found| format!("{id} ({})", claim(found))))
        .collect::<Vec<_>>()
        .join(" · ")
}

fn section(text: &mut String, entry: &Entry, entries: &[Entry]) {
    let claim = claim(entry);
    let _ = writeln!(text, "\n### {} ({claim})\n\n{}\n", entry.id, entry.statement);
    let mut item = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "* {name}: {value}");
        }
    };
    item("bound", &entry.bound);
    if !entry.command.is_empty() {
        item("check", &format!("`{}`", entry.command));
    }
    item("said", &entry.note);
    item(if entry.status == Status::Open { "why" } else { "gap" }, &entry.gap);
    item("rests on", &foundations(entry, entries));
    let code: Vec<_> = entry.code.iter().map(|path| format!("[{path}](../{path})")).collect();
    item("about", &code.join(", "));
}

#[cfg(test)]
mod tests {
    use super::super::ledger::Ledger;
    use super::*;

    fn entries() -> Vec<Entry> {
        let ledger = Ledger::load().unwrap();
        let entry = |obligation: &Obligation| {
            let status = if obligation.check.is_some() { Status::Holds } else { Status::Open };
            Entry::new(obligation, status, String::new(), 1.0)
        };
        ledger.obligations.iter().map(entry).collect()
    }

    #[test]
    fn the_first_gap_is_the_lowest_that_does_not_hold() {
        let mut entries = entries();
        let last = entries.iter().rposition(|entry| entry.level == 1).unwrap();
        entries[last].status = Status::Fails;
        entries.iter_mut().filter(|entry| entry.level == 1 && entry.status == Status::Open).for_each(|entry| {
            entry.status = Status::Holds;
        });
        assert_eq!(first_gap(&entries).unwrap().id, entries[last].id);
    }

    #[test]
    fn what_is_open_is_never_counted_as_held() {
        let entries = entries();
        let open = entries.iter().filter(|entry| entry.status == Status::Open && entry.level == 7).count();
        assert!(open > 0 && counts(&entries, 7).contains(&format!("open: {open}")), "{}", counts(&entries, 7));
    }

    #[test]
    fn both_reports_name_every_obligation() {
        let entries = entries();
        let (json, markdown) = (json(&entries).unwrap(), markdown(&entries, 1.0, ""));
        for entry in &entries {
            assert!(json.contains(&format!("\"{}\"", entry.id)) && markdown.contains(&entry.id), "{}", entry.id);
        }
        assert!(json.contains("\"status\": \"open\""));
    }
}
