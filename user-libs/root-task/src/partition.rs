//! The partition as its manifest describes it, and the order in which its parts are built.

use crate::error::{RootError, Step};
use crate::frames::{Frames, Ranges};
use crate::objects::Objects;
use crate::program::{self, Built};
use crate::window::Windows;
use alloc::vec::Vec;
use manifest::{Manifest, Partition, Program};
use sel4::{BootInfo, Endpoint, Notification, ObjectType, Reply, SchedControl};

/// What every step of building needs.
pub struct Site<'a> {
    /// Memory and slots.
    pub objects: Objects,
    /// Frames of files, channels and devices.
    pub ranges: Ranges,
    /// The root task's view of others' memory.
    pub windows: Windows,
    /// The manifest.
    pub manifest: Manifest<'a>,
    /// Its one partition.
    pub partition: &'a Partition,
    /// What the kernel says about this instance.
    pub instance: abi::bootinfo::Instance,
    /// Time of each core of the partition.
    pub cores: Vec<SchedControl>,
    /// Where bells and interrupts arrive, for each program: made first, since each may be rung by any other.
    pub notifications: Vec<Notification>,
    /// Memory of the channels between programs of the partition, by channel number.
    pub local: Vec<(u32, Frames)>,
    /// Where programs report to.
    pub endpoint: Endpoint,
}

/// The running partition.
pub struct Running {
    /// Its programs; the n-th has badge n + 1.
    pub programs: Vec<Built>,
    /// Where they report to.
    pub endpoint: Endpoint,
    /// Whom to answer.
    pub reply: Reply,
}

/// Physical base and bytes (whole pages) of file number `index` of the manifest.
pub fn file_range(manifest: &Manifest<'_>, files_base: u64, index: u32) -> Result<(u64, u64), RootError> {
    let file = manifest.file(index).ok_or(RootError::Record("file"))?;
    let base = files_base.checked_add(file.offset).ok_or(RootError::Record("file offset"))?;
    let pages = file.size.checked_next_multiple_of(4096).ok_or(RootError::Record("file size"))?;
    Ok((base, pages))
}

/// Every physical range that some program will have mapped.
pub fn ranges(manifest: &Manifest<'_>, partition: &Partition, files_base: u64) -> Result<Vec<(u64, u64)>, RootError> {
    let mut ranges = Vec::new();
    for program in manifest.programs_of(partition) {
        ranges.push(file_range(manifest, files_base, program.image)?);
        for file in program::granted(manifest, program) {
            ranges.push(file_range(manifest, files_base, file)?);
        }
    }
    for end in manifest.ends_of(partition) {
        let channel = manifest.channel_of(end).ok_or(RootError::Record("channel"))?;
        if !channel.is_local() {
            ranges.push((channel.base, channel.size));
        }
    }
    if manifest.programs_of(partition).iter().any(program::is_driver) {
        ranges.extend(manifest.devices_of(partition).iter().map(|device| (device.base, device.size)));
    }
    Ok(ranges)
}

/// Builds every program of the partition and starts them all, the last step of which is the only one they can see.
pub fn start(info: &BootInfo<'_>, bytes: &[u8]) -> Result<Running, StartError> {
    let whole = |error| StartError { program: None, error };
    let manifest = Manifest::decode(bytes).map_err(|error| whole(RootError::Manifest(error)))?;
    let [partition] = manifest.partitions() else { return Err(whole(RootError::PartitionCount)) };
    let mut site = prepare(info, manifest, partition).map_err(whole)?;
    let reply = site.objects.create(ObjectType::Reply, 0).map(Reply::new).map_err(whole)?;
    let mut programs: Vec<Built> = Vec::new();
    for (index, program) in manifest.programs_of(partition).iter().enumerate() {
        let built = program::build(&mut site, index as u32, program);
        programs.push(built.map_err(|error| named(program, error))?);
    }
    for (built, program) in programs.iter().zip(manifest.programs_of(partition)) {
        built.tcb.resume().step("start it").map_err(|error| named(program, error))?;
    }
    Ok(Running { programs, endpoint: site.endpoint, reply })
}

fn prepare<'a>(info: &BootInfo<'_>, manifest: Manifest<'a>, partition: &'a Partition) -> Result<Site<'a>, RootError> {
    let instance = info.instance().ok_or(RootError::NoManifest)?;
    let mut objects = Objects::new(info);
    let ranges = Ranges::new(&mut objects, ranges(&manifest, partition, instance.files_base)?)?;
    let endpoint = Endpoint::new(objects.create(ObjectType::Endpoint, 0)?);
    let cores = (0..).map_while(|core| info.sched_control(core)).collect();
    let mut notifications = Vec::new();
    for _ in manifest.programs_of(partition) {
        notifications.push(Notification::new(objects.create(ObjectType::Notification, 0)?));
    }
    let mut local = Vec::new();
    for (channel, number) in manifest.channels().iter().zip(0..).filter(|(channel, _)| channel.is_local()) {
        local.push((number, Frames::fresh(&mut objects, channel.size)?));
    }
    let windows = Windows::new();
    Ok(Site { objects, ranges, windows, manifest, partition, instance, cores, notifications, local, endpoint })
}

/// Why the partition does not start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartError {
    /// The program that could not be built, if it is one program's fault.
    pub program: Option<manifest::Name>,
    /// Why.
    pub error: RootError,
}

fn named(program: &Program, error: RootError) -> StartError {
    StartError { program: Some(program.name), error }
}
