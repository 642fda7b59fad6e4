//! Emulated machines: what to boot, and a running one whose consoles arrive as one stream of events.
//!
//! [`qemu`] is the main engine, [`bochs`] the second opinion. Both give a [`Running`]: a child process that is killed,
//! by its own id, when the value is dropped. Nothing here interprets what a guest prints; see [`crate::session`].

pub mod bochs;
pub mod qemu;
pub mod qmp;

use anyhow::Result;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use crate::workspace::Scratch;

/// Which emulator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// QEMU, multi-threaded TCG.
    Qemu,
    /// Bochs, deterministic lockstep; boots the ISO, has x2APIC.
    Bochs,
}

/// What the machine boots.
#[derive(Clone, Debug)]
pub enum Boot {
    /// An ELF with a PVH note, loaded by the emulator.
    Kernel(PathBuf),
    /// A CD image, started by the PC BIOS.
    Iso(PathBuf),
    /// A CD image, started by UEFI firmware (OVMF).
    IsoUefi(PathBuf),
}

/// Where a console's bytes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsolePort {
    /// A 16550 UART at one of the four PC addresses.
    Uart(u16),
    /// A byte-wide debug port.
    Debugcon(u16),
}

/// Whether the machine can be examined from the outside while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inspection {
    /// No monitor.
    #[default]
    Off,
    /// A monitor, and guest memory as a file of the host.
    On,
}

/// How QEMU runs the processors of a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Threads {
    /// Each in a thread of the host.
    #[default]
    Many,
    /// All in one thread, by turns, which end when a processor waits in a loop.
    One,
}

/// A machine to be started.
#[derive(Clone, Debug)]
pub struct Machine {
    /// What it boots.
    pub boot: Boot,
    /// Processors.
    pub cores: u32,
    /// End of the RAM that the guest needs, as a physical address in bytes.
    pub ram_end: u64,
    /// Consoles, in the order in which their events are numbered.
    pub consoles: Vec<ConsolePort>,
    /// CPU model in the emulator's words; `None` for the engine's fullest.
    pub cpu: Option<String>,
    /// Whether it can be examined.
    pub inspection: Inspection,
    /// How QEMU runs its processors.
    pub threads: Threads,
    /// Further arguments for QEMU.
    pub extra: Vec<String>,
}

/// Bytes from a console: its index in [`Machine::consoles`], and at least one byte.
pub type Output = (usize, Vec<u8>);

/// What [`Running::next`] found.
#[derive(Debug)]
pub enum Next {
    /// A console printed.
    Output {
        /// Index in [`Machine::consoles`].
        console: usize,
        /// The bytes, at least one.
        bytes: Vec<u8>,
    },
    /// The emulator ended, and everything it printed has been delivered.
    Ended(ExitStatus),
    /// The time is over.
    Timeout,
}

/// What an emulator itself prints, in its run's scratch directory.
const SAID: &str = "emulator.out";
/// How long output that an emulator left behind may take to arrive: the threads that read it may have to wait.
const LAST_OUTPUT: Duration = Duration::from_secs(3);

/// A started machine; dropping it ends it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    events: Receiver<Output>,
    /// Readers that poll stop when this is gone.
    _alive: Arc<()>,
    scratch: Scratch,
    inspector: Option<qmp::Inspector>,
    ended: Option<ExitStatus>,
}

impl Running {
    /// Waits for the next thing that happens, until `deadline`.
    ///
    /// # Errors
    /// When the child process cannot be waited for.
    pub fn next(&mut self, deadline: Instant) -> Result<Next> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // With the emulator gone only what is already on its way can come, however little time is left.
            let patience = if self.ended.is_some() { LAST_OUTPUT } else { left.min(Duration::from_millis(50)) };
            match self.events.recv_timeout(patience) {
                Ok((console, bytes)) => return Ok(Next::Output { console, bytes }),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    if let Some(status) = self.ended {
                        return Ok(Next::Ended(status));
                    }
                    self.ended = self.child.try_wait()?;
                    if self.ended.is_none() {
                        if left.is_zero() {
                            return Ok(Next::Timeout);
                        }
                        std::thread::sleep(left.min(Duration::from_millis(2)));
                    }
                }
            }
        }
    }

    /// The monitor, if the machine was started with [`Inspection::On`].
    pub fn inspector(&mut self) -> Option<&mut qmp::Inspector> {
        self.inspector.as_mut()
    }

    /// The monitor for another thread to use while this one follows the consoles.
    pub fn take_inspector(&mut self) -> Option<qmp::Inspector> {
        self.inspector.take()
    }

    /// The last lines of what the emulator itself said: why it did not start, or ended.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(self.scratch.path().join(SAID)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines.get(lines.len().saturating_sub(5)..).unwrap_or_default().join("\n")
    }

    /// The run's scratch directory (emulator logs).
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }
}

#[cfg(test)]
impl Running {
    /// Says what comes through `events`, and never ends.
    pub(crate) fn pretended(events: Receiver<Output>) -> Result<Self> {
        let (mut child, nothing) = (qemu::bound_to_us("sleep"), std::process::Stdio::null);
        let child = child.arg("600").stdin(nothing()).stdout(nothing()).stderr(nothing()).spawn()?;
        Ok(Self { child, events, _alive: Arc::new(()), scratch: Scratch::new()?, inspector: None, ended: None })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good as killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts `machine` on `engine`.
///
/// # Errors
/// When the emulator is missing or does not start, or cannot be what `machine` asks for.
pub fn start(engine: Engine, machine: &Machine) -> Result<Running> {
    match engine {
        Engine::Qemu => qemu::start(machine),
        Engine::Bochs => bochs::start(machine),
    }
}
