//! What a mutation run came to: a score for each layer, and the survivors with what is known of each.
//!
//! `tests/assurance/survivors.toml` explains survivors. An explanation that fits no survivor is an error: it is out of
//! date. Tests: below.

use super::{Fate, Mutant};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// Why nothing notices a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No behaviour differs.
    Equivalent,
    /// Only the time differs: a shortcut is not taken, or taken in vain.
    Speed,
    /// The place matters on a machine only, where other tests see it.
    Machine,
    /// A test is missing.
    Gap,
}

/// What is known of survivors at one place.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explanation {
    /// Path from the root of the tree.
    file: String,
    /// The function.
    function: String,
    /// The text at the place; all places of the function if absent.
    from: Option<String>,
    /// What is done instead; everything if absent.
    to: Option<String>,
    reason: Reason,
    why: String,
}

impl Explanation {
    fn fits(&self, mutant: &Mutant) -> bool {
        let says = |said: &Option<String>, what: &str| said.as_ref().is_none_or(|said| said == what);
        self.file == mutant.file
            && self.function == mutant.function
            && says(&self.from, &mutant.from)
            && says(&self.to, &mutant.to)
    }
}

/// All explanations.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Explanations {
    #[serde(default)]
    survivor: Vec<Explanation>,
}

impl Explanations {
    /// Reads them.
    ///
    /// # Errors
    /// When the file is not as expected.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("in {}", path.display()))
    }
}

/// A mutant that nothing noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// Which.
    pub mutant: Mutant,
    /// Whether a test comes by at all.
    pub reached: bool,
    /// Why; nothing if nobody has looked.
    pub reason: Option<Reason>,
    /// In words.
    pub why: String,
}

/// A layer's score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Mutants that compile.
    #[serde(default)]
    pub all: usize,
    /// Those that were judged.
    pub mutants: usize,
    /// Those that a test noticed.
    pub noticed: usize,
    /// Of the others, those explained as equivalent or as a matter of speed.
    pub harmless: usize,
}

impl Score {
    /// Noticed of all, in per cent.
    pub fn raw(&self) -> f64 {
        share(self.noticed, self.mutants)
    }

    /// Noticed of those that could be, in per cent.
    pub fn adjusted(&self) -> f64 {
        share(self.noticed, self.mutants - self.harmless)
    }
}

/// The layer that the file at `path` is part of.
fn layer_of(path: &str) -> &str {
    path.split('/').nth(1).unwrap_or_default()
}

#[allow(clippy::cast_precision_loss, reason = "counts of mutants are small")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 100.0 } else { 100.0 * part as f64 / whole as f64 }
}

/// The outcome of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// By layer.
    pub scores: BTreeMap<String, Score>,
    /// Everything that was not noticed.
    pub survivors: Vec<Survivor>,
    /// Explanations that fit no survivor.
    pub stale: Vec<String>,
}

impl Outcome {
    /// Counts `fates` of `all` mutants, and explains the survivors.
    pub fn of(all: &[Mutant], fates: &[(Mutant, Fate)], explanations: &Explanations) -> Self {
        let mut outcome = Self::default();
        let layer = |mutant: &Mutant| layer_of(&mutant.file).to_owned();
        for mutant in all {
            outcome.scores.entry(layer(mutant)).or_default().all += 1;
        }
        for (mutant, fate) in fates {
            let score = outcome.scores.entry(layer(mutant)).or_default();
            score.mutants += 1;
            if fate.is_noticed() {
                score.noticed += 1;
                continue;
            }
            let known = explanations.survivor.iter().find(|explanation| explanation.fits(mutant));
            let reason = known.map(|known| known.reason);
            score.harmless += usize::from(matches!(reason, Some(Reason::Equivalent | Reason::Speed)));
            outcome.survivors.push(Survivor {
                mutant: mutant.clone(),
                reached: *fate != Fate::NotReached,
                reason,
                why: known.map(|known| known.why.clone()).unwrap_or_default(),
            });
        }
        // Out of date is what fits none that may still survive. Nothing is known of layers that were left alone.
        let noticed: BTreeSet<u32> =
            fates.iter().filter(|(_, fate)| fate.is_noticed()).map(|(mutant, _)| mutant.number).collect();
        let of_a_layer = |it: &&Explanation| outcome.scores.contains_key(layer_of(&it.file));
        let stale = explanations.survivor.iter().filter(of_a_layer).filter(|explanation| {
            all.iter().filter(|mutant| explanation.fits(mutant)).all(|mutant| noticed.contains(&mutant.number))
        });
        outcome.stale = stale.map(|it| format!("{} {}: {}", it.file, it.function, it.why)).collect();
        outcome
    }

    /// Adds what an `earlier` run knew of layers that this one left alone.
    pub fn add_other_layers(&mut self, earlier: Self) {
        let others = earlier.survivors.into_iter().filter(|it| !self.scores.contains_key(layer_of(&it.mutant.file)));
        self.survivors.extend(others);
        self.survivors.sort_by(|one, other| {
            let place = |it: &Survivor| (it.mutant.file.clone(), it.mutant.line, it.mutant.number);
            place(one).cmp(&place(other))
        });
        for (layer, score) in earlier.scores {
            self.scores.entry(layer).or_insert(score);
        }
    }

