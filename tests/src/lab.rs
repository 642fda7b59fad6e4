//! The laboratory: builds once, checks small systems, boots them, and keeps what every partition said.

use crate::isolation::{Allowance, GatePart, IO_APIC, Snapshot, Violation, judge};
use crate::walk::{PhysicalMemory, Privilege, walk};
use anyhow::{Context, Result, anyhow, bail};
use manifest::handoff::{HANDOFF_VIRT, Handoff, SEGMENT_OF_GATE};
use manifest::mitigations;
use partition_config::plan::Partition;
use partition_config::schema::Mitigations;
use partition_config::{Archive, Plan};
use std::fmt::Write;
use std::mem::offset_of;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use xtask::artifacts::Artifacts;
use xtask::engine::Engine;
use xtask::engine::qmp::{Inspector, Ram};
use xtask::form::Form;
use xtask::images::{Checked, Inputs, check_file, check_text};
use xtask::launch::{Start, Started, finite_members, launch, launch_archive, members};
use xtask::session::{Member, Report, Until, watch};
use xtask::workspace;

/// How long a small system may take, however busy the host.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Built programs, and the form in which systems made of them run.
#[derive(Debug)]
pub struct Lab {
    artifacts: Artifacts,
    form: Form,
}

/// A finished run.
#[derive(Debug)]
pub struct Run {
    /// What was on the machine.
    pub members: Vec<Member>,
    /// What it did.
    pub report: Report,
}

impl Lab {
    /// Builds everything.
    ///
    /// # Errors
    /// When the build fails.
    pub fn new() -> Result<Self> {
        Ok(Self { artifacts: Artifacts::build()?, form: Form::default() })
    }

    /// The same laboratory, where every system runs in the form `form`.
    pub fn in_form(&self, form: Form) -> Self {
        Self { artifacts: self.artifacts.clone(), form }
    }

    /// The form in which systems run.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The same laboratory with the kernel that has no debug system calls.
    ///
    /// # Errors
    /// When the build fails.
    pub fn with_release_kernel(&self) -> Result<Self> {
        Ok(Self { artifacts: self.artifacts.clone().with_release_kernel()?, form: self.form })
    }

    /// The same laboratory with kernel and programs that have seL4's hardware debug API.
    ///
    /// # Errors
    /// When the build fails.
    pub fn with_hardware_debug(&self) -> Result<Self> {
        Ok(Self { artifacts: self.artifacts.clone().with_hardware_debug()?, form: self.form })
    }

