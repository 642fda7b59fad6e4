//! What the records of a manifest may say: every index inside its table, every range inside its owner's, every number
//! within what [`crate::handoff`] can carry. Tests: `tests/decode.rs`,
//! and `partition-config/tests/properties.rs`.

use crate::decode::Manifest;
use crate::error::DecodeError;
use crate::handoff::{MAX_CORES, MAX_DEVICES, MAX_DOMAINS, MAX_MEMORY, MAX_PORTS, MAX_ROOT_CNODE_BITS, MAX_ROUTES};
use crate::record::*;

type Checked = Result<(), DecodeError>;

const PAGE: u64 = 4096;
const PARTITION_FLAGS: u32 = partition_flags::IOAPIC
    | partition_flags::FOREIGN_ROOT
    | partition_flags::ACPI
    | partition_flags::SMP
    | partition_flags::FRAMEBUFFER;
const PROGRAM_FLAGS: u32 = program_flags::SERVICE | program_flags::DRIVER;

/// Names the record under test, so that a check reads `at.field("priority", priority <= 255)?`.
#[derive(Clone, Copy)]
struct At {
    table: &'static str,
    index: usize,
}

impl At {
    fn field(self, field: &'static str, holds: impl Into<Option<bool>>) -> Checked {
        if holds.into() == Some(true) {
            return Ok(());
        }
        Err(DecodeError::Field { table: self.table, index: self.index as u32, field })
    }

    fn name(self, name: &Name) -> Checked {
        let end = name.bytes.iter().position(|&byte| byte == 0).unwrap_or(NAME_BYTES);
        let (text, padding) = name.bytes.split_at_checked(end).unwrap_or((&[], &[]));
        if !text.is_empty() && core::str::from_utf8(text).is_ok() && padding.iter().all(|&byte| byte == 0) {
            return Ok(());
        }
        Err(DecodeError::Name { table: self.table, index: self.index as u32 })
    }
}

fn each<T>(table: &'static str, records: &[T], check: impl Fn(At, &T) -> Checked) -> Checked {
    records.iter().enumerate().try_for_each(|(index, record)| check(At { table, index }, record))
}

/// `range` lies within a table of `length` entries.
fn fits(range: Range, length: usize) -> bool {
    range.start.checked_add(range.count).is_some_and(|end| end as usize <= length)
}

/// `index` is one of `range`.
fn contains(range: Range, index: u32) -> bool {
    index.checked_sub(range.start).is_some_and(|distance| distance < range.count)
}

fn optional(index: u32, holds: impl FnOnce(u32) -> bool) -> bool {
    index == NONE || holds(index)
}

/// A doorbell between partitions, or between programs of one: then the channel is of the same kind.
fn bell(value: u32, channel: Option<&Channel>, holds: impl FnOnce(u32) -> bool) -> bool {
    let local = channel.is_some_and(Channel::is_local);
    optional(value, |value| if local { value == LOCAL } else { holds(value) })
}

fn at_most(range: Range, most: usize) -> bool {
    range.count as usize <= most
}

/// Page-aligned, not empty, ends within 64 bits.
fn whole_pages(base: u64, size: u64) -> bool {
    size > 0 && base.is_multiple_of(PAGE) && size.is_multiple_of(PAGE) && base.checked_add(size).is_some()
}

fn is_doorbell(vector: u32) -> bool {
    u8::try_from(vector).is_ok_and(|vector| matches!(ipi::classify(vector), ipi::Vector::Doorbell(_)))
}

/// Checks every record of every table.
pub(crate) fn records(manifest: &Manifest<'_>) -> Checked {
    At { table: "header", index: 0 }.name(&manifest.header().name)?;
    each("memory", manifest.memory(), |at, range| at.field("size", whole_pages(range.base, range.size)))?;
    each("devices", manifest.devices(), |at, range| at.field("size", whole_pages(range.base, range.size)))?;
    each("ports", manifest.ports(), |at, range| {
        at.field("last", range.first <= range.last)?;
        at.field("reserved", range.reserved == 0)
    })?;
    each("irqs", manifest.irqs(), |at, irq| {
        at.field("kind", irq.kind == irq::PIN || irq.kind == irq::MSI)?;
        let limit = if irq.kind == irq::PIN { 64 } else { u32::from(ipi::USER_LAST - ipi::USER_FIRST) + 1 };
        at.field("number", irq.number < limit)
    })?;
    each("files", manifest.files(), |at, file| {
        at.name(&file.name)?;
        at.field("offset", file.offset.is_multiple_of(PAGE))?;
        at.field("size", file.offset.checked_add(file.size).map(|end| end < u64::MAX - PAGE))
    })?;
    each("grants", manifest.grants(), |at, grant| {
        at.field("file", (grant.file as usize) < manifest.files().len())?;
        at.field("reserved", grant.reserved == 0)
    })?;
    each("channels", manifest.channels(), |at, channel| {
        at.name(&channel.name)?;
        at.field("size", whole_pages(channel.base, channel.size))
    })?;
    each("doorbells", manifest.doorbells(), |at, doorbell| {
        at.field("vector", is_doorbell(doorbell.vector))?;
        at.field("channel", (doorbell.channel as usize) < manifest.channels().len())
    })?;
    each("ends", manifest.ends(), |at, end| {
        at.field("channel", (end.channel as usize) < manifest.channels().len())?;
        at.field("program", optional(end.program, |program| (program as usize) < manifest.programs().len()))?;
        at.field("access", end.access <= 3)?;
        at.field("side", end.side <= 1)?;
        let channel = manifest.channel_of(end);
        at.field("rings", bell(end.rings, channel, |rings| (rings as usize) < manifest.doorbells().len()))?;
        at.field("hears", bell(end.hears, channel, is_doorbell))
    })?;
    each("programs", manifest.programs(), |at, record| program(manifest, at, record))?;
    each("partitions", manifest.partitions(), |at, record| partition(manifest, at, record))
}

