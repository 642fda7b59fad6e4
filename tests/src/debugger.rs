//! A debugger's connection to QEMU: stops at instructions and at writes, single cores let run, registers.
//!
//! What GDB's remote protocol ("GDB User Manual", appendix E) needs for that, and no more. The machine is started by
//! [`Debugger::start`] and stands still from its first instruction on. Tests: the system tests that use it; the packets
//! below.

use crate::lab::Lab;
use anyhow::{Context, Result, bail, ensure};
use partition_config::Plan;
use std::io::{BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;
use xtask::engine::{Engine, Inspection};
use xtask::launch::{Start, Started};

/// How long the machine may run without a stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where and why a machine stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The core, from 0.
    pub core: usize,
    /// The address that was written, if it was a write that stopped it.
    pub written: Option<u64>,
}

/// Registers that say where a core is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP, R8 to R15.
    pub general: [u64; 16],
    /// Next instruction.
    pub rip: u64,
    /// Code segment; its two lowest bits are the privilege level.
    pub cs: u16,
}

/// Indices of [`Registers::general`].
pub mod register {
    #![allow(missing_docs, reason = "the names are the processor's")]
    pub const RCX: usize = 2;
    pub const RDX: usize = 3;
    pub const RSI: usize = 4;
    pub const RDI: usize = 5;
    pub const RSP: usize = 7;
}

/// A connection; the machine goes on as it is when it is dropped.
#[derive(Debug)]
pub struct Debugger {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
}

impl Debugger {
    /// Starts `plan` on QEMU, where it stands still, and connects to it.
    ///
    /// # Errors
    /// When the emulator does not start, or does not answer.
    pub fn start(lab: &Lab, plan: &Plan) -> Result<(Started, Self)> {
        // Short, whatever the tree's path: sockets have no room for long ones.
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("gdb");
        let socket = format!("unix:{},server=on,wait=off", path.display());
        let extra = ["-S", "-gdb", &socket].map(str::to_owned).to_vec();
        // With an inspector the emulator has its sockets before it counts as started.
        let started = lab.start(plan, &Start { inspection: Inspection::On, extra, ..Start::on(Engine::Qemu) })?;
        Ok((started, Self::connect(&path)?))
    }

    fn connect(path: &Path) -> Result<Self> {
        let writer = UnixStream::connect(path).with_context(|| format!("no debugger's socket {}", path.display()))?;
        writer.set_read_timeout(Some(PATIENCE))?;
        let mut this = Self { reader: BufReader::new(writer.try_clone()?), writer };
        let offered = this.ask("vCont?")?;
        ensure!(offered.starts_with("vCont"), "the emulator cannot run single cores: {offered}");
        Ok(this)
    }

    /// Stops every core that comes to the instruction at `address`.
    ///
    /// # Errors
    /// When the emulator does not answer or refuses.
    pub fn stop_at(&mut self, address: u64) -> Result<()> {
        self.demand(&format!("Z1,{address:x},1"))
    }

    /// No longer.
    ///
    /// # Errors
    /// When the emulator does not answer or refuses.
    pub fn pass(&mut self, address: u64) -> Result<()> {
        self.demand(&format!("z1,{address:x},1"))
    }

    /// Stops behind every write to the four bytes at the virtual address `address`.
    ///
    /// # Errors
    /// When the emulator does not answer or refuses.
    pub fn stop_behind_write(&mut self, address: u64) -> Result<()> {
        self.demand(&format!("Z2,{address:x},4"))
    }

    /// Lets all cores run until one stops.
    ///
    /// # Errors
    /// When none does in time.
    pub fn run(&mut self) -> Result<Stop> {
        self.until_stop("vCont;c")
    }