    /// The path of a root task that is built with the workspace, as a system file names it.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn root_task(&self, name: &str) -> Result<String> {
        let path = self.artifacts.path(name).with_context(|| format!("no root task {name}"))?;
        Ok(path.display().to_string())
    }

    /// The checked system of this text, with the form's kernels; its partitions stay as they are.
    ///
    /// # Errors
    /// When it is refused.
    pub fn text(&self, text: &str) -> Result<Plan> {
        accepted(check_text("test.toml", text, &workspace::root(), &self.artifacts, &self.inputs(None)))
    }

    /// The checked system `tests/systems/<name>.toml`.
    ///
    /// # Errors
    /// When it cannot be read or is refused.
    pub fn system(&self, name: &str) -> Result<Plan> {
        self.file(workspace::root().join(format!("tests/systems/{name}.toml")), None)
    }

    /// A checked system file, with another input if wanted.
    ///
    /// # Errors
    /// When it cannot be read or is refused.
    pub fn file(&self, path: PathBuf, input: Option<PathBuf>) -> Result<Plan> {
        self.formed(check_file(&path, &self.artifacts, &self.inputs(input))?)
    }

    fn inputs(&self, input: Option<PathBuf>) -> Inputs {
        Inputs { input, form: self.form }
    }

    fn formed(&self, checked: Checked) -> Result<Plan> {
        self.form.apply(accepted(checked)?, &self.artifacts)
    }

    /// What was built.
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    /// The generated system of `cores` partitions with 8 MiB each.
    ///
    /// # Errors
    /// When the generated text is refused.
    pub fn generated(&self, cores: u32) -> Result<Plan> {
        let text = partition_config::generate(cores, "8M")?;
        self.formed(check_text("generated.toml", &text, &workspace::root(), &self.artifacts, &self.inputs(None)))
    }

    /// Starts `plan`, to be followed by [`Lab::follow`].
    ///
    /// # Errors
    /// When the emulator does not start.
    pub fn start(&self, plan: &Plan, start: &Start) -> Result<Started> {
        launch(plan, &self.artifacts, start)
    }

    /// Boots `plan` on QEMU and follows it to its end.
    ///
    /// # Errors
    /// When the emulator does not start.
    pub fn boot(&self, plan: &Plan) -> Result<Run> {
        self.boot_with(plan, &Start::on(Engine::Qemu), PATIENCE)
    }

    /// As [`Lab::boot`], on another machine.
    ///
    /// # Errors
    /// As [`Lab::boot`].
    pub fn boot_with(&self, plan: &Plan, start: &Start, patience: Duration) -> Result<Run> {
        Self::follow(self.start(plan, start)?, plan, patience)
    }

    /// As [`Lab::boot_with`], with other bytes for the archive.
    ///
    /// # Errors
    /// As [`Lab::boot`].
    pub fn boot_archive(&self, plan: &Plan, archive: &Archive, start: &Start) -> Result<Run> {
        Self::follow(launch_archive(plan, archive, &self.artifacts, start)?, plan, PATIENCE)
    }

    /// Follows a started system to its end.
    ///
    /// # Errors
    /// When the emulator's process cannot be waited for.
    pub fn follow(started: Started, plan: &Plan, patience: Duration) -> Result<Run> {
        Self::follow_members(started, members(plan), patience)
    }

    /// As [`Lab::follow`], waiting for root tasks of other kinds too: these say when they are done.
    ///
    /// # Errors
    /// As [`Lab::follow`].
    pub fn follow_all(started: Started, plan: &Plan, patience: Duration) -> Result<Run> {
        Self::follow_members(started, finite_members(plan), patience)
    }

    fn follow_members(mut started: Started, members: Vec<Member>, patience: Duration) -> Result<Run> {
        let report = watch(&mut started.running, &members, &started.consoles, patience, Until::Finished, |_, _| {})?;
        Ok(Run { members, report })
    }

    /// Follows a started system until every partition is ready; it runs on.
    ///
    /// # Errors
    /// The transcript, when some partition does not become ready.
    pub fn until_ready(started: &mut Started, plan: &Plan, patience: Duration) -> Result<()> {
        let members = members(plan);
        let report = watch(&mut started.running, &members, &started.consoles, patience, Until::Ready, |_, _| {})?;
        let run = Run { members, report };
        let ready = run.report.partitions.iter().all(|partition| partition.ready.is_some());
        if ready { Ok(()) } else { Err(run.failure("not every partition became ready")) }
    }
}

fn accepted(checked: Checked) -> Result<Plan> {
    match checked {
        Checked::Accepted(plan) => Ok(*plan),
        Checked::Refused(report) => bail!("the system is refused:\n{}", report.to_plain_text()),
    }
}

impl Run {
    /// Fails with the transcript unless everything ended well.
    ///
    /// # Errors
    /// The problems and the transcript.
    pub fn succeeded(&self) -> Result<&Self> {
        let problems = self.report.problems(&self.members);
        if problems.is_empty() { Ok(self) } else { Err(self.failure(&problems.join("; "))) }
    }

    /// Fails with `why` and the transcript unless `holds`.
    ///
    /// # Errors
    /// `why` and the transcript.
    pub fn expect(&self, holds: impl FnOnce(&Report) -> Option<()>, why: &str) -> Result<&Self> {
        holds(&self.report).map_or_else(|| Err(self.failure(why)), |()| Ok(self))
    }

