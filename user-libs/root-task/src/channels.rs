//! What connects a program to the outside: channels with their doorbells, and a driver's devices.
//!
//! A channel to a program of the same partition is memory of the partition, and its doorbell a badged capability to that
//! program's notification. The program rings either by the same system call, and does not see which it is.

use crate::device;
use crate::error::{RootError, Step};
use crate::objects::place;
use crate::partition::Site;
use crate::program::Draft;
use manifest::program::{BADGE_BITS, MAX_CHANNELS};
use manifest::{End, LOCAL, NONE, irq};
use runtime::env::{self, Channel, Device, Irq, Ports};
use runtime::layout::{AREA_ALIGN, CHANNEL_BASE, DEVICE_BASE, slot};
use sel4::{CPtr, CapRights, IoApicPin, IrqHandler, MsiSource, Notification, Polarity, Trigger, VmAttributes, initial};

/// Maps the channels of program number `program` of the manifest, and gives it their doorbells.
pub fn connect(site: &mut Site<'_>, draft: &mut Draft, program: u32) -> Result<(), RootError> {
    let mut vaddr = CHANNEL_BASE;
    for (_, end) in site.manifest.ends_of_program(program) {
        let count = draft.env.channels.len();
        if count == MAX_CHANNELS {
            return Err(RootError::TooMany("channels"));
        }
        let channel = site.manifest.channel_of(end).ok_or(RootError::Record("channel"))?;
        let rights = match end.access & 3 {
            0 => return Err(RootError::Record("channel access")),
            1 => CapRights::READ,
            _ => CapRights::READ_WRITE,
        };
        let frames = match channel.is_local() {
            false => site.ranges.get(channel.base, channel.size)?,
            true => {
                let own = site.local.iter_mut().find(|(number, _)| *number == end.channel);
                &mut own.ok_or(RootError::Record("channel"))?.1
            }
        };
        let base = vaddr + frames.skew();
        draft.vspace.map_frames(&mut site.objects, frames, base, rights, VmAttributes::WRITE_BACK)?;
        vaddr = (base + channel.size).next_multiple_of(AREA_ALIGN) + AREA_ALIGN;

        let mut record = Channel {
            name: channel.name,
            base,
            size: channel.size,
            access: end.access,
            side: end.side,
            doorbell: env::NONE,
            badge_bit: env::NONE,
        };
        let at = slot::FIRST_DOORBELL + count as u64;
        if end.rings == LOCAL {
            let (notification, bit) = peer(site, end)?;
            let badged = draft.slot(at).mint_from(place(notification.cptr()), CapRights::WRITE, 1 << bit);
            badged.step("give it a neighbour's notification")?;
            record.doorbell = at as u32;
        } else if let Some(doorbell) = site.manifest.doorbell_of(end) {
            initial::IRQ_CONTROL.issue_doorbell(draft.slot(at), doorbell.route.into()).step("issue a doorbell")?;
            record.doorbell = at as u32;
        }
        if end.hears != NONE {
            record.badge_bit = count as u32;
        }
        if ![NONE, LOCAL].contains(&end.hears) {
            let handler = site.objects.slot()?;
            initial::IRQ_CONTROL.hear_doorbell(handler, end.hears.into()).step("hear a doorbell")?;
            bind(site, draft, handler.index, count as u32)?;
        }
        draft.env.channels.push(record);
    }
    Ok(())
}

/// The notification of the program at the other end, and the bit of its badge that stands for this channel there.
fn peer(site: &Site<'_>, end: &End) -> Result<(Notification, u32), RootError> {
    let peer = site.manifest.peer_of(end).ok_or(RootError::Record("other end"))?;
    let index = peer.program.wrapping_sub(site.partition.programs.start) as usize;
    let notification = site.notifications.get(index).ok_or(RootError::Record("program"))?;
    let mut ends = site.manifest.ends_of_program(peer.program);
    let bit = ends.position(|(_, other)| core::ptr::eq(other, peer)).ok_or(RootError::Record("other end"))?;
    if bit >= MAX_CHANNELS {
        return Err(RootError::TooMany("channels"));
    }
    Ok((*notification, bit as u32))
}

