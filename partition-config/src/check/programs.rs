//! Programs: images that can be loaded, parameters that the kernel can keep, files that exist.

use super::{defaults, is_whole_pages, items, name_of, name_span, program_name};
use crate::code::Code;
use crate::diagnostic::{Finding, Findings, Span};
use crate::elf::{self, Image, Kind, Problem};
use crate::images::Images;
use crate::need;
use crate::plan::{Content, File, Lifetime, Program, Role, RootKind};
use crate::read::{Spot, nearest};
use crate::schema::{self, Defaults, FileGrant};
use crate::size::{Size, Time};
use manifest::handoff::MAX_ROOT_CNODE_BITS;
use std::collections::BTreeMap;
use std::sync::Arc;

const DEFAULT_PRIORITY: u32 = 100;
/// 255 is the root task's: it must be able to report a fault of any program.
const PRIORITY_LAST: u32 = 254;
const DEFAULT_PERIOD_US: u64 = 10_000;
const DEFAULT_STACK_BYTES: u64 = 64 << 10;
const DEFAULT_HEAP_BYTES: u64 = 256 << 10;
const SPACE_LAST_BYTES: u64 = 1 << 30;
/// Twice the time a kernel may need to switch away.
const BUDGET_FIRST_US: u64 = 20;
const PERIOD_LAST_US: u64 = 3_600_000_000;

/// What runs in a partition.
#[derive(Clone, Debug)]
pub(super) struct Software {
    pub kernel: Image,
    pub root_task: Image,
    pub root_kind: RootKind,
    /// log2 of the slots of its CNode.
    pub root_cnode_bits: u32,
    pub programs: Vec<Program>,
    pub files: Vec<File>,
    /// Segments, stack and heap of each program, bytes.
    pub loads: Vec<u64>,
    /// Granted files, bytes.
    pub granted_bytes: u64,
}

/// Reads each file and image once.
struct Library<'a> {
    images: &'a dyn Images,
    examined: BTreeMap<(String, &'static str), Result<Image, Problem>>,
    data: BTreeMap<(String, String), Option<Content>>,
}

/// The software of each partition.
pub(super) fn resolve(
    file: &schema::File,
    cores: &[Vec<u32>],
    images: &dyn Images,
    findings: &mut Findings,
) -> Vec<Software> {
    let mut library = Library { images, examined: BTreeMap::new(), data: BTreeMap::new() };
    let partitions = items(&file.partition);
    let place = partitions.first().map_or(&(0..0), name_span);
    let mut kernels = BTreeMap::new();
    let mut kernel = |cores: usize, findings: &mut Findings| -> Image {
        let flavour = kernels.entry(cores > 1);
        flavour.or_insert_with(|| built(images.kernel(cores), Kind::Kernel, "kernel", place, findings)).clone()
    };
    let skerry = partitions.iter().any(|partition| partition.value.root_task.is_none());
    let root = match skerry {
        true => built(images.root_task(), Kind::RootTask, "root task", place, findings),
        false => nothing(),
    };
    let defaults = defaults(file);
    let software = partitions.iter().zip(cores).map(|(partition, cores)| {
        let mut software = Software {
            kernel: kernel(cores.len(), findings),
            root_task: root.clone(),
            root_kind: RootKind::Skerry,
            root_cnode_bits: 0,
            programs: Vec::new(),
            files: Vec::new(),
            loads: Vec::new(),
            granted_bytes: 0,
        };
        if let Some(path) = &partition.value.root_task {
            software.root_kind = RootKind::Foreign;
            software.root_task = library.image(path, Kind::RootTask, findings).unwrap_or_else(nothing);
        }
        software.root_cnode_bits = root_cnode_bits(&partition.value, software.root_task.span_bytes, findings);
        either_programs_or_root_task(partition, findings);
        let mut positions = Positions::default();
        let nodes = super::cores::nodes(&partition.value, cores, findings);
        for (program, node) in items(&partition.value.program).iter().zip(nodes) {
            program_image(program, node, &mut software, &mut positions, &mut library, &defaults, findings);
        }
        let programs = items(&partition.value.program).iter().zip(0..);
        for (program, index) in programs {
            for grant in items(&program.value.files) {
                data_file(index, &grant.value, &mut software, &mut positions, &mut library, findings);
            }
        }
        software
    });
    software.collect()
}

