//! From a checked plan to a started machine: its members, its consoles, its image.

use crate::artifacts::Artifacts;
use crate::engine::qemu::LAST_RESORT_PORT;
use crate::engine::{self, Boot, ConsolePort, Engine, Inspection, Machine, Running, Threads};
use crate::image;
use crate::iso::{self, Screen};
use crate::session::{Member, Work};
use crate::workspace::Scratch;
use anyhow::{Context, Result};
use partition_config::plan::{Console, Lifetime, Partition, RootKind};
use partition_config::{Archive, Plan};

/// How an image gets into the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// The emulator loads an ELF.
    Kernel,
    /// A CD image by BIOS.
    Iso,
    /// A CD image by UEFI.
    IsoUefi,
}

/// What may differ from the plan's own machine.
#[derive(Clone, Debug)]
pub struct Start {
    /// Emulator.
    pub engine: Engine,
    /// How the image gets in.
    pub medium: Medium,
    /// Processors, if not as many as the plan needs.
    pub cores: Option<u32>,
    /// End of RAM, if not what the plan needs, in bytes.
    pub ram_end: Option<u64>,
    /// CPU model in the emulator's words.
    pub cpu: Option<String>,
    /// Whether the machine can be examined.
    pub inspection: Inspection,
    /// How QEMU runs the processors, if not as is best for the plan.
    pub threads: Option<Threads>,
    /// Further arguments for QEMU.
    pub extra: Vec<String>,
}

impl Start {
    /// The usual machine on `engine`.
    pub fn on(engine: Engine) -> Self {
        let medium = if engine == Engine::Bochs { Medium::Iso } else { Medium::Kernel };
        let (inspection, extra) = (Inspection::Off, Vec::new());
        Self { engine, medium, cores: None, ram_end: None, cpu: None, inspection, threads: None, extra }
    }
}

/// A started system.
#[derive(Debug)]
pub struct Started {
    /// The machine.
    pub running: Running,
    /// For each console of the machine, the (first) member it belongs to.
    pub consoles: Vec<Option<usize>>,
    /// Holds the image.
    _scratch: Scratch,
}

/// Makes the image of `plan` and starts a machine with it.
///
/// # Errors
/// When the image cannot be made, or the emulator does not start.
pub fn launch(plan: &Plan, artifacts: &Artifacts, start: &Start) -> Result<Started> {
    launch_archive(plan, &plan.archive(), artifacts, start)
}

/// As [`launch`], with other bytes for the archive: for tests of what the loader refuses.
///
/// # Errors
/// As [`launch`].
pub fn launch_archive(plan: &Plan, archive: &Archive, artifacts: &Artifacts, start: &Start) -> Result<Started> {
    let scratch = Scratch::new()?;
    let loader = artifacts.loader()?;
    let mut ram_end = plan.memory_end();
    let boot = match start.medium {
        Medium::Kernel => {
            let path = scratch.path().join("skerry.elf");
            let image = image::append_archive(&loader, &archive.bytes, archive.load_base)?;
            std::fs::write(&path, image).with_context(|| format!("cannot write {}", path.display()))?;
            ram_end = archive.ram_end();
            Boot::Kernel(path)
        }
        Medium::Iso | Medium::IsoUefi => {
            let path = scratch.path().join("skerry.iso");
            iso::write(&loader, &archive.bytes, Screen::of(plan), &path)?;
            // GRUB puts the archive where it likes; leave it room.
            ram_end += archive.bytes.len() as u64;
            if start.medium == Medium::Iso { Boot::Iso(path) } else { Boot::IsoUefi(path) }
        }
    };
    let (consoles, ports) = consoles(plan, start.engine);
    let cores = start.cores.unwrap_or_else(|| plan.core_count());
    let machine = Machine {
        boot,
        cores,
        ram_end: start.ram_end.unwrap_or(ram_end),
        consoles: ports,
        cpu: start.cpu.clone(),
        inspection: start.inspection,
        threads: start.threads.unwrap_or_else(|| threads(plan)),
        extra: start.extra.clone(),
    };
    Ok(Started { running: engine::start(start.engine, &machine)?, consoles, _scratch: scratch })
}

