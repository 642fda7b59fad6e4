//! The ledger: reading `tests/assurance/ledger.toml`, and refusing a claim that its check cannot support.
//!
//! Tests: below; they judge the ledger that is in the tree.

use super::planted::Planted;
use crate::workspace;
use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// Number of the highest level.
pub const LEVELS: u32 = 7;

/// Kind of evidence.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Machine-checked for all values of the stated size, on the code itself.
    P,
    /// Exhaustive within a bound.
    E,
    /// Randomised or sampled.
    R,
    /// A property of a design model that no tool links to the code.
    D,
    /// Nothing is claimed.
    #[serde(rename = "open")]
    Open,
}

impl Class {
    /// Every class, strongest first.
    pub const ALL: [Self; 5] = [Self::P, Self::E, Self::R, Self::D, Self::Open];
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::P => "P",
            Self::E => "E",
            Self::R => "R",
            Self::D => "D",
            Self::Open => "open",
        })
    }
}

/// How long a check takes.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Pace {
    /// Always run.
    #[default]
    Quick,
    /// Run with `--full` only.
    Full,
}

/// One text replacement that must break a Coq file or a Spin model.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// What it stands for.
    pub why: String,
    /// Text that occurs exactly once.
    pub from: String,
    /// What replaces it.
    pub to: String,
}

/// A rule about the instructions of the kernel binary.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Instructions by mnemonic (lower case), or a group: `fpu`, `lock`, `cr3`, `cr0`, `cr2`, `cr4`, `debug`,
    /// `panic` (calls and jumps to what panics).
    #[serde(default)]
    pub instructions: Vec<String>,
    /// Narrows `wrmsr` to these registers; their numbers must be constants beside the instruction.
    #[serde(default)]
    pub registers: Vec<u32>,
    /// Leaves out `wrmsr` to these registers, each of which must be written somewhere.
    #[serde(default)]
    pub except: Vec<u32>,
    /// Instructions that name an address in these ranges, first and last.
    #[serde(default)]
    pub addresses: Vec<[u64; 2]>,
    /// The functions that may contain them (a `*` at the end stands for anything); none: they may not occur at all.
    #[serde(default)]
    pub functions: Vec<String>,
    /// Stands for the completeness rule: every privileged instruction found is named by a rule of the ledger.
    #[serde(default)]
    pub complete: bool,
}

/// What bounds the kernel stack.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Stack {
    /// Functions that begin on an empty stack.
    pub roots: Vec<String>,
    /// Functions that are not followed, besides those that lead to a panic.
    #[serde(default)]
    pub beyond: Vec<String>,
    /// Functions that call through a pointer from the global offset table.
    #[serde(default)]
    pub pointers: Vec<String>,
    /// Functions that call themselves, with how many activations of each there are at most.
    #[serde(default)]
    pub nesting: BTreeMap<String, u64>,
}

/// What is run.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Check {
    /// Named tests of a package, on the host. Each must run and pass.
    Cargo {
        /// Cargo's name of the package.
        package: String,
        /// Its features that are switched on.
        #[serde(default)]
        features: Vec<String>,
        /// Test names as Cargo prints them.
        tests: Vec<String>,
        /// Bugs with which one of the tests must fail; tried with `--planted`.
        #[serde(default)]
        planted: Vec<Planted>,
    },
    /// System tests that boot machines in an emulator.
    System {
        /// Test names as printed.
        tests: Vec<String>,
        /// When they are run.
        #[serde(default)]
        pace: Pace,
    },
    /// A Coq file under `tests/assurance/coq/`, without an assumption, and mutants of it that must fail.
    Coq {
        /// File name.
        file: String,
        /// The theorems whose assumptions the file prints.
        theorems: Vec<String>,
        /// Changes that must break a proof.
        mutants: Vec<Mutant>,
    },
    /// A Spin model under `tests/assurance/spin/`, searched in full, and mutants of it that must fail.
    Spin {
        /// File name.
        file: String,
        /// Changes with which a claim must fail.
        mutants: Vec<Mutant>,
    },
    /// A rule about the release kernel's machine code.
    Binary {
        /// The rule.
        #[serde(flatten)]
        rule: Rule,
        /// Bugs with which it must fail; tried with `--planted`.
        #[serde(default)]
        planted: Vec<Planted>,
    },
    /// The depth of the kernel stack, over all paths of the release kernel's machine code.
    Stack {
        /// Where to begin, and what is listed.
        #[serde(flatten)]
        rule: Stack,
        /// Bugs with which it must fail; tried with `--planted`.
        #[serde(default)]
        planted: Vec<Planted>,
    },
    /// A harness of `tests/assurance/proofs`, for all values, on the code; and bugs in that code that it must find.
    Proof {
        /// Name of the harness.
        harness: String,
        /// Bugs.
        planted: Vec<Planted>,
    },
    /// A leaf of the release kernel's machine code, equal to its specification for all inputs; and wrong specifications
    /// that it must not meet (tests/assurance/angr).
    Leaf {
        /// Name of the leaf.
        leaf: String,
        /// Bugs with which it must fail; tried with `--planted`.
        #[serde(default)]
        planted: Vec<Planted>,
    },
    /// Separation of every ready system over all addresses, and overlaps that must be found (tests/assurance/z3).
    Separation,
    /// Pairwise disjointness of every ready system, from the manifest that goes into its image.
    Configuration,
}