/// Where a partition has a file already.
#[derive(Default)]
struct Positions {
    images: BTreeMap<String, usize>,
    data: BTreeMap<(String, String), usize>,
}

fn nothing() -> Image {
    Image { content: Arc::from([]), span_bytes: 0, loaded_bytes: 0 }
}

/// An image that every build has; its absence is not the file's fault, and is said at the first partition.
fn built(bytes: std::io::Result<Vec<u8>>, kind: Kind, what: &str, place: &Span, findings: &mut Findings) -> Image {
    let image = match bytes {
        Ok(bytes) => elf::examine(&bytes, kind),
        Err(error) => Err(Problem { code: Code::ImageMissing, message: format!("cannot be read: {error}") }),
    };
    image.unwrap_or_else(|problem| {
        let message = format!("the {what} {}", problem.message);
        let finding = Finding::new(problem.code, message, place, format!("needs the {what}"));
        findings
            .add(finding.help("this is no mistake of the system file: build the workspace for x86_64-unknown-none"));
        nothing()
    })
}

/// log2 of the slots of a root task's CNode, whose image spans so many bytes.
fn root_cnode_bits(partition: &schema::Partition, span_bytes: u64, findings: &mut Findings) -> u32 {
    let least = need::root_cnode_bits(span_bytes);
    let Some(bits) = &partition.root_cnode_bits else { return least };
    if !(least..=MAX_ROOT_CNODE_BITS).contains(&bits.value) {
        let name = name_of(partition);
        let message = format!("the root task of partition `{name}` cannot have a CNode of 2^{} slots", bits.value);
        let finding = Finding::new(Code::RootCNode, message, &bits.span, "not a possible size");
        findings.add(finding.help(format!(
            "from {least}, as the pages of its image take a slot each, to {MAX_ROOT_CNODE_BITS}; a slot has 32 bytes"
        )));
        return least;
    }
    bits.value
}

fn either_programs_or_root_task(partition: &Spot<schema::Partition>, findings: &mut Findings) {
    let name = name_of(&partition.value);
    match (&partition.value.root_task, items(&partition.value.program).first()) {
        (None, None) => findings.add(
            Finding::new(
                Code::PartitionEmpty,
                format!("partition `{name}` has nothing to run"),
                name_span(partition),
                "no program, no root task",
            )
            .help("add a [[partition.program]] with an `image`, or `root-task = \"path.elf\"`"),
        ),
        (Some(root), Some(program)) => findings.add(
            Finding::new(
                Code::RootTaskWithPrograms,
                format!("partition `{name}` has a root task of its own, and programs"),
                &root.span,
                "this root task gets the whole partition",
            )
            .also(&program.span, "nobody would start this")
            .help("remove `root-task` to have the programs started by Skerry's root task, or remove the programs"),
        ),
        _ => {}
    }
}

impl Library<'_> {
    fn image(&mut self, reference: &Spot<String>, kind: Kind, findings: &mut Findings) -> Option<Image> {
        let name = &reference.value;
        let images = self.images;
        let key = (name.clone(), if kind == Kind::RootTask { "root task" } else { "program" });
        let examined = self.examined.entry(key).or_insert_with(|| {
            let missing = |message| Problem { code: Code::ImageMissing, message };
            let bytes = if kind == Kind::RootTask || name.contains('/') || name.ends_with(".elf") {
                images.file(name).map_err(|error| missing(format!("cannot be read: {error}")))?
            } else {
                images.workspace_program(name).ok_or_else(|| missing("is no program of the workspace".to_owned()))?
            };
            elf::examine(&bytes, kind)
        });
        match examined {
            Ok(image) => Some(image.clone()),
            Err(problem) => {
                let message = format!("the image `{name}` {}", problem.message);
                let finding = Finding::new(problem.code, message, &reference.span, "cannot be loaded");
                findings.add(finding.help(image_help(problem.code, kind, name, images)));
                None
            }
        }
    }

    fn data(&mut self, grant: &FileGrant, findings: &mut Findings) -> Option<Content> {
        let images = self.images;
        let (name, path) = (&grant.name.value, &grant.from.value);
        if let Some(content) = self.data.get(&(name.clone(), path.clone())).cloned().flatten() {
            return Some(content);
        }
        match images.data_file(name, path) {
            Ok(bytes) => {
                let content = Content::from(bytes);
                self.data.insert((name.clone(), path.clone()), Some(Arc::clone(&content)));
                Some(content)
            }
            Err(error) => {
                let message = format!("the file `{path}` cannot be read: {error}");
                let finding = Finding::new(Code::FileMissing, message, &grant.from.span, "cannot be read");
                findings.add(finding.help("paths are relative to the folder of the system file"));
                None
            }
        }
    }
}

