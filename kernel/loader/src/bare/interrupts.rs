//! The machine's shared interrupt controllers, silenced: legacy PIC remapped and masked, every I/O APIC pin masked.

use super::port;
use heapless::Vec;
use loader::madt::{IoApic, MAX_IO_APICS};

/// Remaps the two PICs behind the exceptions (`ipi::ISA_FIRST`) and masks all their lines.
pub fn silence_pic() {
    const COMMAND: [u16; 2] = [0x20, 0xa0];
    const DATA: [u16; 2] = [0x21, 0xa1];
    // Words 1 to 4 of the initialisation: edge, cascade, four words; vectors; wiring; 8086 mode.
    let words = |value: [u8; 2], ports: [u16; 2]| {
        ports.iter().zip(value).for_each(|(to, byte)| {
            port::write8(*to, byte);
            // An access to an unused port is the delay old controllers need.
            port::write8(0x80, 0);
        });
    };
    words([0xff, 0xff], DATA);
    words([0x11, 0x11], COMMAND);
    words([ipi::ISA_FIRST, ipi::ISA_FIRST + 8], DATA);
    words([4, 2], DATA);
    words([1, 1], DATA);
    words([0xff, 0xff], DATA);
}

/// Takes what the firmware's devices had pending on this core before they were masked, so that no kernel meets it.
pub fn drain() {
    x86_64::instructions::interrupts::enable();
    (0..8).for_each(|_| x86_64::instructions::nop());
    x86_64::instructions::interrupts::disable();
}

/// Masks every pin of every I/O APIC; returns them with their number of pins. One that does not answer is left out.
pub fn silence_io_apics(found: &[IoApic]) -> Vec<(IoApic, u32), MAX_IO_APICS> {
    const VERSION: u32 = 1;
    const FIRST_ENTRY: u32 = 0x10;
    const MASKED: u32 = 1 << 16;
    let mut answering = Vec::new();
    for io_apic in found {
        let version = read(io_apic, VERSION);
        if version == u32::MAX || version == 0 {
            continue;
        }
        let pins = (version >> 16 & 0xff) + 1;
        for pin in 0..pins {
            write(io_apic, FIRST_ENTRY + 2 * pin, MASKED);
            write(io_apic, FIRST_ENTRY + 2 * pin + 1, 0);
        }
        // There is room: both lists have the same capacity.
        let _ = answering.push((*io_apic, pins));
    }
    answering
}

fn registers(io_apic: &IoApic) -> (*mut u32, *mut u32) {
    let base = io_apic.address & !0xf;
    (base as *mut u32, (base + 0x10) as *mut u32)
}

fn read(io_apic: &IoApic, index: u32) -> u32 {
    let (select, window) = registers(io_apic);
    // SAFETY: the ACPI tables place an I/O APIC here, below 4 GiB, and that is mapped one to one. Were it a lie, the
    // access would hit a device or RAM below 4 GiB that nobody uses yet, or fault, which is a refusal.
    unsafe {
        select.write_volatile(index);
        window.read_volatile()
    }
}

fn write(io_apic: &IoApic, index: u32, value: u32) {
    let (select, window) = registers(io_apic);
    // SAFETY: as for `read`.
    unsafe {
        select.write_volatile(index);
        window.write_volatile(value);
    }
}
