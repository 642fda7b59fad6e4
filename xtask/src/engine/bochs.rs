//! Bochs: its configuration, and its serial ports as growing files.
//!
//! Bochs boots the ISO only, and has four UARTs and no further consoles. Debian's build carries the debugger, so it is
//! started with a command file that says `c` (continue). All CPUs run in lockstep: slow, and exactly repeatable.
//! Tests: below, and the ISO's system test.

use super::qemu::{UARTS, bound_to_us};
use super::{Boot, ConsolePort, Machine, Output, Running, SAID};
use crate::workspace::Scratch;
use anyhow::{Context, Result, bail};
use std::fmt::Write;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// The emulator's program.
pub const PROGRAM: &str = "bochs";
/// A CPU with x2APIC, TSC-deadline and PCID.
pub const CPU: &str = "corei7_haswell_4770";
/// Its own log, in the run's scratch directory.
pub const LOG: &str = "bochs.log";
/// Bochs 2.7 has 64 timers in all and dies when they run out: each CPU takes three, devices the rest. Without the HPET
/// there are enough for 16 CPUs.
const CORES_BESIDE_HPET: u32 = 15;
const SHARE: &str = "/usr/share/bochs";

/// Starts Bochs.
///
/// # Errors
/// When it is missing or does not start, when there is no ISO, or a console is not one of the four UARTs.
pub fn start(machine: &Machine) -> Result<Running> {
    let Boot::Iso(iso) = &machine.boot else { bail!("Bochs boots an ISO by BIOS only") };
    let scratch = Scratch::new()?;
    let files = console_files(machine, scratch.path())?;
    let configuration = configuration(machine, iso, scratch.path(), &files);
    std::fs::write(scratch.path().join("bochsrc"), configuration)?;
    std::fs::write(scratch.path().join("debugger"), "c\n")?;
    // It opens its log when it gets to it: who wants to read along finds it from the start.
    File::create(scratch.path().join(LOG))?;
    let log = File::create(scratch.path().join(SAID))?;
    let child = bound_to_us(PROGRAM)
        .args(["-q", "-f", "bochsrc", "-rc", "debugger"])
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start bochs (`cargo xtask doctor` installs it)")?;
    let (sender, events) = channel();
    let alive = Arc::new(());
    for (console, (_, path)) in files.into_iter().enumerate() {
        follow(path, console, Arc::downgrade(&alive), sender.clone());
    }
    Ok(Running { child, events, scratch, _alive: alive, inspector: None, ended: None })
}

/// (Position of the UART, file) of each console.
fn console_files(machine: &Machine, scratch: &Path) -> Result<Vec<(usize, PathBuf)>> {
    let mut files = Vec::new();
    for console in &machine.consoles {
        let position = match *console {
            ConsolePort::Uart(port) => UARTS.iter().position(|&uart| uart == port),
            ConsolePort::Debugcon(_) => None,
        };
        let Some(position) = position else {
            bail!("Bochs has consoles for com1 to com4 only; give this system at most four consoles, all UARTs");
        };
        files.push((position, scratch.join(format!("com{}", position + 1))));
    }
    Ok(files)
}

fn configuration(machine: &Machine, iso: &Path, scratch: &Path, files: &[(usize, PathBuf)]) -> String {
    let megabytes = (machine.ram_end + (64 << 20)).div_ceil(1 << 20);
    let cpu = machine.cpu.as_deref().unwrap_or(CPU);
    let mut text = format!(
        "display_library: rfb, options=\"timeout=0\"\n\
         megs: {megabytes}\n\
         romimage: file={SHARE}/BIOS-bochs-latest\n\
         vgaromimage: file=/usr/share/vgabios/vgabios.bin\n\
         cpu: count={}, ips=50000000, model={cpu}, reset_on_triple_fault=0\n\
         clock: sync=none\n\
         ata0: enabled=1\n\
         ata0-master: type=cdrom, path=\"{}\", status=inserted\n\
         boot: cdrom\n\
         panic: action=fatal\nerror: action=report\ninfo: action=report\ndebug: action=ignore\n\
         log: \"{}\"\n\
         mouse: enabled=0\nport_e9_hack: enabled=0\n",
        machine.cores,
        iso.display(),
        scratch.join(LOG).display(),
    );
    if machine.cores > CORES_BESIDE_HPET {
        text += "pci: enabled=1, chipset=i440fx, advopts=\"nohpet\"\n";
    }
    for (position, path) in files {
        // A String takes any write.
        let _ = writeln!(text, "com{}: enabled=1, mode=file, dev=\"{}\"", position + 1, path.display());
    }
    text
}

fn follow(path: PathBuf, console: usize, alive: Weak<()>, events: Sender<Output>) {
    thread::spawn(move || {
        let mut file = None;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            file = file.or_else(|| File::open(&path).ok());
            match file.as_mut().map(|file| file.read(&mut buffer)) {
                Some(Ok(count @ 1..)) => {
                    let bytes = buffer.get(..count).unwrap_or(&[]).to_vec();
                    if events.send((console, bytes)).is_err() {
                        return;
                    }
                }
                _ if alive.upgrade().is_none() => return,
                _ => thread::sleep(Duration::from_millis(50)),
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Inspection, Threads};

    fn machine(consoles: Vec<ConsolePort>) -> Machine {
        let boot = Boot::Iso("x.iso".into());
        let inspection = Inspection::Off;
        Machine {
            boot,
            cores: 4,
            ram_end: 64 << 20,
            consoles,
            cpu: None,
            inspection,
            threads: Threads::Many,
            extra: Vec::new(),
        }
    }

    #[test]
    fn each_console_is_a_file_of_its_own() {
        let machine = machine(UARTS.map(ConsolePort::Uart).to_vec());
        let files = console_files(&machine, Path::new("/s")).unwrap();
        let text = configuration(&machine, Path::new("x.iso"), Path::new("/s"), &files);
        assert!(text.contains("com1: enabled=1, mode=file, dev=\"/s/com1\"\n"), "{text}");
        assert!(text.contains("com4: enabled=1, mode=file, dev=\"/s/com4\"\n"), "{text}");
        assert!(text.contains("cpu: count=4,"), "{text}");
    }

    #[test]
    fn sixteen_cores_do_without_hpet() {
        let text =
            |cores| configuration(&Machine { cores, ..machine(Vec::new()) }, Path::new("x.iso"), Path::new("/s"), &[]);
        assert!(text(16).contains("nohpet") && !text(15).contains("nohpet"));
    }

    #[test]
    fn a_fifth_console_is_refused() {
        let machine = machine(vec![ConsolePort::Debugcon(0x2e04)]);
        assert!(console_files(&machine, Path::new("/s")).is_err());
    }
}
