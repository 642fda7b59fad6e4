//! Doorbells: every one gets a vector of its own in the partition that hears it. Programs of one partition need none:
//! they signal each other's notifications.

use super::channels::Draft;
use super::programs::Software;
use super::{items, name_of, name_span};
use crate::code::Code;
use crate::diagnostic::{Finding, Findings, Span};
use crate::plan::{Bell, Doorbell, End};
use crate::read::Spot;
use crate::schema::{self, Doorbells};
use ipi::{DOORBELL_COUNT, DOORBELL_FIRST, DOORBELL_LAST};
use manifest::handoff::MAX_ROUTES;
use std::collections::BTreeMap;

/// A doorbell that is wanted.
struct Wish {
    channel: usize,
    /// 0: rung by the first end.
    side: usize,
    core: u32,
    /// The partition that hears it.
    receiver: usize,
    /// The partition that rings it.
    sender: usize,
    /// The vector that the file names.
    vector: Option<Spot<u32>>,
    /// Where to point.
    span: Span,
}

/// For each channel, the bell that the first end rings, and the one that the second end rings.
pub(super) fn resolve(
    file: &schema::File,
    drafts: &[Draft],
    cores: &[Vec<u32>],
    software: &[Software],
    findings: &mut Findings,
) -> Vec<[Option<Bell>; 2]> {
    let mut resolved = vec![[None, None]; drafts.len()];
    let core_of = |end: &End| {
        // A root task of the user's own is on the partition's first core.
        let program = software.get(end.partition).and_then(|software| software.programs.get(end.program?));
        cores.get(end.partition)?.get(program.map_or(0, |program| program.node)).copied()
    };
    let wishes = wishes(items(&file.channel), drafts, core_of, &mut resolved, findings);
    let mut taken = BTreeMap::<(usize, u32), Span>::new();
    let mut routes = BTreeMap::<usize, usize>::new();
    // What the file names comes first, so that the rest can go around it.
    let (named, open): (Vec<_>, Vec<_>) = wishes.into_iter().partition(|wish| wish.vector.is_some());
    for wish in named.into_iter().chain(open) {
        let name = items(&file.partition).get(wish.receiver).map_or("?".to_owned(), |it| name_of(&it.value));
        let Some(vector) = vector(&wish, &name, &taken, findings) else { continue };
        let key = (wish.receiver, vector);
        if let Some(first) = taken.get(&key) {
            let message = format!("vector {vector:#x} of partition `{name}` is another doorbell's already");
            let finding = Finding::new(Code::DoorbellTaken, message, &wish.span, "the same vector again");
            findings.add(finding.also(first, "first here").help("choose another vector, or leave it out"));
            continue;
        }
        taken.insert(key, wish.span.clone());
        *routes.entry(wish.sender).or_default() += 1;
        if let Some(slot) = resolved.get_mut(wish.channel).and_then(|pair| pair.get_mut(wish.side)) {
            *slot = Some(Bell::Doorbell(Doorbell { core: wish.core, vector }));
        }
    }
    for (sender, count) in routes.into_iter().filter(|(_, count)| *count > MAX_ROUTES) {
        let Some(partition) = items(&file.partition).get(sender) else { continue };
        let message = format!("this partition rings {count} doorbells, the most is {MAX_ROUTES}");
        let finding = Finding::new(Code::DoorbellExhausted, message, name_span(partition), "too many routes");
        findings.add(finding.help("set `doorbells = \"none\"` on channels that are polled"));
    }
    resolved
}

/// The doorbells that get vectors; `resolved` gets the bells that need none.
fn wishes(
    channels: &[Spot<schema::Channel>],
    drafts: &[Draft],
    core_of: impl Fn(&End) -> Option<u32>,
    resolved: &mut [[Option<Bell>; 2]],
    findings: &mut Findings,
) -> Vec<Wish> {
    let mut wishes = Vec::new();
    for (index, ((channel, draft), bells)) in channels.iter().zip(drafts).zip(resolved).enumerate() {
        let choice = channel.value.doorbells.as_ref().map_or(Doorbells::Both, |choice| choice.value);
        let forward = matches!(choice, Doorbells::Both | Doorbells::Forward);
        let backward = matches!(choice, Doorbells::Both | Doorbells::Backward);
        let sides = [
            (0, forward, &channel.value.forward_vector, "forward"),
            (1, backward, &channel.value.backward_vector, "backward"),
        ];
        for ((side, exists, vector, direction), bell) in sides.into_iter().zip(bells) {
            if let (true, Some(vector)) = (!exists || draft.is_local(), vector) {
                let message = format!("this channel has no {direction} doorbell");
                let finding = Finding::new(Code::DoorbellVector, message, &vector.span, "a vector for nothing");
                let help = match draft.is_local() {
                    true => "remove the vector: programs of one partition signal each other without an interrupt",
                    false => "remove the vector, or change `doorbells`",
                };
                findings.add(finding.help(help));
            }
            if exists && draft.is_local() {
                *bell = Some(Bell::Notification);
                continue;
            }
            let Some(ends) = draft.ends.as_ref().filter(|_| exists) else { continue };
            let [first, second] = ends;
            let (sender, receiver) = if side == 0 { (first, second) } else { (second, first) };
            let Some(core) = core_of(receiver) else { continue };
            let name = channel.value.name.as_ref().map_or(&channel.span, |name| &name.span);
            let span = vector.as_ref().map_or(name, |vector| &vector.span).clone();
            let (receiver, sender) = (receiver.partition, sender.partition);
            wishes.push(Wish { channel: index, side, core, receiver, sender, vector: vector.clone(), span });
        }
    }
    wishes
}

/// The vector named, if it is one; else the first free one of the partition called `receiver`.
fn vector(wish: &Wish, receiver: &str, taken: &BTreeMap<(usize, u32), Span>, findings: &mut Findings) -> Option<u32> {
    let range = u32::from(DOORBELL_FIRST)..=u32::from(DOORBELL_LAST);
    if let Some(named) = &wish.vector {
        if range.contains(&named.value) {
            return Some(named.value);
        }
        let message = format!("{:#x} is no doorbell vector", named.value);
        let finding = Finding::new(Code::DoorbellVector, message, &named.span, "out of range");
        findings.add(finding.help(format!("doorbell vectors are {DOORBELL_FIRST:#x} to {DOORBELL_LAST:#x}")));
        return None;
    }
    let free = range.into_iter().find(|&vector| !taken.contains_key(&(wish.receiver, vector)));
    if free.is_none() {
        let message = format!("partition `{receiver}` has no doorbell vector left");
        let finding = Finding::new(Code::DoorbellExhausted, message, &wish.span, "one doorbell too many");
        findings.add(finding.help(format!(
            "a partition can tell {DOORBELL_COUNT} doorbells apart: set `doorbells = \"none\"` on channels that are polled"
        )));
    }
    free
}
