//! Devices: ports, device memory, interrupts and consoles; each has one owner, some have none.

use super::claims::{Claim, Origin, Resource, refuse_clashes};
use super::{items, name_span};
use crate::code::Code;
use crate::devices::{
    DEVICES, IO_APIC, IO_APIC_REGISTERS, LOCAL_APIC_REGISTERS, RESERVED_PORTS, UART_PORTS, find, serial_port,
};
use crate::diagnostic::{Finding, Findings, Span};
use crate::place::{LOADER_HOLE, PHYSICAL_END};
use crate::plan::{Console, Interrupt};
use crate::read::{Spot, nearest};
use crate::schema::{Partition, unknown_choice};
use crate::size::{Extent, PAGE, PortExtent, number};

/// First port of the debug consoles that partitions get by default, one port each.
pub(super) const DEBUGCON_FIRST: u16 = 0x2e00;
const PIN_COUNT: u32 = 64;
const MSI_COUNT: u32 = (ipi::USER_LAST - ipi::USER_FIRST) as u32 + 1;
const CONSOLES: [&str; 8] = ["com1", "com2", "com3", "com4", "debugcon", "debugcon@0x2e00", "uart@0x3220", "none"];

/// What a partition gets of the machine beside cores and RAM.
#[derive(Clone, Debug)]
pub(super) struct Devices {
    pub owns: Vec<String>,
    pub mmio: Vec<Extent>,
    /// The entries of `mmio` with their places.
    pub mmio_listed: Vec<Spot<Extent>>,
    pub ports: Vec<PortExtent>,
    pub interrupts: Vec<Interrupt>,
    pub console: Console,
}

pub(super) fn resolve(partitions: &[Spot<Partition>], findings: &mut Findings) -> Vec<Devices> {
    let mut claims = Vec::new();
    let mut consoles = Vec::new();
    for (index, partition) in partitions.iter().enumerate() {
        named(index, &partition.value, &mut claims, findings);
        listed(index, &partition.value, &mut claims, findings);
        consoles.push(partition.value.console.as_ref().map(|console| {
            let chosen = parse_console(&console.value, index);
            if chosen.is_none() {
                findings.add(unknown_choice(Code::ConsoleUnknown, &console.value, &console.span, &CONSOLES));
            }
            claims.extend(chosen.and_then(|chosen| console_claim(index, chosen, &console.span)));
            chosen.unwrap_or(Console::None)
        }));
    }
    // Whoever says nothing about the console takes what nobody asked for.
    for (index, (partition, console)) in partitions.iter().zip(&mut consoles).enumerate() {
        if console.is_none() {
            let (chosen, claim) = default_console(index, name_span(partition), &claims);
            claims.extend(claim);
            *console = Some(chosen);
        }
    }
    refuse_clashes(partitions, &claims, findings);
    let collected = partitions.iter().zip(consoles).enumerate();
    collected
        .map(|(index, (partition, console))| {
            let own = claims.iter().filter(|claim| claim.partition == index);
            collect(&partition.value, own, console.unwrap_or(Console::None))
        })
        .collect()
}

/// The claims of `owns`.
fn named(index: usize, partition: &Partition, claims: &mut Vec<Claim>, findings: &mut Findings) {
    let owns = items(&partition.owns);
    let routes_pins = owns.iter().any(|name| name.value == IO_APIC);
    for name in owns {
        let Some(device) = find(&name.value) else {
            let known = DEVICES.iter().map(|device| device.name);
            let help = match nearest(&name.value, known.clone()) {
                Some(nearest) => format!("did you mean \"{nearest}\"?"),
                None => format!(
                    "the devices with names are {}; for another, list its `ports`, `mmio` and `interrupts`",
                    known.collect::<Vec<_>>().join(", ")
                ),
            };
            let message = format!("there is no device `{}`", name.value);
            findings.add(Finding::new(Code::DeviceUnknown, message, &name.span, "unknown device").help(help));
            continue;
        };
        let origin = Origin::Device(device.name);
        let mut claim = |resource| claims.push(Claim { partition: index, span: name.span.clone(), origin, resource });
        claim(Resource::Device);
        device.ports.iter().for_each(|ports| claim(Resource::Ports(*ports)));
        device.mmio.iter().for_each(|extent| claim(Resource::Mmio(*extent)));
        if routes_pins {
            device.pins.iter().for_each(|pin| claim(Resource::Pin(*pin)));
        }
    }
}

