//! The partition's console: a 16550 UART, a byte-wide debug port, or nothing.
//!
//! Only the instance's first core initialises the UART. A byte that the UART does not take within [`PATIENCE_US`] is
//! dropped: the console is for people, and the kernel does not wait for them.

use super::Machine;
use core::cell::RefCell;
use core::fmt;
use core::hint::spin_loop;
use manifest::console;
use manifest::handoff::Handoff;
use uart_16550::backend::PioBackend;
use uart_16550::{BaudRate, Config, Uart16550};
use x86_64::instructions::port::PortWriteOnly;

/// How long a byte may wait for room in the UART: a full FIFO drains in 1.4 ms.
const PATIENCE_US: u64 = 5000;

/// What is behind the console's port.
pub(super) enum Console {
    /// Nothing: output is dropped.
    None,
    /// A UART, with room for 16 bytes.
    Uart(RefCell<Uart16550<PioBackend>>),
    /// A port that takes every byte at once.
    Debug(u16),
}

impl Console {
    /// Opens the console the handoff names; an absent UART is no console.
    pub(super) fn open(handoff: &Handoff, core_index: usize) -> Self {
        let Ok(port) = u16::try_from(handoff.console_port) else { return Self::None };
        match handoff.console_kind {
            console::UART => open_uart(port, core_index).map_or(Self::None, |uart| Self::Uart(RefCell::new(uart))),
            console::DEBUGCON => Self::Debug(port),
            _ => Self::None,
        }
    }
}

fn open_uart(port: u16, core_index: usize) -> Option<Uart16550<PioBackend>> {
    // SAFETY: the manifest gives this instance the console; the loader, which used it before, is gone.
    let mut uart = unsafe { Uart16550::new_port(port) }.ok()?;
    if core_index == 0 {
        uart.init(Config { baud_rate: BaudRate::Baud115200, ..Config::DEFAULT }).ok()?;
    }
    Some(uart)
}

/// Writes to the console that `handoff` names when there is no [`Machine`] to ask: an instance that cannot come up.
pub fn write_without_machine(handoff: &Handoff, text: &str) {
    match Console::open(handoff, 0) {
        Console::None => {}
        Console::Debug(port) => {
            // SAFETY: the console port is this instance's.
            text.bytes().for_each(|byte| unsafe { PortWriteOnly::new(port).write(byte) });
        }
        Console::Uart(uart) => {
            let mut uart = uart.into_inner();
            for byte in text.bytes() {
                // The FIFO drains or the port is not there: bounded, in device reads rather than time.
                let _ = (0..100_000).find(|_| uart.try_send_byte(byte).is_ok());
            }
        }
    }
}

impl Machine {
    /// Sends a byte to the partition's console.
    pub fn put_byte(&self, byte: u8) {
        match &self.console {
            Console::None => {}
            // SAFETY: the console port is this instance's.
            Console::Debug(port) => unsafe { PortWriteOnly::new(*port).write(byte) },
            Console::Uart(uart) => {
                // Busy only if the driver itself panicked: then there is nobody to tell.
                let Ok(mut uart) = uart.try_borrow_mut() else { return };
                let give_up = self.now().saturating_add(PATIENCE_US * self.ticks_per_us());
                while uart.try_send_byte(byte).is_err() && self.now() < give_up {
                    spin_loop();
                }
            }
        }
    }
}

impl fmt::Write for &Machine {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(|byte| self.put_byte(byte));
        Ok(())
    }
}