    /// The lines of a partition.
    ///
    /// # Errors
    /// When there is no such partition.
    pub fn lines(&self, partition: &str) -> Result<&[String]> {
        let found = self.report.partition(partition);
        Ok(&found.with_context(|| format!("no partition {partition}"))?.lines)
    }

    /// An error with `why` and everything the machine said.
    pub fn failure(&self, why: &str) -> anyhow::Error {
        let mut text = format!("{why}\n");
        // Writing to a string does not fail.
        let _ = writeln!(text, "  ended: {:?} after {:?}", self.report.end, self.report.elapsed);
        if let Some(refusal) = &self.report.refusal {
            let _ = writeln!(text, "  refused: {} {}", refusal.code, refusal.text);
        }
        for partition in &self.report.partitions {
            let _ = writeln!(
                text,
                "  {}: ready {:?}, exits {:?}, done {:?}, parked {:?}",
                partition.name, partition.ready, partition.exits, partition.done, partition.parked
            );
            for line in partition.lines.iter().take(40) {
                let _ = writeln!(text, "    | {line}");
            }
        }
        for line in self.report.strays.iter().take(40) {
            let _ = writeln!(text, "  machine | {line}");
        }
        anyhow!(text)
    }
}

impl PhysicalMemory for Ram {
    fn page(&self, phys: u64) -> Option<[u64; 512]> {
        let mut bytes = [0; 4096];
        self.read(phys, &mut bytes)?;
        let mut words = [0; 512];
        for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        Some(words)
    }
}

/// Stops a running machine `samples` times and judges what it finds: the address spaces the cores are in, and every
/// other top-level table in the instances' memory (programs that are waiting).
///
/// # Errors
/// When the monitor does not answer.
pub fn examine(inspector: &mut Inspector, plan: &Plan, samples: u32) -> Result<Examination> {
    let allowances = allowances(plan);
    let mut result = Examination::default();
    for _ in 0..samples {
        inspector.stop()?;
        let memory = inspector.ram()?;
        let active = inspector.page_table_roots()?;
        // Tables change while the machine runs: each stop is judged by itself.
        let mut snapshots = Vec::new();
        for (partition, allowance) in plan.partitions.iter().zip(&allowances) {
            let mut roots: Vec<u64> = Vec::new();
            for root in partition.cores.iter().filter_map(|&core| active.get(core as usize)) {
                roots.push(root & !0xfff);
                roots.extend(siblings(&memory, root & !0xfff, &allowance.slices));
                let gate = gate_table(&memory, *root);
                roots.extend(gate.into_iter().flat_map(|gate| siblings(&memory, gate, &allowance.slices)));
            }
            roots.sort_unstable();
            roots.dedup();
            snapshots.push(Snapshot { spaces: roots.iter().map(|&root| walk(&memory, root)).collect() });
        }
        inspector.resume()?;
        result.violations.extend(judge(&allowances, &snapshots));
        result.spaces = snapshots.iter().map(|snapshot| snapshot.spaces.len()).sum();
        let mappings = snapshots.iter().flat_map(|snapshot| &snapshot.spaces).flat_map(|space| &space.mappings);
        result.reached.extend(mappings.clone().map(|mapping| mapping.phys.clone()));
        let (user, kernel): (Vec<_>, Vec<_>) = mappings.partition(|m| m.rights.privilege == Privilege::User);
        (result.user_mappings, result.kernel_mappings) = (user.len(), kernel.len());
        std::thread::sleep(Duration::from_millis(37));
    }
    result.violations.sort();
    result.violations.dedup();
    Ok(result)
}

