//! Where a refusal is printed, and how the machine ends after it.
//!
//! The loader says nothing while all goes well: the consoles belong to the partitions. It touches them only to refuse.

use super::port;
use core::fmt::{self, Write};
use heapless::Vec;
use loader::{Code, Refusal};
use manifest::{Manifest, console};
use spin::Mutex;
use uart_16550::backend::PioBackend;
use uart_16550::spec::registers::LSR;
use uart_16550::{BaudRate, Config, Uart16550};

/// Most consoles that are remembered.
const MAX_CONSOLES: usize = 128;
/// Tries to send one byte before a console is given up: at 115200 baud a byte takes 87 µs, a try at least 0.1 µs.
const SEND_TRIES: u32 = 100_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Console {
    Uart(u16),
    Debug(u16),
}

/// Until there is a manifest.
const EARLY: [Console; 2] = [Console::Uart(0x3f8), Console::Debug(0xe9)];

static CONSOLES: Mutex<Vec<Console, MAX_CONSOLES>> = Mutex::new(Vec::new());

/// From here on refusals go to the consoles of `manifest`'s partitions.
pub fn configure(manifest: &Manifest<'_>) {
    let mut consoles = CONSOLES.lock();
    for partition in manifest.partitions() {
        let Ok(port) = u16::try_from(partition.console_port) else { continue };
        let found = match partition.console_kind {
            console::UART => Console::Uart(port),
            console::DEBUGCON => Console::Debug(port),
            _ => continue,
        };
        if !consoles.contains(&found) {
            // A hundred consoles that say it are enough.
            let _ = consoles.push(found);
        }
    }
}

/// Prints the refusal everywhere and ends the machine. Only one core gets to speak; others halt.
pub fn refuse(refusal: &Refusal) -> ! {
    let Some(consoles) = CONSOLES.try_lock() else { halt() };
    let consoles = if consoles.is_empty() { &EARLY[..] } else { &consoles[..] };
    for console in consoles {
        match *console {
            Console::Debug(port) => print(DebugPort(port), refusal),
            Console::Uart(port) => {
                if let Some(uart) = Uart::open(port) {
                    print(uart, refusal);
                }
            }
        }
    }
    end()
}

fn print(mut out: impl Write, refusal: &Refusal) {
    // A console that fails is a console that stays silent.
    let _ = writeln!(out, "\x1erefuse {refusal}");
}

/// Failure for QEMU's `isa-debug-exit`, then Bochs's shutdown port, then nothing more.
fn end() -> ! {
    port::write32(0xf4, 0x31);
    b"Shutdown".iter().for_each(|letter| port::write8(0x8900, *letter));
    halt()
}

/// Stops this core for good.
pub fn halt() -> ! {
    loop {
        x86_64::instructions::interrupts::disable();
        x86_64::instructions::hlt();
    }
}

struct DebugPort(u16);

impl Write for DebugPort {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| port::write8(self.0, byte));
        Ok(())
    }
}

struct Uart(Uart16550<PioBackend>);

impl Uart {
    fn open(port: u16) -> Option<Self> {
        // SAFETY: no instance runs when the loader refuses: the port has no other user.
        let mut uart = unsafe { Uart16550::new_port(port) }.ok()?;
        let config = Config { baud_rate: BaudRate::Baud115200, ..Config::DEFAULT };
        uart.init(config).ok()?;
        Some(Self(uart))
    }
}

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            (0..SEND_TRIES).find(|_| self.0.try_send_byte(byte).is_ok()).ok_or(fmt::Error)?;
        }
        Ok(())
    }
}

impl Drop for Uart {
    fn drop(&mut self) {
        // What is still in the queue must leave before the machine ends.
        let _ = (0..SEND_TRIES).find(|_| self.0.lsr().contains(LSR::TRANSMITTER_EMPTY));
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    refuse(&Refusal::new(Code::Internal, format_args!("{info}")))
}