impl Check {
    /// Bugs in the source that the check must find.
    pub fn planted(&self) -> &[Planted] {
        match self {
            Self::Cargo { planted, .. } | Self::Proof { planted, .. } => planted,
            Self::Binary { planted, .. } | Self::Stack { planted, .. } | Self::Leaf { planted, .. } => planted,
            Self::Coq { .. } | Self::Spin { .. } | Self::System { .. } | Self::Separation | Self::Configuration => &[],
        }
    }

    /// The mistakes in its model that the check must find whenever it runs, in words.
    pub fn mutants(&self) -> &[Mutant] {
        match self {
            Self::Coq { mutants, .. } | Self::Spin { mutants, .. } => mutants,
            _ => &[],
        }
    }

    /// The theorems whose assumptions it prints.
    pub fn theorems(&self) -> &[String] {
        if let Self::Coq { theorems, .. } = self { theorems } else { &[] }
    }

    /// The strongest evidence that a check of this kind can be.
    fn supports(&self, class: Class) -> bool {
        match self {
            Self::Cargo { .. } => matches!(class, Class::E | Class::R),
            Self::System { .. } => class == Class::R,
            // Theorems about models: no tool links them to the code.
            Self::Coq { .. } | Self::Spin { .. } => class == Class::D,
            Self::Binary { .. } | Self::Stack { .. } | Self::Separation | Self::Configuration => class == Class::E,
            Self::Proof { .. } | Self::Leaf { .. } => class == Class::P,
        }
    }
}

/// Something that must hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Obligation {
    /// Unique, never reused.
    pub id: String,
    /// In words.
    pub statement: String,
    /// Level of the ladder, 1 to 7.
    pub level: u32,
    /// Kind of evidence.
    pub class: Class,
    /// Within which bounds.
    #[serde(default)]
    pub bound: String,
    /// What remains uncovered, or why it is open.
    pub gap: String,
    /// The code it is about: paths from the root.
    #[serde(default)]
    pub code: Vec<String>,
    /// The obligations that it rests on, by id.
    #[serde(default)]
    pub rests_on: Vec<String>,
    /// What shows it; none if it is open.
    pub check: Option<Check>,
}

/// The whole ledger.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// In the order of the file.
    #[serde(rename = "obligation")]
    pub obligations: Vec<Obligation>,
}

/// Where the assurance files lie.
pub fn directory() -> PathBuf {
    workspace::root().join("tests/assurance")
}

impl Ledger {
    /// Reads and judges the tree's ledger.
    ///
    /// # Errors
    /// When it cannot be read, or claims what it may not.
    pub fn load() -> Result<Self> {
        let path = directory().join("ledger.toml");
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text)
    }

    /// Reads and judges a ledger.
    ///
    /// # Errors
    /// On a mistake of form, an id used twice, a missing check or reason, or a class that the check cannot support.
    pub fn parse(text: &str) -> Result<Self> {
        let ledger: Self = toml::from_str(text).context("the ledger is malformed")?;
        let mut ids = BTreeSet::new();
        for obligation in &ledger.obligations {
            obligation.judge().with_context(|| format!("obligation {}", obligation.id))?;
            ensure!(ids.insert(&obligation.id), "obligation {} is there twice", obligation.id);
        }
        for obligation in &ledger.obligations {
            let unknown = obligation.rests_on.iter().find(|id| !ids.contains(id));
            ensure!(unknown.is_none(), "obligation {} rests on {unknown:?}, which is not there", obligation.id);
        }
        Ok(ledger)
    }
}

