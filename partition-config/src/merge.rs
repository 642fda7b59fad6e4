//! A multikernel system as fewer, larger partitions over the same cores: the other end of every comparison.
//!
//! ```text
//!  reader │ tokenizer │ counter │ reporter        one core and one kernel each
//!  reader   tokenizer │ counter   reporter        clustered: 2 × 2
//!  reader   tokenizer   counter   reporter        SMP: one kernel
//! ```
//!
//! The programs stay the same and stay on their cores. A channel whose two ends come into one partition becomes that
//! partition's own memory, and its doorbells become signals; programs cannot tell. A program is called
//! `partition/program` from then on, by which tools find out whose output a line is ([`manifest::MERGED`]).
//! Tests: `tests/merging.rs`.

use crate::elf::{self, Kind};
use crate::images::Images;
use crate::need::{self, Parts};
use crate::plan::{Bell, Channel, Console, Doorbell, File, Need, Partition, Plan, Program, Role, RootKind};
use crate::schema::Mitigations;
use crate::size::{Extent, rough};
use ipi::{DOORBELL_FIRST, DOORBELL_LAST};
use manifest::MERGED;
use manifest::handoff::{MAX_CORES, MAX_DEVICES, MAX_MEMORY, MAX_PORTS, MAX_ROUTES};
use manifest::program::BADGE_BITS;
use std::ops::Range;

/// Why a system cannot be merged; names the culprit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MergeError(String);

impl std::fmt::Display for MergeError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for MergeError {}

/// Where a program went.
#[derive(Clone, Copy)]
struct Place {
    group: usize,
    first_program: usize,
}

impl Plan {
    /// The same system with its partitions merged into `count` of them, neighbours in the file together, as equal in
    /// number as possible.
    ///
    /// # Errors
    /// When there are fewer partitions than `count`, or what comes together does not fit into one partition.
    pub fn merged(&self, count: usize, images: &dyn Images) -> Result<Plan, MergeError> {
        let all = self.partitions.len();
        if !(1..=all).contains(&count) {
            return Err(MergeError(format!("{all} partitions cannot be merged into {count}")));
        }
        let groups: Vec<Range<usize>> =
            (0..count).map(|group| group * all / count..(group + 1) * all / count).collect();
        let mut places = Vec::new();
        for (group, range) in groups.iter().enumerate() {
            let mut first_program = 0;
            for partition in self.partitions.iter().take(range.end).skip(range.start) {
                places.push(Place { group, first_program });
                first_program += partition.programs.len();
            }
        }
        let mut channels: Vec<Channel> = self.channels.iter().map(|channel| moved(channel, &places)).collect();
        let mut partitions = Vec::new();
        for (group, range) in groups.into_iter().enumerate() {
            let members = self.partitions.get(range).unwrap_or(&[]);
            if let [alone] = members {
                partitions.push(alone.clone());
                continue;
            }
            let name = if count == 1 { "smp".to_owned() } else { format!("cluster-{group}") };
            let own = channels
                .iter()
                .filter(|channel| channel.is_local() && channel.ends.iter().all(|end| end.partition == group));
            let channel_bytes = own.map(|channel| channel.memory.size).fold(0, u64::saturating_add);
            partitions.push(joined(&name, members, channel_bytes, images)?);
        }
        renumber(&mut channels, &partitions)?;
        let merged = Plan { name: self.name.clone(), partitions, channels };
        (0..count).try_for_each(|group| merged.limits(group))?;
        Ok(merged)
    }