/// The claims of `ports`, `mmio` and `interrupts`.
fn listed(index: usize, partition: &Partition, claims: &mut Vec<Claim>, findings: &mut Findings) {
    let claim =
        |span: &Span, resource| Claim { partition: index, span: span.clone(), origin: Origin::Listed, resource };
    for ports in items(&partition.ports) {
        if RESERVED_PORTS.iter().any(|reserved| reserved.overlaps(ports.value)) {
            let message = format!("the ports {} are not for partitions", ports.value);
            findings.add(
                Finding::new(Code::PortsReserved, message, &ports.span, "the legacy interrupt controllers are here")
                    .help("they stay masked; own `ioapic` and list the pins under `interrupts`"),
            );
        }
        claims.push(claim(&ports.span, Resource::Ports(ports.value)));
    }
    for extent in items(&partition.mmio) {
        check_mmio(extent, findings);
        claims.push(claim(&extent.span, Resource::Mmio(extent.value)));
    }
    let routes_pins = items(&partition.owns).iter().any(|name| name.value == IO_APIC);
    for text in items(&partition.interrupts) {
        let Some(interrupts) = parse_interrupts(&text.value) else {
            let message = format!("`{}` is no interrupt", text.value);
            let help = format!(
                "write \"pin N\" (0 to {}) for a pin of the I/O APIC, \"msi N\" (0 to {}) for a vector, or \"msi 4-7\"",
                PIN_COUNT - 1,
                MSI_COUNT - 1
            );
            findings.add(Finding::new(Code::InterruptUnknown, message, &text.span, "cannot be read").help(help));
            continue;
        };
        if !routes_pins && interrupts.iter().any(|interrupt| matches!(interrupt, Interrupt::Pin(_))) {
            let message = "interrupt pins belong to the partition that owns the I/O APIC";
            let finding = Finding::new(Code::InterruptNoIoApic, message, &text.span, "a pin without the I/O APIC");
            findings.add(finding.help("add \"ioapic\" to `owns`, or use \"msi N\""));
        }
        claims.extend(interrupts.into_iter().map(|interrupt| {
            let resource = match interrupt {
                Interrupt::Pin(pin) => Resource::Pin(pin),
                Interrupt::Msi(vector) => Resource::Msi(vector),
            };
            claim(&text.span, resource)
        }));
    }
}

fn check_mmio(extent: &Spot<Extent>, findings: &mut Findings) {
    let Spot { value, span } = extent;
    let mut refuse = |code, message: String, label: &str, help: &str| {
        findings.add(Finding::new(code, message, span, label).help(help));
    };
    if value.size == 0 || !value.is_aligned(PAGE) {
        let message = format!("{value} is not whole pages");
        refuse(Code::MmioMisaligned, message, "misaligned", "base and size are multiples of 4K (0x1000), and not 0");
    }
    if value.end() > PHYSICAL_END {
        let message = format!("{value} ends beyond the physical address space");
        refuse(Code::MmioBeyondPhysical, message, "too high", "physical addresses have 52 bits");
    }
    let message = format!("{value} is not for partitions");
    if value.overlaps(LOADER_HOLE) {
        let help = "below 16M, only devices with a name (such as \"vga\") can be owned";
        refuse(Code::MmioReserved, message, "the first MiB and the loader are here", help);
    } else if value.overlaps(IO_APIC_REGISTERS) {
        let help = "add \"ioapic\" to `owns`: the kernel drives it, and programs get its pins";
        refuse(Code::MmioReserved, message, "the I/O APIC is here", help);
    } else if value.overlaps(LOCAL_APIC_REGISTERS) {
        let help = "a write here interrupts any core: use doorbells and \"msi N\" interrupts";
        refuse(Code::MmioReserved, message, "the local APICs are here", help);
    }
}