fn image_help(code: Code, kind: Kind, name: &str, images: &dyn Images) -> String {
    match code {
        Code::ImageMissing if name.contains('/') || name.ends_with(".elf") => {
            "paths are relative to the folder of the system file".to_owned()
        }
        Code::ImageMissing => {
            let programs = images.workspace_programs();
            match nearest(name, programs.iter().map(String::as_str)) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => {
                    "a path needs a `/` or ends in `.elf`; a program of the workspace is a `[[bin]]` of skerry-programs"
                        .to_owned()
                }
            }
        }
        Code::ImageFormat => "link it statically, at a fixed address, for x86_64-unknown-none".to_owned(),
        Code::ImageOutside => {
            let what = if kind == Kind::RootTask { "root tasks" } else { "programs" };
            let (first, end) = kind.place();
            format!("{what} live at {first:#x} to {end:#x}: change the linker script")
        }
        _ => "start each segment at a new page: change the linker script".to_owned(),
    }
}

fn program_image(
    program: &Spot<schema::Program>,
    node: usize,
    software: &mut Software,
    positions: &mut Positions,
    library: &mut Library<'_>,
    defaults: &Defaults,
    findings: &mut Findings,
) {
    let Spot { value, span } = program;
    let name = program_name(value).unwrap_or_else(|| Spot { value: "?".to_owned(), span: span.clone() });
    let reference = value.image.clone().or_else(|| value.name.clone());
    let image = reference.as_ref().and_then(|reference| library.image(reference, Kind::Program, findings));
    let stack_bytes = stack(value, defaults, findings);
    let heap_bytes = heap(value, defaults, findings);
    let (budget_us, period_us) = timing(value, defaults, findings);
    let mut position = 0;
    if let (Some(reference), Some(image)) = (reference, image) {
        software.loads.push(image.loaded_bytes.saturating_add(stack_bytes).saturating_add(heap_bytes));
        position = *positions.images.entry(reference.value).or_insert_with(|| {
            software.files.push(File { name: name.value.clone(), content: image.content });
            software.files.len() - 1
        });
    }
    software.programs.push(Program {
        name: name.value,
        node,
        image: position,
        priority: priority(value, defaults, findings),
        budget_us,
        period_us,
        stack_bytes,
        heap_bytes,
        args: arguments(value, findings),
        grants: Vec::new(),
        lifetime: match value.service.as_ref().is_some_and(|service| service.value) {
            true => Lifetime::Service,
            false => Lifetime::Job,
        },
        role: match value.driver.as_ref().is_some_and(|driver| driver.value) {
            true => Role::Driver,
            false => Role::Plain,
        },
    });
}

fn data_file(
    program: usize,
    grant: &FileGrant,
    software: &mut Software,
    positions: &mut Positions,
    library: &mut Library<'_>,
    findings: &mut Findings,
) {
    let Some(content) = library.data(grant, findings) else { return };
    software.granted_bytes = software.granted_bytes.saturating_add(content.len() as u64);
    let key = (grant.name.value.clone(), grant.from.value.clone());
    let position = *positions.data.entry(key).or_insert_with(|| {
        software.files.push(File { name: grant.name.value.clone(), content });
        software.files.len() - 1
    });
    if let Some(program) = software.programs.get_mut(program) {
        program.grants.push(position);
    }
}

