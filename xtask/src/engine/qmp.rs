//! Looking into a running QEMU machine: stop, continue, every CPU's registers, and physical memory.
//!
//! Guest RAM is a file that QEMU maps and this process reads: exact while the machine is stopped, and quick. The monitor
//! (QMP) is used for stopping and for the control registers. Tests: the page-table walk of the system tests.

use super::qemu::ram_offset;
use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A monitor connection and the machine's memory.
#[derive(Debug)]
pub struct Inspector {
    reader: BufReader<UnixStream>,
    writer: UnixStream,
    ram: File,
    mib: u64,
}

/// Physical memory of a stopped machine.
#[derive(Debug)]
pub struct Ram {
    file: File,
    mib: u64,
}

impl Ram {
    /// Fills `bytes` from physical address `phys`; `None` where there is no RAM.
    pub fn read(&self, phys: u64, bytes: &mut [u8]) -> Option<()> {
        let offset = ram_offset(self.mib, phys)?;
        self.file.read_exact_at(bytes, offset).ok()
    }
}

impl Inspector {
    /// Takes over a monitor connection whose machine has its memory, `mib` MiB, in the file `ram`.
    ///
    /// # Errors
    /// When the monitor does not greet.
    pub fn new(stream: UnixStream, ram: File, mib: u64) -> Result<Self> {
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut this = Self { reader: BufReader::new(stream.try_clone()?), writer: stream, ram, mib };
        this.message()?;
        this.execute("qmp_capabilities", &json!({}))?;
        Ok(this)
    }

    /// Stops every CPU.
    ///
    /// # Errors
    /// When the monitor does not answer.
    pub fn stop(&mut self) -> Result<()> {
        self.execute("stop", &json!({})).map(drop)
    }

    /// Lets the CPUs run on.
    ///
    /// # Errors
    /// When the monitor does not answer.
    pub fn resume(&mut self) -> Result<()> {
        self.execute("cont", &json!({})).map(drop)
    }

    /// Physical memory; stop the machine first.
    ///
    /// # Errors
    /// When the file cannot be opened again.
    pub fn ram(&self) -> Result<Ram> {
        Ok(Ram { file: self.ram.try_clone()?, mib: self.mib })
    }

    /// CR3 of every CPU, in the emulator's order (core 0 first).
    ///
    /// # Errors
    /// When the monitor does not answer or prints something unknown.
    pub fn page_table_roots(&mut self) -> Result<Vec<u64>> {
        self.registers("CR3=")
    }

    /// Whether each CPU has executed `hlt` and waits for an interrupt, in the emulator's order.
    ///
    /// # Errors
    /// When the monitor does not answer or prints something unknown.
    pub fn halted(&mut self) -> Result<Vec<bool>> {
        Ok(self.registers("HLT=")?.into_iter().map(|halted| halted != 0).collect())
    }

    /// The hexadecimal number after `label` of every CPU.
    fn registers(&mut self, label: &str) -> Result<Vec<u64>> {
        let text = self.human("info registers -a")?;
        let values: Option<Vec<u64>> = text
            .split(label)
            .skip(1)
            .map(|rest| u64::from_str_radix(rest.split_ascii_whitespace().next()?, 16).ok())
            .collect();
        match values {
            Some(values) if !values.is_empty() => Ok(values),
            _ => bail!("no {label} in the monitor's answer"),
        }
    }

    /// Interrupts every CPU that lets it through, unmaskably.
    ///
    /// # Errors
    /// When the monitor does not answer.
    pub fn inject_nmi(&mut self) -> Result<()> {
        self.execute("inject-nmi", &json!({})).map(drop)
    }

    /// Makes bank `bank` of CPU `cpu` report the error `status`, as a machine check if it is uncorrected.
    ///
    /// # Errors
    /// When the monitor does not answer, or the machine has no such bank.
    pub fn inject_machine_check(&mut self, cpu: u32, bank: u32, status: u64) -> Result<()> {
        // Global status: in progress, and the interrupted program could go on.
        let answer = self.human(&format!("mce {cpu} {bank} {status:#x} 0x5 0x1000 0x0"))?;
        if answer.is_empty() { Ok(()) } else { bail!("QEMU's monitor: {answer}") }
    }

    /// A command in the words of QEMU's human monitor.
    ///
    /// # Errors
    /// When the monitor does not answer.
    pub fn human(&mut self, command: &str) -> Result<String> {
        let answer = self.execute("human-monitor-command", &json!({ "command-line": command }))?;
        Ok(answer.as_str().unwrap_or_default().to_owned())
    }

    fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        writeln!(self.writer, "{}", json!({ "execute": command, "arguments": arguments }))?;
        loop {
            let message = self.message()?;
            if let Some(value) = message.get("return") {
                return Ok(value.clone());
            }
            if let Some(error) = message.get("error") {
                bail!("QEMU's monitor refuses {command}: {error}");
            }
        }
    }

    fn message(&mut self) -> Result<Value> {
        let mut line = String::new();
        if self.reader.read_line(&mut line).context("QEMU's monitor does not answer")? == 0 {
            bail!("QEMU's monitor closed");
        }
        Ok(serde_json::from_str(&line)?)
    }
}