    /// The scores as a table, in Markdown.
    pub fn scores_markdown(&self) -> String {
        let mut page = String::from(
            "| layer | mutants | judged | noticed | score | without harmless ones |\n|---|--:|--:|--:|--:|--:|\n",
        );
        for (layer, score) in &self.scores {
            let (raw, adjusted) = (score.raw(), score.adjusted());
            let Score { all, mutants, noticed, .. } = score;
            // Writing into a string cannot fail.
            let _ = writeln!(page, "| `{layer}` | {all} | {mutants} | {noticed} | {raw:.1} % | {adjusted:.1} % |");
        }
        page
    }

    /// The survivors as a list, in Markdown.
    pub fn survivors_markdown(&self) -> String {
        let mut page = String::new();
        for Survivor { mutant, reached, reason, why } in &self.survivors {
            let Mutant { file, line, function, from, to, .. } = mutant;
            let known = match reason {
                Some(reason) => format!("{reason:?}: {why}"),
                None if *reached => "not explained".to_string(),
                None => "not explained; no test comes by".to_string(),
            };
            let from: String = from.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(60).collect();
            let _ = writeln!(page, "* `{file}:{line}` `{function}`: `{from}` {to} — {known}");
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(from: &str) -> Mutant {
        Mutant {
            number: from.bytes().map(u32::from).sum(),
            file: "kernel/ipc/src/a.rs".into(),
            line: 3,
            function: "f".into(),
            from: from.into(),
            to: "left out".into(),
        }
    }

    #[test]
    fn a_score_counts_what_is_noticed_and_what_could_be() {
        let text = "[[survivor]]\nfile = \"kernel/ipc/src/a.rs\"\nfunction = \"f\"\nfrom = \"b\"\nreason = \"speed\"\nwhy = \"w\"";
        let explanations: Explanations = toml::from_str(text).unwrap();
        let killed = Fate::Killed("t".into());
        let fates = [(mutant("a"), killed), (mutant("b"), Fate::Survived), (mutant("c"), Fate::NotReached)];
        let all = ["a", "b", "c", "d"].map(mutant);
        let outcome = Outcome::of(&all, &fates, &explanations);
        assert_eq!(outcome.scores["ipc"], Score { all: 4, mutants: 3, noticed: 1, harmless: 1 });
        assert!((outcome.scores["ipc"].adjusted() - 50.0).abs() < 0.01);
        assert_eq!(outcome.survivors.len(), 2);
        assert!(outcome.stale.is_empty());
    }

    #[test]
    fn an_explanation_is_out_of_date_once_all_that_it_fits_is_noticed_or_gone() {
        let text = "[[survivor]]\nfile = \"kernel/ipc/src/a.rs\"\nfunction = \"f\"\nfrom = \"b\"\nreason = \"gap\"\nwhy = \"w\"";
        let explanations: Explanations = toml::from_str(text).unwrap();
        let stale = |all: &[Mutant], fates: &[(Mutant, Fate)]| Outcome::of(all, fates, &explanations).stale.len();
        let killed = |from: &str| (mutant(from), Fate::Killed("t".into()));
        let all = ["a", "b"].map(mutant);
        assert_eq!(stale(&all, &[killed("a")]), 0, "it was not judged");
        assert_eq!(stale(&all, &[killed("a"), (mutant("b"), Fate::Survived)]), 0);
        assert_eq!(stale(&all, &[killed("a"), killed("b")]), 1);
        assert_eq!(stale(&all[..1], &[]), 1, "the code is gone");
        let elsewhere = Mutant { file: "kernel/thread/src/a.rs".into(), ..mutant("a") };
        assert_eq!(stale(&[elsewhere], &[]), 0, "the layer was left alone");
    }

    #[test]
    fn a_layer_that_was_left_alone_keeps_its_score_and_survivors() {
        let in_layer = |layer: &str| Mutant { file: format!("kernel/{layer}/src/a.rs"), ..mutant("a") };
        let of = |layers: &[&str], fate: &Fate| {
            let fates: Vec<_> = layers.iter().map(|layer| (in_layer(layer), fate.clone())).collect();
            let all: Vec<_> = fates.iter().map(|(mutant, _)| mutant.clone()).collect();
            Outcome::of(&all, &fates, &Explanations::default())
        };
        let mut outcome = of(&["thread"], &Fate::Killed("t".into()));
        outcome.add_other_layers(of(&["ipc", "thread"], &Fate::Survived));
        assert_eq!((outcome.scores["thread"].noticed, outcome.scores["ipc"].noticed), (1, 0));
        assert_eq!(outcome.survivors.iter().map(|it| layer_of(&it.mutant.file)).collect::<Vec<_>>(), ["ipc"]);
    }
}