/// The top-level table that maps the gate only, if there is one and `root` is that of a kernel: it is in the handoff page.
fn gate_table(memory: &impl PhysicalMemory, root: u64) -> Option<u64> {
    let space = walk(memory, root);
    let page = space.mappings.iter().find(|mapping| mapping.virt == HANDOFF_VIRT)?;
    let word = memory.page(page.phys.start)?.get(offset_of!(Handoff, gate_table) / size_of::<u64>()).copied();
    word.filter(|table| *table != 0)
}

/// Pages in `slices` whose kernel half is that of the top-level table `root`: the instance's other address spaces.
fn siblings(memory: &impl PhysicalMemory, root: u64, slices: &[Range<u64>]) -> Vec<u64> {
    // The processor sets the accessed bit in each copy by itself.
    let kernel_half = |page: [u64; 512]| -> Vec<u64> { page.iter().skip(256).map(|entry| entry & !0x20).collect() };
    let Some(wanted) = memory.page(root).map(kernel_half) else { return Vec::new() };
    let pages = slices.iter().flat_map(|slice| slice.clone().step_by(4096));
    pages.filter(|&phys| memory.page(phys).map(kernel_half).as_ref() == Some(&wanted)).collect()
}

/// What an examination found.
#[derive(Clone, Debug, Default)]
pub struct Examination {
    /// Broken rules, at any stop.
    pub violations: Vec<Violation>,
    /// Address spaces at the last stop.
    pub spaces: usize,
    /// Their user mappings.
    pub user_mappings: usize,
    /// Their kernel mappings.
    pub kernel_mappings: usize,
    /// Physical memory that was mapped by anybody at any stop.
    pub reached: Vec<Range<u64>>,
}

/// The same system, each of its kernels with these mitigations: bits of [`manifest::mitigations`].
pub fn with_mitigations(mut plan: Plan, mitigations: u32) -> Plan {
    for partition in &mut plan.partitions {
        partition.mitigations = Mitigations(mitigations);
    }
    plan
}

/// What `plan` allows each instance.
pub fn allowances(plan: &Plan) -> Vec<Allowance> {
    let allowance = |(index, partition): (usize, &Partition)| {
        let channels =
            plan.shared_channels().filter(|(_, channel)| channel.ends.iter().any(|end| end.partition == index));
        Allowance {
            name: partition.name.clone(),
            slices: partition.memory.iter().map(|range| range.base..range.end()).collect(),
            devices: partition.mmio.iter().map(|range| range.base..range.end()).collect(),
            channels: channels.map(|(at, channel)| (at, channel.memory.base..channel.memory.end())).collect(),
            gate: (partition.mitigations.0 & mitigations::KPTI != 0).then(|| gate_of(&partition.kernel)),
            kernel_devices: partition
                .owns
                .iter()
                .any(|device| device == "ioapic")
                .then_some(IO_APIC)
                .into_iter()
                .collect(),
        }
    };
    plan.partitions.iter().enumerate().map(allowance).collect()
}

/// The segments of a kernel's ELF that belong to the gate.
fn gate_of(elf: &[u8]) -> Vec<GatePart> {
    let word = |at: usize, bytes: usize| {
        let field = elf.get(at..at + bytes).unwrap_or(&[]);
        field.iter().rev().fold(0_u64, |word, byte| word << 8 | u64::from(*byte))
    };
    // e_phoff and e_phnum; then of each header p_type, p_flags, p_vaddr and p_memsz.
    let (table, count) = (word(0x20, 8) as usize, word(0x38, 2) as usize);
    let headers = (0..count).map(|index| table + index * 56).filter(|&at| word(at, 4) == 1);
    let gate = headers.filter(|&at| word(at + 4, 4) & u64::from(SEGMENT_OF_GATE) != 0);
    let part = |at: usize| {
        let (start, end) = (word(at + 0x10, 8), word(at + 0x10, 8) + word(at + 0x28, 8));
        let flags = word(at + 4, 4);
        GatePart { virt: start & !0xfff..(end + 0xfff) & !0xfff, write: flags & 2 != 0, execute: flags & 1 != 0 }
    };
    gate.map(part).collect()
}
