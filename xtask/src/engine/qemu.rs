//! QEMU: the machine's command line, its consoles as sockets, its memory as a file when it is to be inspected.
//!
//! Every console is a Unix socket that this process listens on and QEMU connects to before the machine starts, in the
//! order of the command line. The accelerator is TCG unless the host's CPU itself offers virtualisation: where
//! `/dev/kvm` exists without `vmx` or `svm` in `/proc/cpuinfo` it is emulated, and far slower than TCG.
//! Tests: below; the engine itself by the system tests.

use super::qmp::Inspector;
use super::{Boot, ConsolePort, Inspection, Machine, Output, Running, SAID, Threads};
use crate::workspace::Scratch;
use anyhow::{Context, Result, bail, ensure};
use std::ffi::OsString;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// The emulator's program.
pub const PROGRAM: &str = "qemu-system-x86_64";
/// The PC's UARTs, in the order of `-serial`.
pub const UARTS: [u16; 4] = [0x3f8, 0x2f8, 0x3e8, 0x2e8];
/// Where the loader reports a refusal when it knows no console.
pub const LAST_RESORT_PORT: u16 = 0xe9;
/// QEMU's exit status after the loader refused.
pub const REFUSED_STATUS: i32 = 99;
/// RAM behind the plan's end, for the loader and firmware: 64 MiB.
const SLACK: u64 = 64 << 20;
/// q35 places RAM below 4 GiB if there is less than this of it …
const ALL_LOW_LIMIT: u64 = 0xb000_0000;
/// … else so much, and the rest above 4 GiB.
const LOW_RAM: u64 = 2 << 30;
const FOUR_GIB: u64 = 4 << 30;
/// Longest path of a Unix socket that every kernel takes.
const SOCKET_PATH_LIMIT: usize = 100;

/// Whether hardware virtualisation is worth using on a host with this `/proc/cpuinfo`.
pub fn worth_kvm(cpuinfo: &str) -> bool {
    let opens = || File::options().read(true).write(true).open("/dev/kvm").is_ok();
    cpuinfo.split_ascii_whitespace().any(|word| word == "vmx" || word == "svm") && opens()
}

/// MiB of RAM for which everything below the physical address `end` is RAM (holes aside).
pub fn ram_mib(end: u64) -> u64 {
    let bytes = match end {
        _ if end > FOUR_GIB => end - FOUR_GIB + LOW_RAM + SLACK,
        _ => (end + SLACK).min(ALL_LOW_LIMIT - 1),
    };
    if end > FOUR_GIB { bytes.max(ALL_LOW_LIMIT).div_ceil(1 << 20) } else { bytes >> 20 }
}

/// Offset in the RAM of a q35 with `mib` MiB of the byte at physical address `phys`.
pub fn ram_offset(mib: u64, phys: u64) -> Option<u64> {
    let size = mib << 20;
    let low = if size < ALL_LOW_LIMIT { size } else { LOW_RAM };
    match phys {
        _ if phys < low => Some(phys),
        _ if phys >= FOUR_GIB => Some(phys - FOUR_GIB + low).filter(|&offset| offset < size),
        _ => None,
    }
}