    /// Lets one core run until it stops; the others stand still.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn run_alone(&mut self, core: usize) -> Result<Stop> {
        self.until_stop(&format!("vCont;c:{:x}", core + 1))
    }

    /// Lets one core make one instruction, whatever stops there; the others stand still.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn step(&mut self, core: usize) -> Result<Stop> {
        self.until_stop(&format!("vCont;s:{:x}", core + 1))
    }

    /// Lets all cores run and ends the connection.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub fn detach(&mut self) -> Result<()> {
        self.demand("D")
    }

    /// A core's registers.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub fn registers(&mut self, core: usize) -> Result<Registers> {
        self.demand(&format!("Hg{:x}", core + 1))?;
        let bytes = bytes(&self.ask("g")?)?;
        registers(&bytes).context("the emulator's registers are not those of a 64-bit PC")
    }

    /// `length` bytes at the virtual address `address`, as the core sees them.
    ///
    /// # Errors
    /// When they are not mapped there.
    pub fn memory(&mut self, core: usize, address: u64, length: usize) -> Result<Vec<u8>> {
        self.demand(&format!("Hg{:x}", core + 1))?;
        let found = bytes(&self.ask(&format!("m{address:x},{length:x}"))?)?;
        ensure!(found.len() == length, "no {length} bytes at {address:#x}");
        Ok(found)
    }

    fn until_stop(&mut self, command: &str) -> Result<Stop> {
        let answer = self.ask(command).context("no core came to where it was to stop")?;
        stop(&answer).with_context(|| format!("the machine did not stop but said {answer}"))
    }

    fn demand(&mut self, command: &str) -> Result<()> {
        let answer = self.ask(command)?;
        if answer == "OK" { Ok(()) } else { bail!("the emulator answers {command} with {answer:?}") }
    }

    fn ask(&mut self, command: &str) -> Result<String> {
        self.writer.write_all(packet(command).as_bytes())?;
        while self.byte()? != b'$' {}
        let mut answer = Vec::new();
        loop {
            match self.byte()? {
                b'#' => break,
                byte => answer.push(byte),
            }
        }
        // The sum is of no use on a socket.
        self.byte()?;
        self.byte()?;
        self.writer.write_all(b"+")?;
        Ok(String::from_utf8(answer)?)
    }

    fn byte(&mut self) -> Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte).context("the emulator does not answer its debugger")?;
        Ok(byte[0])
    }
}

fn packet(command: &str) -> String {
    let sum = command.bytes().fold(0_u8, u8::wrapping_add);
    format!("${command}#{sum:02x}")
}

fn bytes(text: &str) -> Result<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    ensure!(rest.is_empty(), "the emulator refuses: {text}");
    let byte = |pair: &[u8; 2]| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?);
    pairs.iter().map(byte).collect()
}

/// `T05thread:02;watch:102000;`
fn stop(answer: &str) -> Option<Stop> {
    let fields = answer.strip_prefix('T')?.get(2..)?;
    let mut found = Stop { core: 0, written: None };
    for (name, value) in fields.split(';').filter_map(|field| field.split_once(':')) {
        let number = u64::from_str_radix(value, 16).ok();
        match name {
            "thread" => found.core = usize::try_from(number?).ok()?.checked_sub(1)?,
            "watch" => found.written = number,
            _ => {}
        }
    }
    Some(found)
}

fn registers(bytes: &[u8]) -> Option<Registers> {
    let words: Vec<u64> = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    let general = words.get(..16)?.try_into().ok()?;
    // Behind RIP four bytes of flags, then segment registers of four bytes.
    let cs = u16::from_le_bytes(bytes.get(140..142)?.try_into().ok()?);
    Some(Registers { general, rip: *words.get(16)?, cs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_ends_with_the_sum_of_its_bytes() {
        assert_eq!(packet("OK"), "$OK#9a");
        assert_eq!(packet(""), "$#00");
    }

    #[test]
    fn a_stop_names_its_core_and_what_was_written() {
        assert_eq!(stop("T05thread:02;"), Some(Stop { core: 1, written: None }));
        assert_eq!(stop("T05thread:01;watch:00102000;"), Some(Stop { core: 0, written: Some(0x10_2000) }));
        assert_eq!(stop("OK"), None);
        assert_eq!(stop("E22"), None);
    }

    #[test]
    fn registers_are_where_the_protocol_has_them() {
        let mut block = vec![0; 16 * 8];
        block[5 * 8] = 7;
        block.extend(0xffff_ffff_8000_1000_u64.to_le_bytes());
        block.extend(0x202_u32.to_le_bytes());
        block.extend(0x33_u32.to_le_bytes());
        block.extend([0; 200]);
        let found = registers(&block).unwrap();
        assert_eq!((found.general[register::RDI], found.rip, found.cs), (7, 0xffff_ffff_8000_1000, 0x33));
        assert_eq!(registers(&[0; 100]), None);
    }

    #[test]
    fn an_error_is_no_answer() {
        assert!(bytes("E01").is_err());
        assert_eq!(bytes("00ff").unwrap(), [0, 255]);
    }
}