fn program(manifest: &Manifest<'_>, at: At, program: &Program) -> Checked {
    at.name(&program.name)?;
    at.field("image", (program.image as usize) < manifest.files().len())?;
    at.field("priority", program.priority <= 255)?;
    at.field("budget_us", (1..=program.period_us).contains(&program.budget_us))?;
    at.field("stack_bytes", program.stack_bytes > 0 && program.stack_bytes.is_multiple_of(PAGE))?;
    at.field("heap_bytes", program.heap_bytes.is_multiple_of(PAGE))?;
    at.field("grants", fits(program.grants, manifest.grants().len()))?;
    at.field("args", fits(program.args, manifest.strings().len()))?;
    let text =
        manifest.strings().get(program.args.start as usize..).and_then(|rest| rest.get(..program.args.count as usize));
    at.field("args", text.map(|text| core::str::from_utf8(text).is_ok()))?;
    at.field("flags", program.flags & !PROGRAM_FLAGS == 0)
}

fn partition(manifest: &Manifest<'_>, at: At, record: &Partition) -> Checked {
    let files = manifest.files().len();
    at.name(&record.name)?;
    at.field("flags", record.flags & !PARTITION_FLAGS == 0)?;
    at.field("console_kind", record.console_kind <= console::DEBUGCON)?;
    at.field("console_port", record.console_port <= u32::from(u16::MAX))?;
    at.field("kernel", optional(record.kernel, |kernel| (kernel as usize) < files))?;
    at.field("root_task", optional(record.root_task, |root_task| (root_task as usize) < files))?;
    at.field("domains", record.domains <= MAX_DOMAINS)?;
    at.field("root_cnode_bits", record.root_cnode_bits <= MAX_ROOT_CNODE_BITS)?;
    at.field("mitigations", record.mitigations & !(mitigations::ALL | mitigations::AUTO) == 0)?;
    at.field("cores", fits(record.cores, manifest.cores().len()))?;
    at.field("cores", record.cores.count > 0 && at_most(record.cores, MAX_CORES))?;
    at.field("memory", fits(record.memory, manifest.memory().len()))?;
    at.field("memory", record.memory.count > 0 && at_most(record.memory, MAX_MEMORY))?;
    at.field("devices", fits(record.devices, manifest.devices().len()))?;
    at.field("ends", fits(record.ends, manifest.ends().len()))?;
    let far = |end: &&End| manifest.channel_of(end).is_some_and(|channel| !channel.is_local());
    let ranges = record.devices.count as usize + manifest.ends_of(record).iter().filter(far).count();
    at.field("devices", ranges <= MAX_DEVICES)?;
    at.field("ports", fits(record.ports, manifest.ports().len()) && at_most(record.ports, MAX_PORTS))?;
    at.field("irqs", fits(record.irqs, manifest.irqs().len()))?;
    at.field("programs", fits(record.programs, manifest.programs().len()))?;
    at.field("files", fits(record.files, files))?;
    let doorbells = record.doorbells_out;
    at.field("doorbells_out", fits(doorbells, manifest.doorbells().len()) && at_most(doorbells, MAX_ROUTES))?;

    // What belongs to a partition points only at what belongs to it.
    each("doorbells", manifest.doorbells_of(record), |inner, doorbell| {
        inner.field("route", doorbell.route as usize == inner.index)
    })?;
    each("ends", manifest.ends_of(record), |inner, end| {
        let foreign = record.flags & partition_flags::FOREIGN_ROOT != 0;
        let owner = if foreign { end.program == NONE } else { contains(record.programs, end.program) };
        inner.field("program", owner)?;
        inner.field("rings", bell(end.rings, manifest.channel_of(end), |rings| contains(doorbells, rings)))
    })?;
    each("programs", manifest.programs_of(record), |inner, program| {
        inner.field("image", contains(record.files, program.image))?;
        inner.field("node", program.node < record.cores.count)?;
        let first = program.grants.start as usize;
        let grants = manifest.grants().get(first..).and_then(|rest| rest.get(..program.grants.count as usize));
        inner.field("grants", grants.map(|all| all.iter().all(|grant| contains(record.files, grant.file))))
    })
}
