//! What the report shows beside the ladder: theorems with their assumptions, planted bugs with what found them, mutants.
//!
//! Planting bugs and judging mutants take longer than a run of the ladder; what such runs found is kept in the tree
//! (`tests/assurance/caught.json`, `mutation.json`) and shown. A bug that was changed since it was found counts as not
//! tried. Tests: below.

use super::ledger::{Check, Ledger, directory};
use super::mutation::report::Outcome;
use super::planted::Caught;
use super::read_kept;
use super::report::{Entry, Status};
use anyhow::Result;
use std::fmt::Write;
use std::path::PathBuf;

/// What slow runs found.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// Planted bugs.
    pub caught: Vec<Caught>,
    /// Mutants.
    pub mutation: Option<Outcome>,
}

/// Where planted bugs that were found are kept.
pub fn caught_path() -> PathBuf {
    directory().join("caught.json")
}

impl Kept {
    /// Reads what is kept in the tree.
    ///
    /// # Errors
    /// When a file is not as expected.
    pub fn load() -> Result<Self> {
        Ok(Self { caught: Caught::load(&caught_path())?, mutation: read_kept(&directory().join("mutation.json"))? })
    }

    /// The sections, in Markdown.
    pub fn markdown(&self, ledger: &Ledger, entries: &[Entry]) -> String {
        let mut text = theorems(entries);
        text += &self.bugs(ledger);
        text += &models(entries);
        self.mutation.iter().for_each(|outcome| text += &mutants(outcome));
        text
    }

    /// The catch table: which check finds which bug in the code or its configuration.
    fn bugs(&self, ledger: &Ledger) -> String {
        let mut rows = String::new();
        let (mut planted, mut found) = (0, 0);
        for obligation in &ledger.obligations {
            for bug in obligation.check.as_ref().map(Check::planted).unwrap_or_default() {
                planted += 1;
                let caught = self.caught.iter().find(|it| it.id == obligation.id && it.bug == *bug);
                found += usize::from(caught.is_some());
                let said = caught.map_or("**not tried since it was changed**", |caught| caught.said.as_str());
                let (level, id, why, file) = (obligation.level, &obligation.id, &bug.why, &bug.file);
                // Writing into a string cannot fail.
                let _ = writeln!(rows, "| {level} | {why} | `{file}` | {id} ({}) | {said} |", obligation.class);
            }
        }
        format!(
            "\n## Planted bugs\n\n{planted} bugs, each a small change of the code, are planted one at a time in a copy of the \
             tree. The obligation in\nthe same row must then fail; {found} did. `cargo xtask assure --planted` plants them \
             again.\n\n| level | bug | in | must be found by | which said |\n|---|---|---|---|---|\n{rows}"
        )
    }
}

/// What each theorem assumes.
fn theorems(entries: &[Entry]) -> String {
    let mut text = String::from(
        "\n## Theorems\n\nWhat `Print Assumptions` says of each in this run. No file has an admitted lemma, an axiom or a \
         parameter.\n\n| theorem | of | `Print Assumptions` |\n|---|---|---|\n",
    );
    for entry in entries {
        let says = match entry.status {
            Status::Holds => "Closed under the global context",
            _ => "**not known: its check did not pass in this run**",
        };
        for theorem in &entry.theorems {
            let _ = writeln!(text, "| `{theorem}` | {} | {says} |", entry.id);
        }
    }
    text
}

/// Which check found which mistake in a model.
fn models(entries: &[Entry]) -> String {
    let found = || entries.iter().filter(|entry| entry.status == Status::Holds && !entry.mistakes.is_empty());
    let count: usize = found().map(|entry| entry.mistakes.len()).sum();
    let mut text = format!(
        "\n## Mistakes in models\n\n{count} mistakes were made in copies of the models in this run, one at a time; with each, \
         the check of the model failed.\n\n| level | mistake | found by |\n|---|---|---|\n"
    );
    for entry in found() {
        for mistake in &entry.mistakes {
            let _ = writeln!(text, "| {} | {mistake} | {} ({}) |", entry.level, entry.id, entry.class);
        }
    }
    text
}

/// The score of each layer, and every survivor.
fn mutants(outcome: &Outcome) -> String {
    let count = outcome.survivors.len();
    format!(
        "\n## Mutants\n\n`cargo xtask mutate` makes small mistakes everywhere in these layers, one at a time, and asks which \
         of them no host test\nnotices. Where not all were judged, those that were are spread evenly.\n\
         *Harmless* are survivors that do nothing else, or only take longer.\n\n{}\n\
         <details><summary>The {count} survivors</summary>\n\n{}\n</details>\n",
        outcome.scores_markdown(),
        outcome.survivors_markdown()
    )
}

#[cfg(test)]
mod tests {
    use super::super::planted::Planted;
    use super::*;

    #[test]
    fn a_bug_that_was_changed_since_it_was_found_counts_as_not_tried() {
        let ledger = Ledger::load().unwrap();
        let with_bugs =
            ledger.obligations.iter().find(|it| it.check.as_ref().is_some_and(|it| !it.planted().is_empty()));
        let obligation = with_bugs.unwrap();
        let bug = obligation.check.as_ref().unwrap().planted()[0].clone();
        let kept = |bug: Planted| Kept {
            caught: vec![Caught { id: obligation.id.clone(), bug, said: "it was seen".into() }],
            mutation: None,
        };
        assert!(kept(bug.clone()).markdown(&ledger, &[]).contains("it was seen"));
        let changed = Planted { to: "else".into(), ..bug };
        assert!(!kept(changed).markdown(&ledger, &[]).contains("it was seen"));
    }

    #[test]
    fn what_is_kept_can_be_read() {
        assert!(Kept::load().is_ok());
    }
}