/// Has the handler in `handler` set bit `bit` of the badge of the program's notification.
fn bind(site: &mut Site<'_>, draft: &Draft, handler: CPtr, bit: u32) -> Result<(), RootError> {
    let badged = site.objects.slot()?;
    let notification = place(draft.notification.cptr());
    badged.mint_from(notification, CapRights::WRITE, 1 << bit).step("make a badged notification")?;
    IrqHandler::new(handler).set_notification(Notification::new(badged.index)).step("bind an interrupt")
}

/// Gives a driver everything the partition owns: registers, ports, interrupts. Ports and interrupts go to one driver only.
pub fn give_devices(site: &mut Site<'_>, draft: &mut Draft) -> Result<(), RootError> {
    let mut vaddr = DEVICE_BASE;
    for device in site.manifest.devices_of(site.partition) {
        let frames = site.ranges.get(device.base, device.size)?;
        let base = vaddr + frames.skew();
        let (rights, attributes) = (CapRights::READ_WRITE, VmAttributes::CACHE_DISABLED);
        draft.vspace.map_frames(&mut site.objects, frames, base, rights, attributes)?;
        draft.env.devices.push(Device { phys: device.base, base, size: device.size });
        vaddr = (base + device.size).next_multiple_of(AREA_ALIGN) + AREA_ALIGN;
    }
    let ranges = site.manifest.ports_of(site.partition);
    let ranges = ranges.iter().flat_map(|range| device::apart(site.partition, range));
    for ((first, last), at) in ranges.zip(slot::FIRST_PORT..slot::FIRST_IRQ) {
        initial::IO_PORT_CONTROL.issue(first, last, draft.slot(at)).step("issue I/O ports")?;
        draft.env.ports.push(Ports { first, last, slot: at as u32 });
    }
    for (wanted, at) in site.manifest.irqs_of(site.partition).iter().zip(slot::FIRST_IRQ..slot::END) {
        let bit = (draft.env.channels.len() + draft.env.irqs.len()) as u32;
        if bit >= BADGE_BITS {
            return Err(RootError::TooMany("interrupts"));
        }
        let handler = site.objects.slot()?;
        issue_interrupt(site, handler, wanted)?;
        bind(site, draft, handler.index, bit)?;
        draft.slot(at).copy_from(handler, CapRights::ALL).step("give it an interrupt handler")?;
        let (kind, number) = (wanted.kind, wanted.number);
        draft.env.irqs.push(Irq { kind, number, slot: at as u32, badge_bit: bit });
    }
    Ok(())
}

/// Issues the handler of one interrupt of the manifest.
fn issue_interrupt(site: &Site<'_>, handler: sel4::Slot, wanted: &manifest::Irq) -> Result<(), RootError> {
    let number = u64::from(wanted.number);
    if wanted.kind == irq::MSI {
        let source = MsiSource { bus: 0, device: 0, function: 0, handle: number };
        return initial::IRQ_CONTROL.issue_msi(handler, source, number).step("issue an MSI handler");
    }
    // Pins are delivered on vectors that no MSI of the partition uses, counted down from the highest.
    let all = site.manifest.irqs_of(site.partition);
    let taken = |vector: u64| all.iter().any(|other| other.kind == irq::MSI && u64::from(other.number) == vector);
    let rank = all.iter().filter(|other| other.kind == irq::PIN && other.number < wanted.number).count();
    let vector = (abi::irq::VECTOR_MIN..=abi::irq::VECTOR_MAX).rev().filter(|vector| !taken(*vector)).nth(rank);
    // The first sixteen pins are the legacy lines: edge, active high. The others are PCI's: level, active low.
    let (trigger, polarity) =
        if number < 16 { (Trigger::Edge, Polarity::ActiveHigh) } else { (Trigger::Level, Polarity::ActiveLow) };
    let pin = IoApicPin { io_apic: 0, pin: number, trigger, polarity };
    let vector = vector.ok_or(RootError::TooMany("interrupts"))?;
    initial::IRQ_CONTROL.issue_io_apic(handler, pin, vector).step("issue a pin's handler")
}