    /// What one kernel instance can be given.
    fn limits(&self, group: usize) -> Result<(), MergeError> {
        let Some(partition) = self.partitions.get(group) else { return Ok(()) };
        let ends = self.shared_channels().flat_map(|(_, channel)| &channel.ends).filter(|end| end.partition == group);
        let doorbells = ends.clone().filter(|end| end.rings.is_some()).count();
        let driver = partition.programs.iter().position(|program| program.role == Role::Driver);
        let all_ends = self.channels.iter().flat_map(|channel| &channel.ends);
        let wakers = all_ends.filter(|end| end.partition == group && driver.is_some() && end.program == driver).count();
        let interrupts = driver.map_or(0, |_| partition.interrupts.len());
        let counts = [
            ("cores", partition.cores.len(), MAX_CORES),
            ("memory ranges", partition.memory.len(), MAX_MEMORY),
            ("device ranges and channel ends", partition.mmio.len() + ends.count(), MAX_DEVICES),
            ("I/O port ranges", partition.ports.len(), MAX_PORTS),
            ("doorbells to ring", doorbells, MAX_ROUTES),
            ("channel ends and interrupts for its driver", wakers + interrupts, BADGE_BITS as usize),
        ];
        let too_many = counts.into_iter().find(|(_, count, most)| count > most);
        too_many.map_or(Ok(()), |(what, count, most)| {
            Err(MergeError(format!("partition `{}` would have {count} {what}; the most is {most}", partition.name)))
        })
    }
}

/// The channel with its ends where their programs are now.
fn moved(channel: &Channel, places: &[Place]) -> Channel {
    let mut channel = channel.clone();
    for end in &mut channel.ends {
        if let Some(place) = places.get(end.partition) {
            end.partition = place.group;
            end.program = end.program.map(|program| program + place.first_program);
        }
    }
    if channel.is_local() {
        channel.memory.base = 0;
        channel.ends.iter_mut().for_each(|end| end.rings = end.rings.map(|_| Bell::Notification));
    }
    channel
}

/// Gives every doorbell a vector of its own in the partition that now hears it, at the core of the program that does.
fn renumber(channels: &mut [Channel], partitions: &[Partition]) -> Result<(), MergeError> {
    let mut next = vec![u32::from(DOORBELL_FIRST); partitions.len()];
    for channel in channels {
        let [first, second] = &mut channel.ends;
        for (sender, receiver) in [
            (&mut first.rings, (second.partition, second.program)),
            (&mut second.rings, (first.partition, first.program)),
        ] {
            let Some(Bell::Doorbell(Doorbell { core, vector })) = sender else { continue };
            let (Some(partition), Some(free)) = (partitions.get(receiver.0), next.get_mut(receiver.0)) else {
                continue;
            };
            if *free > u32::from(DOORBELL_LAST) {
                return Err(MergeError(format!("partition `{}` would hear too many doorbells", partition.name)));
            }
            let program = receiver.1.and_then(|program| partition.programs.get(program));
            let node = program.map_or(0, |program| program.node);
            *core = partition.cores.get(node).copied().unwrap_or(*core);
            *vector = *free;
            *free += 1;
        }
    }
    Ok(())
}

/// One partition with everything that `members` have.
fn joined(name: &str, members: &[Partition], channel_bytes: u64, images: &dyn Images) -> Result<Partition, MergeError> {
    let refuse = |message: String| Err(MergeError(message));
    if let Some(foreign) = members.iter().find(|member| member.root_kind == RootKind::Foreign) {
        return refuse(format!("partition `{}` has a root task of its own: it cannot share a kernel", foreign.name));
    }
    let has_driver = |member: &&Partition| member.programs.iter().any(|program| program.role == Role::Driver);
    let mut drivers = members.iter().filter(has_driver);
    if let (Some(first), Some(second)) = (drivers.next(), drivers.next()) {
        return refuse(format!(
            "partitions `{}` and `{}` both have a driver: in one partition their devices could not be told apart",
            first.name, second.name
        ));
    }
    let cores: Vec<u32> = members.iter().flat_map(|member| &member.cores).copied().collect();
    let kernel = images.kernel(cores.len()).map_err(|error| format!("cannot be read: {error}"));
    let kernel = kernel.and_then(|bytes| elf::examine(&bytes, Kind::Kernel).map_err(|problem| problem.message));
    let kernel = kernel.map_err(|message| MergeError(format!("the kernel for {} cores {message}", cores.len())))?;
    let memory = ranges(members);
    let total = memory.iter().map(|range| range.size).fold(0, u64::saturating_add);
    let need = need(members, kernel.span_bytes, cores.len(), channel_bytes, total);
    let first_range = memory.first().map_or(0, |range| range.size);
    if total < need.total() || first_range < need.first_range() {
        return refuse(format!(
            "partition `{name}` would need {}, {} of it in one range; it has {} and {}",
            rough(need.total()),
            rough(need.first_range()),
            rough(total),
            rough(first_range)
        ));
    }
    let (programs, files) = programs(members)?;
    let sorted = |mut interrupts: Vec<_>| {
        interrupts.sort_unstable();
        interrupts
    };
    let mut ports: Vec<_> = members.iter().flat_map(|member| &member.ports).copied().collect();
    ports.sort_unstable();
    let mut mmio: Vec<_> = members.iter().flat_map(|member| &member.mmio).copied().collect();
    mmio.sort_unstable();
    let consoles = members.iter().map(|member| member.console);
    Ok(Partition {
        name: name.to_owned(),
        cores,
        domains: members.iter().map(|member| member.domains).max().unwrap_or(1),
        root_cnode_bits: members.iter().map(|member| member.root_cnode_bits).max().unwrap_or(0),
        mitigations: Mitigations(members.iter().fold(0, |all, member| all | member.mitigations.0)),
        memory,
        need,
        owns: members.iter().flat_map(|member| &member.owns).cloned().collect(),
        mmio,
        ports,
        interrupts: sorted(members.iter().flat_map(|member| &member.interrupts).copied().collect()),
        console: consoles.clone().find(|console| *console != Console::None).unwrap_or(Console::None),
        kernel: kernel.content,
        root_task: members.first().map(|member| member.root_task.clone()).unwrap_or_default(),
        root_kind: RootKind::Skerry,
        programs,
        files,
    })
}

