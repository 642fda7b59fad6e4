//! The device behind the console: a 16550 UART, a byte-wide debug port, or nothing.
//!
//! The root task drives it through an I/O port capability, as any program would. So it asks nothing of the kernel that a
//! release build leaves out, and a partition prints the same way on every kernel. The UART has been set up by whoever
//! used it before; here it only takes bytes.

use crate::objects::place;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use manifest::{Partition, Ports, console};
use sel4::{BootInfo, IoPort, initial};

/// Registers of a UART.
const UART_PORTS: u16 = 8;
/// Line status register: its distance from the first, and its bit for "takes a byte".
const LINE_STATUS: u16 = 5;
const TAKES_A_BYTE: u8 = 1 << 5;
/// Looks at a UART that is full before a byte is dropped: the console is for people, and nobody waits for them.
const PATIENCE: u32 = 10_000;

/// The capability for the console's ports, 0 for none; its kind, and its first port. One root task has one console.
static CAPABILITY: AtomicU64 = AtomicU64::new(0);
static KIND: AtomicU32 = AtomicU32::new(console::NONE);
static PORT: AtomicU32 = AtomicU32::new(0);

/// The ports of a partition's console.
fn ports(partition: &Partition) -> Option<(u16, u16)> {
    let first = u16::try_from(partition.console_port).ok()?;
    match partition.console_kind {
        console::UART => Some((first, first.checked_add(UART_PORTS - 1)?)),
        console::DEBUGCON => Some((first, first)),
        _ => None,
    }
}

/// Takes the console of `partition`, with the last empty slot for its capability (see [`crate::objects::Objects`]).
/// Without a console, or if somebody has its ports already, output is dropped.
pub fn open(info: &BootInfo<'_>, partition: &Partition) {
    let Some((first, last)) = ports(partition) else { return };
    let Some(slot) = info.empty().end.checked_sub(1) else { return };
    if initial::IO_PORT_CONTROL.issue(first, last, place(slot)).is_ok() {
        KIND.store(partition.console_kind, Relaxed);
        PORT.store(first.into(), Relaxed);
        CAPABILITY.store(slot, Relaxed);
    }
}

/// Prints a byte: one system call, two for a UART.
pub fn put(byte: u8) {
    let device = IoPort::new(CAPABILITY.load(Relaxed));
    let port = PORT.load(Relaxed) as u16;
    if device.cptr() == 0 {
        return;
    }
    if KIND.load(Relaxed) == console::UART {
        let ready = || device.in8(port + LINE_STATUS).is_ok_and(|status| status & TAKES_A_BYTE != 0);
        if !(0..PATIENCE).any(|_| ready()) {
            return;
        }
    }
    let _ = device.out8(port, byte);
}

/// The parts of `range` that are not the console's: the most a driver can have of it.
pub(crate) fn apart(partition: &Partition, range: &Ports) -> impl Iterator<Item = (u16, u16)> + use<> {
    let (first, last) = (range.first, range.last);
    let parts = match ports(partition) {
        Some((from, to)) if first <= to && from <= last => {
            [from.checked_sub(1).map(|end| (first, end)), to.checked_add(1).map(|start| (start, last))]
        }
        _ => [Some((first, last)), None],
    };
    parts.into_iter().flatten().filter(|(first, last)| first <= last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::FromZeros;

    fn parts(kind: u32, port: u32, range: (u16, u16)) -> Vec<(u16, u16)> {
        let partition = Partition { console_kind: kind, console_port: port, ..Partition::new_zeroed() };
        apart(&partition, &Ports { first: range.0, last: range.1, reserved: 0 }).collect()
    }

    #[test]
    fn a_driver_gets_all_ports_but_the_consoles() {
        assert_eq!(parts(console::UART, 0x3f8, (0x3f0, 0x40f)), [(0x3f0, 0x3f7), (0x400, 0x40f)]);
        assert_eq!(parts(console::UART, 0x3f8, (0x3f8, 0x3ff)), []);
        assert_eq!(parts(console::DEBUGCON, 0xe9, (0xe8, 0xe9)), [(0xe8, 0xe8)]);
        assert_eq!(parts(console::UART, 0x3f8, (0x60, 0x64)), [(0x60, 0x64)]);
        assert_eq!(parts(console::NONE, 0, (0, 0xffff)), [(0, 0xffff)]);
        assert_eq!(parts(console::UART, 0xfff8, (0xfff0, 0xffff)), [(0xfff0, 0xfff7)]);
    }
}
