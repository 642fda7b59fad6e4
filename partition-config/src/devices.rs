//! The named devices: what `owns = ["…"]` stands for.

use crate::size::{Extent, PortExtent};

/// A device that a partition can own by name.
#[derive(Debug)]
pub struct Device {
    /// Name in the file.
    pub name: &'static str,
    /// What it is.
    pub what: &'static str,
    /// Its I/O ports.
    pub ports: &'static [PortExtent],
    /// Its memory.
    pub mmio: &'static [Extent],
    /// Its I/O APIC pins; they come along only if the partition also owns the I/O APIC.
    pub pins: &'static [u32],
}

/// The device through which a kernel routes interrupt pins. It has no ports or memory for programs: its kernel drives it.
pub const IO_APIC: &str = "ioapic";

/// Name of the ACPI tables, which set a flag of their own.
pub const ACPI: &str = "acpi";

/// Name of the framebuffer, which sets a flag of its own: only the boot loader knows where it is, or whether there is one.
pub const FRAMEBUFFER: &str = "framebuffer";

const fn ports(first: u16, last: u16) -> PortExtent {
    PortExtent { first, last }
}

/// Every named device of a PC.
pub const DEVICES: &[Device] = &[
    Device { name: "com1", what: "serial port 1", ports: &[ports(0x3f8, 0x3ff)], mmio: &[], pins: &[4] },
    Device { name: "com2", what: "serial port 2", ports: &[ports(0x2f8, 0x2ff)], mmio: &[], pins: &[3] },
    Device { name: "com3", what: "serial port 3", ports: &[ports(0x3e8, 0x3ef)], mmio: &[], pins: &[4] },
    Device { name: "com4", what: "serial port 4", ports: &[ports(0x2e8, 0x2ef)], mmio: &[], pins: &[3] },
    Device {
        name: IO_APIC,
        what: "the I/O APIC: interrupt pins, driven by the kernel",
        ports: &[],
        mmio: &[],
        pins: &[],
    },
    Device { name: "pci-config", what: "PCI configuration space", ports: &[ports(0xcf8, 0xcff)], mmio: &[], pins: &[] },
    Device {
        name: "pit",
        what: "programmable interval timer",
        ports: &[ports(0x40, 0x43), ports(0x61, 0x61)],
        mmio: &[],
        pins: &[2],
    },
    Device {
        name: "hpet",
        what: "high precision event timer",
        ports: &[],
        mmio: &[Extent { base: 0xfed0_0000, size: 0x1000 }],
        pins: &[],
    },
    Device { name: "rtc", what: "real-time clock and CMOS", ports: &[ports(0x70, 0x71)], mmio: &[], pins: &[8] },
    Device {
        name: "keyboard",
        what: "PS/2 keyboard and mouse",
        ports: &[ports(0x60, 0x60), ports(0x64, 0x64)],
        mmio: &[],
        pins: &[1, 12],
    },
    Device {
        name: "vga",
        what: "VGA text screen",
        ports: &[ports(0x3c0, 0x3df)],
        mmio: &[Extent { base: 0xb_8000, size: 0x8000 }],
        pins: &[],
    },
    Device {
        name: FRAMEBUFFER,
        what: "the linear framebuffer, where the boot loader set one up; the loader adds the pages it lies in",
        ports: &[],
        mmio: &[],
        pins: &[],
    },
    Device {
        name: "reset",
        what: "reset ports",
        ports: &[ports(0x64, 0x64), ports(0xcf9, 0xcf9)],
        mmio: &[],
        pins: &[],
    },
    Device {
        name: ACPI,
        what: "the firmware's ACPI tables, read-only data; the loader adds the pages they lie in",
        ports: &[],
        mmio: &[Extent { base: 0xe_0000, size: 0x2_0000 }],
        pins: &[],
    },
    Device { name: "debug-exit", what: "QEMU's isa-debug-exit", ports: &[ports(0xf4, 0xf7)], mmio: &[], pins: &[] },
];

/// Ports that no partition gets: the legacy interrupt controllers, masked by the loader.
pub const RESERVED_PORTS: &[PortExtent] = &[ports(0x20, 0x21), ports(0xa0, 0xa1), ports(0x4d0, 0x4d1)];

/// I/O APIC registers: only its owner's kernel maps them.
pub const IO_APIC_REGISTERS: Extent = Extent { base: 0xfec0_0000, size: 0x10_0000 };
/// Local APIC registers and the window of message-signalled interrupts: a write here raises any vector at any core.
pub const LOCAL_APIC_REGISTERS: Extent = Extent { base: 0xfee0_0000, size: 0x10_0000 };

/// The device of that name.
pub fn find(name: &str) -> Option<&'static Device> {
    DEVICES.iter().find(|device| device.name == name)
}

/// Registers of a 16550 UART.
pub const UART_PORTS: u16 = 8;

/// First port of the serial port `com1` to `com4`.
pub fn serial_port(name: &str) -> Option<u16> {
    find(name).filter(|_| name.starts_with("com")).and_then(|device| device.ports.first()).map(|ports| ports.first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pci_configuration_and_the_keyboard_meet_another_device() {
        for (index, a) in DEVICES.iter().enumerate() {
            for b in &DEVICES[index + 1..] {
                let meet = a.ports.iter().any(|left| b.ports.iter().any(|right| left.overlaps(*right)));
                let known = [("pci-config", "reset"), ("keyboard", "reset")].contains(&(a.name, b.name));
                assert_eq!(meet, known, "{} and {}", a.name, b.name);
            }
        }
    }

    #[test]
    fn no_device_has_a_reserved_port() {
        let mut all = DEVICES.iter().flat_map(|device| device.ports);
        assert!(!all.any(|ports| RESERVED_PORTS.iter().any(|reserved| reserved.overlaps(*ports))));
    }
}