fn priority(program: &schema::Program, defaults: &Defaults, findings: &mut Findings) -> u32 {
    let Some(priority) = program.priority.as_ref().or(defaults.priority.as_ref()) else { return DEFAULT_PRIORITY };
    let priority = &priority.value;
    if priority.value > PRIORITY_LAST {
        let message = format!("priority {} is too high", priority.value);
        let finding = Finding::new(Code::Priority, message, &priority.span, "out of range");
        findings.add(finding.help(format!("priorities are 0 to {PRIORITY_LAST}; the root task has 255")));
    }
    priority.value
}

fn stack(program: &schema::Program, defaults: &Defaults, findings: &mut Findings) -> u64 {
    let Some(stack) = program.stack.as_ref().or(defaults.stack.as_ref()) else { return DEFAULT_STACK_BYTES };
    let Size(bytes) = stack.value;
    if !is_whole_pages(bytes) || bytes > SPACE_LAST_BYTES {
        let message = format!("a stack of {} cannot be made", stack.value);
        let finding = Finding::new(Code::Stack, message, &stack.span, "not a stack size");
        findings.add(finding.help("stacks are multiples of 4K, at least 4K, at most 1G"));
        return DEFAULT_STACK_BYTES;
    }
    bytes
}

fn heap(program: &schema::Program, defaults: &Defaults, findings: &mut Findings) -> u64 {
    let Some(heap) = program.heap.as_ref().or(defaults.heap.as_ref()) else { return DEFAULT_HEAP_BYTES };
    let Size(bytes) = heap.value;
    if (bytes != 0 && !is_whole_pages(bytes)) || bytes > SPACE_LAST_BYTES {
        let message = format!("a heap of {} cannot be made", heap.value);
        let finding = Finding::new(Code::Heap, message, &heap.span, "not a heap size");
        findings.add(finding.help("heaps are multiples of 4K, at most 1G; 0 is no heap"));
        return DEFAULT_HEAP_BYTES;
    }
    bytes
}

fn timing(program: &schema::Program, defaults: &Defaults, findings: &mut Findings) -> (u64, u64) {
    let budget = program.budget.as_ref().or(defaults.budget.as_ref());
    let period = program.period.as_ref().or(defaults.period.as_ref());
    let Some(place) = budget.or(period).map(|time| &time.span) else { return (DEFAULT_PERIOD_US, DEFAULT_PERIOD_US) };
    let us = |time: Option<&Spot<Time>>| time.map(|time| time.value.us);
    let period_us = us(period).or(us(budget)).unwrap_or(DEFAULT_PERIOD_US);
    let budget_us = us(budget).unwrap_or(period_us);
    if budget_us > period_us {
        let (budget_text, period_text) = (Time { us: budget_us }, Time { us: period_us });
        let message = format!("a budget of {budget_text} does not fit into a period of {period_text}");
        let mut finding = Finding::new(Code::Budget, message, place, "more than the period");
        if let Some(period) = period {
            finding = finding.also(&period.span, "the period");
        }
        findings.add(finding.help("the budget is the time a program may run in each period: at most the period"));
    } else if budget_us < BUDGET_FIRST_US || period_us > PERIOD_LAST_US {
        let message = "the kernel cannot keep this budget and period";
        let finding = Finding::new(Code::Budget, message, place, "too short or too long");
        findings.add(finding.help("the shortest budget is 20us, the longest period 3600s"));
    }
    (budget_us, period_us)
}

fn arguments(program: &schema::Program, findings: &mut Findings) -> Vec<String> {
    let args = items(&program.args);
    for arg in args.iter().filter(|arg| arg.value.is_empty() || arg.value.contains('\0')) {
        let finding =
            Finding::new(Code::Argument, "this argument cannot be passed", &arg.span, "empty, or with a zero");
        findings.add(finding.help("arguments are not empty and hold no zero bytes"));
    }
    args.iter().map(|arg| arg.value.clone()).collect()
}