/// Starts QEMU.
///
/// # Errors
/// When it is missing, ends before the machine starts, or a console is asked for that a PC does not have.
pub fn start(machine: &Machine) -> Result<Running> {
    let scratch = Scratch::new()?;
    let sockets = SocketDir::new(&scratch)?;
    let mut ram = match machine.inspection {
        Inspection::On => Some(ram_file(ram_mib(machine.ram_end))?),
        Inspection::Off => None,
    };
    let (arguments, listeners) = command_line(machine, &scratch, &sockets, ram.as_ref())?;
    let log = File::create(scratch.path().join(SAID))?;
    let child = bound_to_us(PROGRAM)
        .args(&arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start qemu-system-x86_64 (`cargo xtask doctor` installs it)")?;

    let (sender, events) = channel();
    // From here on it ends with the value, whatever fails.
    let mut running = Running { child, events, scratch, _alive: Arc::new(()), inspector: None, ended: None };
    for listener in listeners {
        let stream = accept(&listener, &mut running.child).map_err(|error| error.context(running.last_words()))?;
        match listener.purpose {
            Purpose::Console(console) => forward(stream, console, sender.clone()),
            Purpose::Monitor => {
                let ram = ram.take().context("a monitor, and no memory to look into")?;
                running.inspector = Some(Inspector::new(stream, ram, ram_mib(machine.ram_end))?);
            }
        }
    }
    Ok(running)
}

/// Memory that this process and QEMU share. On a disk, a busy host would hold the machine up until its writes are through.
fn ram_file(mib: u64) -> Result<File> {
    let file = rustix::fs::memfd_create("skerry-ram", rustix::fs::MemfdFlags::CLOEXEC);
    let file = File::from(file.context("no memory to share with QEMU")?);
    file.set_len(mib << 20)?;
    Ok(file)
}

/// A command whose process ends with the thread that starts it (where util-linux's `setpriv` exists).
pub fn bound_to_us(program: &str) -> Command {
    if Path::new("/usr/bin/setpriv").exists() {
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--pdeathsig", "KILL", program]);
        command
    } else {
        Command::new(program)
    }
}

enum Purpose {
    Console(usize),
    Monitor,
}

struct Listener {
    socket: UnixListener,
    purpose: Purpose,
}

/// Where the sockets live: the scratch directory, or a short one under the system's when the path is too long.
struct SocketDir {
    path: PathBuf,
    _short: Option<tempfile::TempDir>,
}

impl SocketDir {
    fn new(scratch: &Scratch) -> Result<Self> {
        if scratch.path().as_os_str().len() + "/console-99".len() < SOCKET_PATH_LIMIT {
            return Ok(Self { path: scratch.path().to_path_buf(), _short: None });
        }
        let short = tempfile::tempdir()?;
        Ok(Self { path: short.path().to_path_buf(), _short: Some(short) })
    }

    fn listen(&self, name: &str, purpose: Purpose) -> Result<(Listener, OsString)> {
        let path = self.path.join(name);
        let socket = UnixListener::bind(&path).with_context(|| format!("cannot listen on {}", path.display()))?;
        socket.set_nonblocking(true)?;
        let mut option = OsString::from(format!("socket,id={name},path="));
        // QEMU reads a comma in an option's value when it is doubled.
        option.push(path.to_string_lossy().replace(',', ",,"));
        Ok((Listener { socket, purpose }, option))
    }
}

fn command_line(
    machine: &Machine,
    scratch: &Scratch,
    sockets: &SocketDir,
    ram: Option<&File>,
) -> Result<(Vec<OsString>, Vec<Listener>)> {
    ensure!(machine.cores >= 1, "a machine has at least one core");
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
    let memory = ram_mib(machine.ram_end);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let accelerator = match machine.threads {
        // Instructions are counted by the translator only.
        _ if machine.extra.iter().any(|argument| argument == "-icount") => "tcg,thread=single",
        _ if worth_kvm(&cpuinfo) && machine.cpu.is_none() => "kvm",
        Threads::Many => "tcg",
        Threads::One => "tcg,thread=single",
    };
    let cpu = machine.cpu.as_deref().unwrap_or("max");
    let shared = if ram.is_some() { ",memory-backend=ram" } else { "" };
    add(&["-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-vga", "none"]);
    add(&["-machine", &format!("q35{shared}"), "-accel", accelerator, "-cpu", cpu]);
    add(&["-smp", &machine.cores.to_string(), "-m", &format!("{memory}M")]);
    add(&["-device", "isa-debug-exit,iobase=0xf4,iosize=0x04"]);

    let mut listeners = Vec::new();
    if let Some(ram) = ram {
        let ram = format!("/proc/{}/fd/{}", std::process::id(), ram.as_raw_fd());
        add(&["-object", &format!("memory-backend-file,id=ram,size={memory}M,mem-path={ram},share=on")]);
        let (listener, option) = sockets.listen("monitor", Purpose::Monitor)?;
        add(&["-chardev", &option.to_string_lossy(), "-mon", "chardev=monitor,mode=control"]);
        listeners.push(listener);
    }
    let mut serial: [Option<String>; 4] = Default::default();
    for (index, console) in machine.consoles.iter().enumerate() {
        let name = format!("console-{index}");
        let (listener, option) = sockets.listen(&name, Purpose::Console(index))?;
        listeners.push(listener);
        add(&["-chardev", &option.to_string_lossy()]);
        match *console {
            ConsolePort::Uart(port) => match UARTS.iter().position(|&uart| uart == port) {
                Some(position) => serial[position] = Some(name),
                None => bail!("a PC has no UART at port {port:#x}"),
            },
            ConsolePort::Debugcon(port) => add(&["-device", &format!("isa-debugcon,iobase={port:#x},chardev={name}")]),
        }
    }
    let last = serial.iter().rposition(Option::is_some);
    for chardev in serial.iter().take(last.map_or(0, |last| last + 1)) {
        match chardev {
            Some(name) => add(&["-serial", &format!("chardev:{name}")]),
            None => add(&["-serial", "null"]),
        }
    }
    match &machine.boot {
        Boot::Kernel(path) => add(&["-kernel", &path.to_string_lossy()]),
        Boot::Iso(path) => add(&["-boot", "d", "-cdrom", &path.to_string_lossy()]),
        Boot::IsoUefi(path) => {
            let (code, variables) = ovmf(scratch)?;
            add(&["-drive", &format!("if=pflash,format=raw,unit=0,readonly=on,file={}", code.display())]);
            add(&["-drive", &format!("if=pflash,format=raw,unit=1,file={}", variables.display())]);
            add(&["-boot", "d", "-cdrom", &path.to_string_lossy()]);
        }
    }
    arguments.extend(machine.extra.iter().map(OsString::from));
    Ok((arguments, listeners))
}

/// The UEFI firmware, and a fresh copy of its variables.
fn ovmf(scratch: &Scratch) -> Result<(PathBuf, PathBuf)> {
    for suffix in ["_4M", ""] {
        let code = PathBuf::from(format!("/usr/share/OVMF/OVMF_CODE{suffix}.fd"));
        let variables = PathBuf::from(format!("/usr/share/OVMF/OVMF_VARS{suffix}.fd"));
        if code.exists() && variables.exists() {
            let copy = scratch.path().join("efi-variables");
            std::fs::copy(&variables, &copy)?;
            return Ok((code, copy));
        }
    }
    bail!("UEFI firmware not found: install the package ovmf");
}

fn accept(listener: &Listener, child: &mut Child) -> Result<UnixStream> {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        match listener.socket.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if let Some(status) = child.try_wait()? {
                    bail!("QEMU ended before the machine started ({status})");
                }
                ensure!(Instant::now() < deadline, "QEMU did not open its consoles within 30 s");
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn forward(mut stream: UnixStream, console: usize, events: Sender<Output>) {
    thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let bytes = buffer.get(..count).unwrap_or(&[]).to_vec();
            if events.send((console, bytes)).is_err() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kvm_is_never_chosen_by_the_device_alone() {
        assert!(!worth_kvm("flags : fpu sse2 hypervisor"));
        assert!(!worth_kvm("model name : vmxish"));
    }

    #[test]
    fn ram_reaches_the_end_asked_for() {
        assert_eq!(ram_mib(64 << 20), 128);
        assert_eq!(ram_mib((5 << 30) + 1), (3 << 10) + 64 + 1);
        for end in [16 << 20, (1 << 31) + 4096, (4 << 30) + (2 << 20), 9 << 30] {
            assert!(ram_offset(ram_mib(end), end - 1).is_some(), "{end:#x}");
        }
        assert_eq!(ram_offset(ram_mib(9 << 30), 3 << 30), None, "the hole below 4 GiB");
        assert_eq!(ram_offset(ram_mib(9 << 30), 4 << 30), Some(2 << 30));
    }

    #[test]
    fn a_uart_that_no_pc_has_is_refused() {
        let machine = Machine {
            boot: Boot::Kernel("x".into()),
            cores: 1,
            ram_end: 1 << 24,
            consoles: vec![ConsolePort::Uart(0x123)],
            cpu: None,
            inspection: Inspection::Off,
            threads: Threads::Many,
            extra: Vec::new(),
        };
        let error = start(&machine).unwrap_err();
        assert!(format!("{error:#}").contains("0x123"), "{error:#}");
    }
}