/// All memory of `members`, neighbouring ranges as one, the largest first: that is where the kernel will be.
fn ranges(members: &[Partition]) -> Vec<Extent> {
    let mut all: Vec<Extent> = members.iter().flat_map(|member| &member.memory).copied().collect();
    all.sort_unstable();
    let mut ranges: Vec<Extent> = Vec::new();
    for range in all {
        match ranges.last_mut().filter(|last| last.end() == range.base) {
            Some(last) => last.size += range.size,
            None => ranges.push(range),
        }
    }
    ranges.sort_by_key(|range| (std::cmp::Reverse(range.size), range.base));
    ranges
}

fn need(members: &[Partition], kernel_span: u64, cores: usize, channel_bytes: u64, total: u64) -> Need {
    let sum = |part: fn(&Need) -> u64| members.iter().map(|member| part(&member.need)).fold(0, u64::saturating_add);
    let most = |part: fn(&Need) -> u64| members.iter().map(|member| part(&member.need)).max().unwrap_or(0);
    let kernel = need::of(&Parts { kernel_span, cores: cores as u64, ..Parts::default() }, Some(total)).kernel;
    Need {
        kernel,
        root_task: most(|need| need.root_task),
        files: sum(|need| need.files),
        programs: sum(|need| need.programs).saturating_add(channel_bytes),
        room: most(|need| need.room),
    }
}

/// The programs of all members under their long names, and their files, equal ones once.
fn programs(members: &[Partition]) -> Result<(Vec<Program>, Vec<File>), MergeError> {
    let (mut programs, mut files) = (Vec::new(), Vec::<File>::new());
    let mut first_node = 0;
    for member in members {
        let places: Vec<usize> = member.files.iter().map(|file| position(&mut files, file)).collect();
        let place = |index: usize| places.get(index).copied().unwrap_or(0);
        for program in &member.programs {
            let name = format!("{}{MERGED}{}", member.name, program.name);
            if manifest::Name::new(&name).is_none() {
                let most = manifest::NAME_BYTES;
                return Err(MergeError(format!("`{name}` is longer than {most} bytes: shorten one of the two names")));
            }
            programs.push(Program {
                name,
                node: first_node + program.node,
                image: place(program.image),
                grants: program.grants.iter().map(|&grant| place(grant)).collect(),
                ..program.clone()
            });
        }
        first_node += member.cores.len();
    }
    Ok((programs, files))
}

/// Where `files` has this file, now.
fn position(files: &mut Vec<File>, file: &File) -> usize {
    let same = |other: &File| other.name == file.name && other.content == file.content;
    files.iter().position(same).unwrap_or_else(|| {
        files.push(file.clone());
        files.len() - 1
    })
}