/// `pin 4`, `pin 16-19`, `msi 0`, `msi 4-7`.
fn parse_interrupts(text: &str) -> Option<Vec<Interrupt>> {
    let (kind, numbers) = text.trim().split_once(' ')?;
    let (first, last) = numbers.split_once('-').unwrap_or((numbers, numbers));
    let (first, last) = (number(first.trim())?, number(last.trim())?);
    let (limit, make): (u32, fn(u32) -> Interrupt) = match kind {
        "pin" => (PIN_COUNT, Interrupt::Pin),
        "msi" => (MSI_COUNT, Interrupt::Msi),
        _ => return None,
    };
    (first <= last && last < u64::from(limit)).then(|| (first as u32..=last as u32).map(make).collect())
}

fn parse_console(text: &str, index: usize) -> Option<Console> {
    if let Some(port) = serial_port(text) {
        return Some(Console::Uart(port));
    }
    match text {
        "none" => return Some(Console::None),
        "debugcon" => return default_debugcon(index),
        _ => {}
    }
    let (kind, port) = text.split_once('@')?;
    let port = u16::try_from(number(port)?).ok()?;
    match kind {
        "debugcon" => Some(Console::Debugcon(port)),
        "uart" if port.checked_add(UART_PORTS - 1).is_some() => Some(Console::Uart(port)),
        _ => None,
    }
}

fn default_debugcon(index: usize) -> Option<Console> {
    Some(Console::Debugcon(DEBUGCON_FIRST.checked_add(u16::try_from(index).ok()?)?))
}

fn console_claim(index: usize, console: Console, span: &Span) -> Option<Claim> {
    let resource = Resource::Ports(console.ports()?);
    Some(Claim { partition: index, span: span.clone(), origin: Origin::Console, resource })
}

/// com1 to com4 for the first four partitions unless another partition wants it, else the partition's own debugcon.
fn default_console(index: usize, span: &Span, claims: &[Claim]) -> (Console, Option<Claim>) {
    let serial = ["com1", "com2", "com3", "com4"].get(index).and_then(|name| serial_port(name)).map(Console::Uart);
    for console in [serial, default_debugcon(index)].into_iter().flatten() {
        let Some(claim) = console_claim(index, console, span) else { continue };
        if !claims.iter().any(|other| other.partition != index && other.meets(&claim)) {
            return (console, Some(claim));
        }
    }
    (Console::None, None)
}

fn collect<'a>(partition: &Partition, claims: impl Iterator<Item = &'a Claim>, console: Console) -> Devices {
    let mut devices = Devices {
        owns: items(&partition.owns).iter().map(|name| name.value.clone()).collect(),
        mmio: Vec::new(),
        mmio_listed: items(&partition.mmio).to_vec(),
        ports: Vec::new(),
        interrupts: Vec::new(),
        console,
    };
    for claim in claims {
        match claim.resource {
            Resource::Device => {}
            Resource::Ports(ports) => devices.ports.push(ports),
            Resource::Mmio(extent) => devices.mmio.push(extent),
            Resource::Pin(pin) => devices.interrupts.push(Interrupt::Pin(pin)),
            Resource::Msi(vector) => devices.interrupts.push(Interrupt::Msi(vector)),
        }
    }
    devices.interrupts.sort();
    devices.interrupts.dedup();
    devices.ports = join_ports(devices.ports);
    devices.mmio = join_extents(devices.mmio);
    devices
}

fn join_ports(mut all: Vec<PortExtent>) -> Vec<PortExtent> {
    all.sort();
    let mut joined = Vec::<PortExtent>::new();
    for ports in all {
        match joined.last_mut() {
            Some(last) if ports.first <= last.last.saturating_add(1) => last.last = last.last.max(ports.last),
            _ => joined.push(ports),
        }
    }
    joined
}

fn join_extents(mut all: Vec<Extent>) -> Vec<Extent> {
    all.sort();
    let mut joined = Vec::<Extent>::new();
    for extent in all {
        match joined.last_mut() {
            Some(last) if extent.base <= last.end() => last.size = last.end().max(extent.end()) - last.base,
            _ => joined.push(extent),
        }
    }
    joined
}
