//! Channels: two ends that exist and differ, a size in whole pages, and somebody who may write.

use super::{defaults, is_whole_pages, items, program_name};
use crate::code::Code;
use crate::diagnostic::{Finding, Findings};
use crate::plan::End;
use crate::read::{Spot, nearest};
use crate::schema::{self, Access};

const DEFAULT_SIZE: u64 = 64 << 10;

/// A channel that has no place in memory and no doorbells yet.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub name: String,
    pub size: u64,
    /// The ends, if both exist.
    pub ends: Option<[End; 2]>,
}

impl Draft {
    /// Whether both ends are in one partition.
    pub fn is_local(&self) -> bool {
        self.ends.as_ref().is_some_and(|[first, second]| first.partition == second.partition)
    }
}

/// What an end can name: `partition/program`, or the partition alone where it has a root task of its own.
struct Target {
    path: String,
    partition: usize,
    program: Option<usize>,
}

pub(super) fn resolve(file: &schema::File, findings: &mut Findings) -> Vec<Draft> {
    let targets = targets(file);
    let default_size = defaults(file).channel_size;
    let channels = items(&file.channel).iter().map(|channel| {
        let name = channel.value.name.as_ref().map_or("?", |name| name.value.as_str()).to_owned();
        let size = size(channel.value.size.as_ref().or(default_size.as_ref()), findings);
        let access = access(&channel.value, findings);
        let ends = ends(&name, channel, access, &targets, findings);
        Draft { name, size, ends }
    });
    channels.collect()
}

fn targets(file: &schema::File) -> Vec<Target> {
    let mut targets = Vec::new();
    for (partition_index, partition) in items(&file.partition).iter().enumerate() {
        let Some(partition_name) = &partition.value.name else { continue };
        if partition.value.root_task.is_some() {
            targets.push(Target { path: partition_name.value.clone(), partition: partition_index, program: None });
        }
        for (program_index, program) in items(&partition.value.program).iter().enumerate() {
            let Some(program_name) = program_name(&program.value) else { continue };
            let path = format!("{}/{}", partition_name.value, program_name.value);
            targets.push(Target { path, partition: partition_index, program: Some(program_index) });
        }
    }
    targets
}

fn size(size: Option<&Spot<crate::size::Size>>, findings: &mut Findings) -> u64 {
    let Some(size) = size else { return DEFAULT_SIZE };
    if !is_whole_pages(size.value.0) {
        let message = format!("a channel of {} cannot be made", size.value);
        let finding = Finding::new(Code::ChannelSize, message, &size.span, "not whole pages");
        findings.add(finding.help("channels are multiples of 4K, at least 4K"));
        return DEFAULT_SIZE;
    }
    size.value.0
}

fn access(channel: &schema::Channel, findings: &mut Findings) -> [Access; 2] {
    let both = [Access::ReadWrite; 2];
    let Some(list) = &channel.access else { return both };
    let [first, second] = list.value.as_slice() else {
        let message = format!("`access` has {} entries, a channel has two ends", list.value.len());
        let finding = Finding::new(Code::ChannelAccess, message, &list.span, "not two entries");
        findings.add(finding.help("write one for each end, such as [\"rw\", \"r\"]"));
        return both;
    };
    if (first.value, second.value) == (Access::Read, Access::Read) {
        let message = "nobody may write to this channel";
        let finding = Finding::new(Code::ChannelAccess, message, &list.span, "both ends only read");
        findings.add(finding.help("give \"rw\" to at least one end"));
    }
    [first.value, second.value]
}

fn ends(
    name: &str,
    channel: &Spot<schema::Channel>,
    access: [Access; 2],
    targets: &[Target],
    findings: &mut Findings,
) -> Option<[End; 2]> {
    let list = channel.value.ends.as_ref()?;
    let found: Vec<_> = list.value.iter().map(|end| find(end, targets, findings)).collect();
    let [first, second] = found.as_slice() else {
        let message = format!("channel `{name}` has {} ends", found.len());
        let finding = Finding::new(Code::ChannelEnds, message, &list.span, "a channel has two ends");
        findings.add(finding.help("write two, such as [\"first/reader\", \"second/writer\"]"));
        return None;
    };
    let (first, second) = ((*first)?, (*second)?);
    if (first.partition, first.program) == (second.partition, second.program) {
        let message = format!("both ends of channel `{name}` are `{}`", first.path);
        let finding = Finding::new(Code::ChannelSameProgram, message, &list.span, "a channel joins two programs");
        findings.add(finding.help("name another program at one end"));
        return None;
    }
    let end =
        |target: &Target, access| End { partition: target.partition, program: target.program, access, rings: None };
    let [first_access, second_access] = access;
    Some([end(first, first_access), end(second, second_access)])
}

fn find<'a>(end: &Spot<String>, targets: &'a [Target], findings: &mut Findings) -> Option<&'a Target> {
    let found = targets.iter().find(|target| target.path == end.value);
    if found.is_none() {
        let paths = targets.iter().map(|target| target.path.as_str());
        let help = match nearest(&end.value, paths.clone()) {
            Some(nearest) => format!("did you mean \"{nearest}\"?"),
            None => {
                let known = paths.take(8).collect::<Vec<_>>().join(", ");
                format!("an end is `partition/program`, or a `partition` with a root task of its own; here: {known}")
            }
        };
        let message = format!("there is no `{}`", end.value);
        let finding = Finding::new(Code::ChannelEndUnknown, message, &end.span, "no such partition and program");
        findings.add(finding.help(help));
    }
    found
}