/// Cores of one kernel wait for each other's locks. Where the host has no processor free for each of them, a core that
/// waits keeps the one it waits for from running; in one thread it gives way.
fn threads(plan: &Plan) -> Threads {
    let shares = plan.partitions.iter().any(|partition| partition.cores.len() > 1);
    if shares { Threads::One } else { Threads::Many }
}

/// The partitions as the host sees them.
pub fn members(plan: &Plan) -> Vec<Member> {
    plan.partitions.iter().flat_map(residents).collect()
}

/// The same, each to be waited for: root tasks of other kinds too, which say when they are done.
pub fn finite_members(plan: &Plan) -> Vec<Member> {
    members(plan).into_iter().map(|member| Member { work: Work::Finite, ..member }).collect()
}

/// The partition itself; or, if it was merged, each one that it was made of.
fn residents(partition: &Partition) -> Vec<Member> {
    let console = match partition.console {
        Console::None => None,
        Console::Uart(port) => Some(ConsolePort::Uart(port)),
        Console::Debugcon(port) => Some(ConsolePort::Debugcon(port)),
    };
    let mut members: Vec<Member> = Vec::new();
    for program in &partition.programs {
        let Some((home, own)) = program.name.split_once(manifest::MERGED) else { continue };
        let known = members.iter().position(|member| member.name == home).unwrap_or_else(|| {
            let jobs = Some(Vec::new());
            members.push(Member { name: home.to_owned(), console, work: Work::Endless, jobs });
            members.len() - 1
        });
        if let (Lifetime::Job, Some(member)) = (program.lifetime, members.get_mut(known)) {
            member.work = Work::Finite;
            member.jobs.iter_mut().for_each(|jobs| jobs.push(own.to_owned()));
        }
    }
    if members.is_empty() {
        let finishes = partition.root_kind == RootKind::Skerry && partition.finishes();
        let work = if finishes { Work::Finite } else { Work::Endless };
        members.push(Member { name: partition.name.clone(), console, work, jobs: None });
    }
    members
}

/// The machine's consoles with their (first) owners; QEMU also gets the port of last resort.
fn consoles(plan: &Plan, engine: Engine) -> (Vec<Option<usize>>, Vec<ConsolePort>) {
    let members = members(plan);
    let is_first = |index: usize, port| !members.iter().take(index).any(|member| member.console == Some(port));
    let own = members.iter().enumerate().filter_map(|(index, member)| Some((index, member.console?)));
    let own = own.filter(|(index, port)| is_first(*index, *port)).map(|(index, port)| (Some(index), port));
    let last_resort = (engine == Engine::Qemu).then_some((None, ConsolePort::Debugcon(LAST_RESORT_PORT)));
    own.chain(last_resort).unzip()
}

/// The content of the file that some program of the system is granted as `name`.
pub fn granted_file(plan: &Plan, name: &str) -> Option<Vec<u8>> {
    let partition = plan.partitions.iter().find(|partition| {
        let grants = partition.programs.iter().flat_map(|program| &program.grants);
        grants.clone().any(|&grant| partition.files.get(grant).is_some_and(|file| file.name == name))
    })?;
    partition.files.iter().find(|file| file.name == name).map(|file| file.content.to_vec())
}

/// Gives every program called `program` other arguments.
pub fn set_arguments(plan: &mut Plan, program: &str, arguments: &[String]) {
    let programs = plan.partitions.iter_mut().flat_map(|partition| &mut partition.programs);
    let own_name = |name: &str| name.rsplit(manifest::MERGED).next() == Some(program);
    for program in programs.filter(|found| own_name(&found.name)) {
        program.args = arguments.to_vec();
    }
}
