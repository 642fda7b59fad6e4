//! The check: from text to a [`Plan`], or to everything that is wrong with the text.
//!
//! One file per family of rules. A family never stops at a finding: it resolves what it can, so that the families after
//! it still have something to look at. `tests/refusals.rs` shows every refusal.

mod channels;
mod claims;
mod cores;
mod devices;
mod doorbells;
mod limits;
mod memory;
mod names;
mod programs;

use crate::code::Code;
use crate::diagnostic::{Finding, Findings, Report, Span};
use crate::images::Images;
use crate::plan::{Channel, Partition, Plan};
use crate::read::Spot;
use crate::schema::{self, Defaults, File};

/// Checks the system file `text`; `source_name` is what reports call it, and names the system if nothing else does.
///
/// # Errors
/// A report of everything that is wrong.
pub fn check(source_name: &str, text: &str, images: &dyn Images) -> Result<Plan, Report> {
    let mut findings = Findings::default();
    let plan = schema::parse(text, &mut findings).map(|file| resolve(source_name, &file, images, &mut findings));
    match plan {
        Some(plan) if findings.is_empty() => Ok(plan),
        _ => Err(findings.into_report(source_name, text)),
    }
}

fn resolve(source_name: &str, file: &File, images: &dyn Images, findings: &mut Findings) -> Plan {
    let partitions = items(&file.partition);
    if partitions.is_empty() {
        let message = "a system needs at least one partition";
        let help = "begin with\n[[partition]]\nname = \"first\"\n[[partition.program]]\nimage = \"hello\"";
        findings.add(Finding::new(Code::NoPartition, message, &(0..0), "no [[partition]] in this file").help(help));
    }
    names::check(file, findings);
    let cores = cores::resolve(partitions, findings);
    let devices = devices::resolve(partitions, findings);
    let software = programs::resolve(file, &cores, images, findings);
    let drafts = channels::resolve(file, findings);
    let doorbells = doorbells::resolve(file, &drafts, &cores, &software, findings);
    limits::check(partitions, &devices, &drafts, findings);
    let memory = memory::resolve(
        file,
        &memory::Contents { software: &software, cores: &cores, devices: &devices, channels: &drafts },
        findings,
    );

    let partitions = partitions.iter().zip(cores).zip(devices).zip(software).zip(memory.slices);
    let partitions = partitions
        .map(|((((partition, cores), devices), software), slice)| Partition {
            name: name_of(&partition.value),
            cores,
            memory: slice.ranges,
            domains: domains(&partition.value, findings),
            root_cnode_bits: software.root_cnode_bits,
            mitigations: mitigations(&partition.value, file),
            need: slice.need,
            owns: devices.owns,
            mmio: devices.mmio,
            ports: devices.ports,
            interrupts: devices.interrupts,
            console: devices.console,
            kernel: software.kernel.content,
            root_task: software.root_task.content,
            root_kind: software.root_kind,
            programs: software.programs,
            files: software.files,
        })
        .collect();
    let channels = drafts.into_iter().zip(doorbells).zip(memory.channels);
    let channels = channels
        .filter_map(|((draft, [forward, backward]), memory)| {
            let [mut first, mut second] = draft.ends?;
            (first.rings, second.rings) = (forward, backward);
            Some(Channel { name: draft.name, memory, ends: [first, second] })
        })
        .collect();
    Plan { name: system_name(source_name, file), partitions, channels }
}

/// Scheduling domains of a partition.
fn domains(partition: &schema::Partition, findings: &mut Findings) -> u32 {
    use manifest::handoff::MAX_DOMAINS;
    let Some(domains) = &partition.domains else { return 1 };
    if !(1..=MAX_DOMAINS).contains(&domains.value) {
        let message = format!("partition `{}` cannot have {} domains", name_of(partition), domains.value);
        let finding = Finding::new(Code::Domains, message, &domains.span, "not a possible number of domains");
        findings.add(finding.help(format!("a kernel has 1 to {MAX_DOMAINS} scheduling domains")));
    }
    domains.value
}

/// Mitigations of a partition.
fn mitigations(partition: &schema::Partition, file: &File) -> schema::Mitigations {
    let default = defaults(file).mitigations;
    partition.mitigations.as_ref().or(default.as_ref()).map(|mitigations| mitigations.value).unwrap_or_default()
}

fn system_name(source_name: &str, file: &File) -> String {
    if let Some(name) = file.system.as_ref().and_then(|system| system.value.name.as_ref()) {
        return name.value.clone();
    }
    let last = source_name.rsplit(['/', '\\']).next().unwrap_or(source_name);
    let stem = last.strip_suffix(".toml").unwrap_or(last);
    let fits = !stem.is_empty() && manifest::Name::new(stem).is_some();
    if fits { stem.to_owned() } else { "system".to_owned() }
}

/// The entries of an optional array.
pub(crate) fn items<T>(field: &Option<Spot<Vec<T>>>) -> &[T] {
    field.as_ref().map_or(&[], |spot| &spot.value)
}

/// The `[system.defaults]` of a file.
pub(crate) fn defaults(file: &File) -> Defaults {
    let system = file.system.as_ref().map(|system| &system.value);
    system.and_then(|system| system.defaults.as_ref()).map(|spot| spot.value.clone()).unwrap_or_default()
}

/// Name of a partition, `?` if it has none (which is a finding of its own).
pub(crate) fn name_of(partition: &schema::Partition) -> String {
    partition.name.as_ref().map_or("?", |name| name.value.as_str()).to_owned()
}

/// Where to point for a partition as a whole.
pub(crate) fn name_span(partition: &Spot<schema::Partition>) -> &Span {
    partition.value.name.as_ref().map_or(&partition.span, |name| &name.span)
}

/// Name of a program: its own, or that of its image.
pub(crate) fn program_name(program: &schema::Program) -> Option<Spot<String>> {
    if program.name.is_some() {
        return program.name.clone();
    }
    let image = program.image.as_ref()?;
    let last = image.value.rsplit('/').next().unwrap_or(&image.value);
    let stem = last.strip_suffix(".elf").unwrap_or(last);
    Some(Spot { value: stem.to_owned(), span: image.span.clone() })
}

/// At least one page, and no part of another.
pub(crate) fn is_whole_pages(bytes: u64) -> bool {
    bytes > 0 && bytes.is_multiple_of(crate::size::PAGE)
}
