//! Names: present, short enough, made of plain characters, and unique where they are looked up.

use super::{items, program_name};
use crate::code::Code;
use crate::diagnostic::{Finding, Findings, Span};
use crate::read::Spot;
use crate::schema::File;
use manifest::NAME_BYTES;
use std::collections::BTreeMap;

/// What a name may consist of.
#[derive(Clone, Copy)]
enum Alphabet {
    /// Letters, digits, `-`, `_`, `.`: these names appear in `partition/program`.
    Identifier,
    /// Anything printable.
    Printable,
}

pub(super) fn check(file: &File, findings: &mut Findings) {
    if let Some(name) = file.system.as_ref().and_then(|system| system.value.name.as_ref()) {
        well_formed("system", name, Alphabet::Printable, findings);
    }
    let partitions = items(&file.partition);
    unique("partition", partitions.iter().filter_map(|partition| partition.value.name.clone()), findings);
    unique("channel", items(&file.channel).iter().filter_map(|channel| channel.value.name.clone()), findings);
    for partition in partitions {
        let programs = items(&partition.value.program);
        unique("program", programs.iter().filter_map(|program| program_name(&program.value)), findings);
        for program in programs {
            if program.value.name.is_none() && program.value.image.is_none() {
                let finding =
                    Finding::new(Code::MissingKey, "a program needs an image", &program.span, "no `image` here");
                findings.add(finding.help("add a line `image = \"…\"` with the name of a workspace program or a path"));
            }
            let mut seen = BTreeMap::new();
            for grant in items(&program.value.files) {
                let name = &grant.value.name;
                well_formed("file", name, Alphabet::Printable, findings);
                clash("file", name, &mut seen, findings);
            }
        }
    }
}

fn unique(what: &str, names: impl Iterator<Item = Spot<String>>, findings: &mut Findings) {
    let mut seen = BTreeMap::new();
    for name in names {
        well_formed(what, &name, Alphabet::Identifier, findings);
        clash(what, &name, &mut seen, findings);
    }
}

fn clash(what: &str, name: &Spot<String>, seen: &mut BTreeMap<String, Span>, findings: &mut Findings) {
    match seen.get(&name.value) {
        Some(first) => findings.add(
            Finding::new(
                Code::NameTaken,
                format!("there are two {what}s named `{}`", name.value),
                &name.span,
                "this name is taken",
            )
            .also(first, "first used here")
            .help("choose another name"),
        ),
        None => {
            seen.insert(name.value.clone(), name.span.clone());
        }
    }
}

fn well_formed(what: &str, name: &Spot<String>, alphabet: Alphabet, findings: &mut Findings) {
    let text = &name.value;
    let allowed = |c: char| match alphabet {
        Alphabet::Identifier => c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'),
        Alphabet::Printable => !c.is_control(),
    };
    let wrong = if text.is_empty() {
        "is empty".to_owned()
    } else if text.len() > NAME_BYTES {
        format!("has {} bytes, the most is {NAME_BYTES}", text.len())
    } else if let Some(c) = text.chars().find(|&c| !allowed(c)) {
        format!("has the character {c:?}")
    } else {
        return;
    };
    let help = match alphabet {
        Alphabet::Identifier => "use letters, digits, `-`, `_` and `.`, at most 32",
        Alphabet::Printable => "use printable characters, at most 32 bytes in UTF-8",
    };
    findings
        .add(Finding::new(Code::NameInvalid, format!("this {what} name {wrong}"), &name.span, "not a name").help(help));
}