impl Obligation {
    fn judge(&self) -> Result<()> {
        ensure!((1..=LEVELS).contains(&self.level), "there is no level {}", self.level);
        ensure!(!self.statement.trim().is_empty(), "it states nothing");
        ensure!(!self.gap.trim().is_empty(), "it names no gap; the least is what is trusted");
        match (&self.check, self.class) {
            (None, Class::Open) => return Ok(()),
            (None, class) => bail!("it claims {class} without a check"),
            (Some(_), Class::Open) => bail!("it has a check and claims nothing"),
            (Some(check), class) => ensure!(check.supports(class), "its check cannot support class {class}"),
        }
        ensure!(!self.bound.trim().is_empty(), "a claim needs its bound");
        ensure!(!self.code.is_empty(), "it is about no code");
        match &self.check {
            Some(Check::Cargo { tests, .. } | Check::System { tests, .. }) => ensure!(!tests.is_empty(), "no test"),
            Some(Check::Coq { theorems, mutants, .. }) => {
                ensure!(!theorems.is_empty(), "no theorem");
                ensure!(!mutants.is_empty(), "a proof needs a mutant that fails");
            }
            Some(Check::Spin { mutants, .. }) => ensure!(!mutants.is_empty(), "a model needs a mutant that fails"),
            Some(Check::Proof { planted, .. }) => ensure!(!planted.is_empty(), "a proof needs a bug that it finds"),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAIM: &str = r#"
        [[obligation]]
        id = "L1-x"
        statement = "s"
        level = 1
        class = "R"
        bound = "b"
        gap = "g"
        code = ["ipi"]
        check = { kind = "cargo", package = "skerry-ipi", tests = ["t"] }
    "#;

    fn refused(text: &str) -> String {
        format!("{:#}", Ledger::parse(text).expect_err("this ledger is refused"))
    }

    #[test]
    fn the_ledger_of_the_tree_is_well_formed() {
        let ledger = Ledger::load().unwrap();
        for level in 1..=LEVELS {
            assert!(ledger.obligations.iter().any(|obligation| obligation.level == level), "level {level} is empty");
        }
    }

    #[test]
    fn what_the_ledger_is_about_exists() {
        for obligation in Ledger::load().unwrap().obligations {
            for path in &obligation.code {
                assert!(workspace::root().join(path).exists(), "{}: no {path}", obligation.id);
            }
        }
    }

    #[test]
    fn every_model_is_claimed_and_every_mutant_changes_it_once() {
        let ledger = Ledger::load().unwrap();
        let mut claimed = BTreeSet::new();
        for obligation in &ledger.obligations {
            let (place, file, mutants) = match &obligation.check {
                Some(Check::Coq { file, mutants, .. }) => ("coq", file, mutants),
                Some(Check::Spin { file, mutants }) => ("spin", file, mutants),
                _ => continue,
            };
            let text = std::fs::read_to_string(directory().join(place).join(file)).unwrap();
            for mutant in mutants {
                assert_eq!(text.matches(&mutant.from).count(), 1, "{}: {}", obligation.id, mutant.from);
            }
            claimed.insert(file.clone());
        }
        for entry in ["coq", "spin"].iter().flat_map(|place| std::fs::read_dir(directory().join(place)).unwrap()) {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let model = name.ends_with(".v") || name.ends_with(".pml");
            assert!(!model || claimed.contains(&name), "no obligation is about {name}");
        }
    }

    #[test]
    fn every_planted_bug_fits_its_file() {
        for obligation in Ledger::load().unwrap().obligations {
            for bug in obligation.check.as_ref().map(Check::planted).unwrap_or_default() {
                let text = std::fs::read_to_string(workspace::root().join(&bug.file)).unwrap();
                assert!(bug.applied(&text).is_ok(), "{}: {}", obligation.id, bug.why);
            }
        }
    }

    #[test]
    fn a_claim_needs_a_check_that_supports_it() {
        assert!(Ledger::parse(CLAIM).is_ok());
        assert!(refused(&CLAIM.replace("\"R\"", "\"P\"")).contains("cannot support class P"));
        assert!(refused(&CLAIM.replace("check =", "# ")).contains("without a check"));
        assert!(refused(&CLAIM.replace("\"R\"", "\"open\"")).contains("claims nothing"));
        assert!(refused(&CLAIM.replace("level = 1", "level = 8")).contains("no level 8"));
        assert!(refused(&CLAIM.replace("gap = \"g\"", "gap = \"\"")).contains("names no gap"));
    }

    #[test]
    fn what_a_claim_rests_on_is_there() {
        let resting = CLAIM.replace("level = 1", "level = 1\nrests_on = [\"L1-y\"]");
        assert!(refused(&resting).contains("rests on"));
        assert!(Ledger::parse(&(CLAIM.replace("L1-x", "L1-y") + &resting)).is_ok());
    }

    #[test]
    fn an_id_is_used_once() {
        assert!(refused(&CLAIM.repeat(2)).contains("is there twice"));
    }
}
