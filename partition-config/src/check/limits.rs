//! What fits into one kernel instance, and what one program can be given by Skerry's root task.

use super::{channels, devices, items, name_of, name_span, program_name};
use crate::code::Code;
use crate::diagnostic::{Finding, Findings};
use crate::read::Spot;
use crate::schema::{Partition, Program};
use manifest::handoff::{MAX_DEVICES, MAX_PORTS};
use manifest::program::{BADGE_BITS, MAX_CHANNELS};

pub(super) fn check(
    partitions: &[Spot<Partition>],
    devices: &[devices::Devices],
    channels: &[channels::Draft],
    findings: &mut Findings,
) {
    for (index, (partition, devices)) in partitions.iter().zip(devices).enumerate() {
        kernel(index, partition, devices, channels, findings);
        drivers(partition, devices, findings);
        for (number, program) in items(&partition.value.program).iter().enumerate() {
            let ends = channels.iter().flat_map(|channel| channel.ends.iter().flatten());
            let ends = ends.filter(|end| (end.partition, end.program) == (index, Some(number))).count();
            wakers(program, ends, devices, findings);
        }
    }
}

/// What a kernel instance can be given.
fn kernel(
    index: usize,
    partition: &Spot<Partition>,
    devices: &devices::Devices,
    channels: &[channels::Draft],
    findings: &mut Findings,
) {
    let ends = channels.iter().filter(|channel| !channel.is_local()).flat_map(|channel| channel.ends.iter().flatten());
    let ranges = devices.mmio.len() + ends.filter(|end| end.partition == index).count();
    let mut refuse = |what: &str, count: usize, most: usize| {
        let message = format!("partition `{}` has {count} {what}, the most is {most}", name_of(&partition.value));
        let finding = Finding::new(Code::DeviceTooMany, message, name_span(partition), "too many for one kernel");
        findings.add(finding.help("join neighbouring ranges, or give some to another partition"));
    };
    if ranges > MAX_DEVICES {
        refuse("device ranges and channel ends", ranges, MAX_DEVICES);
    }
    if devices.ports.len() > MAX_PORTS {
        refuse("I/O port ranges", devices.ports.len(), MAX_PORTS);
    }
}

/// Ports and interrupts have one capability, which one program gets. Device memory is for all.
fn drivers(partition: &Spot<Partition>, devices: &devices::Devices, findings: &mut Findings) {
    let has_ports = devices.ports.iter().any(|ports| Some(*ports) != devices.console.ports());
    let mut drivers = items(&partition.value.program).iter().filter_map(|program| driver(&program.value));
    let (Some(first), Some(second)) = (drivers.next(), drivers.next()) else { return };
    if has_ports || !devices.interrupts.is_empty() {
        let message = format!("partition `{}` has a second driver", name_of(&partition.value));
        let finding = Finding::new(Code::DriverTwice, message, &second.span, "nothing is left for a second driver");
        let finding = finding.also(&first.span, "this one gets all I/O ports and interrupts");
        findings.add(finding.help("leave `driver` to one of them, or give the other a partition of its own"));
    }
}

/// The key that makes it a driver.
fn driver(program: &Program) -> Option<&Spot<bool>> {
    program.driver.as_ref().filter(|driver| driver.value)
}

/// What can wake a program with so many channel ends.
fn wakers(program: &Spot<Program>, ends: usize, devices: &devices::Devices, findings: &mut Findings) {
    let name = program_name(&program.value);
    let (name, span) = name.as_ref().map_or(("?", &program.span), |name| (name.value.as_str(), &name.span));
    let mut refuse = |what: String, help: &str| {
        let message = format!("program `{name}` has {what}");
        findings.add(Finding::new(Code::ChannelMany, message, span, "too many for one program").help(help));
    };
    let interrupts = driver(&program.value).map_or(0, |_| devices.interrupts.len());
    if ends > MAX_CHANNELS {
        refuse(
            format!("{ends} channel ends, the most is {MAX_CHANNELS}"),
            "let several share a channel, or divide the program",
        );
    } else if ends + interrupts > BADGE_BITS as usize {
        refuse(
            format!("{ends} channel ends and {interrupts} interrupts, the most is {BADGE_BITS} together"),
            "a driver gets all interrupts of its partition: list fewer",
        );
    }
}
