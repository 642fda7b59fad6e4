//! One run from start to verdict: who is on the machine, what each partition said, and how it ended.
//!
//! A run ends when every partition that has work to do said `done` or `park`, when the loader refuses, when the
//! emulator ends, or when the time is over. Partitions that were merged into one are told apart again here. Partitions
//! without a console, with services only, or with a foreign root task are never waited for. Tests: `session/tests.rs`.

use crate::console::{Line, Lines, Record};
use crate::engine::{ConsolePort, Next, Running};
use anyhow::Result;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

/// Exit code of a partition whose kernel panicked.
pub const PARKED_CODE: i64 = 101;
/// How long to listen after the last partition finished.
const LAST_WORDS: Duration = Duration::from_millis(150);
/// How long a loader that refused may take to end the machine.
const LAST_BREATH: Duration = Duration::from_secs(60);

/// Whether a run waits for a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// It has programs that end.
    Finite,
    /// It runs for ever, or does not say when it is finished.
    Endless,
}

/// A partition as the host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: String,
    /// Its console.
    pub console: Option<ConsolePort>,
    /// Whether the run waits for it.
    pub work: Work,
    /// If it was merged with others: its programs that end. It has no `done` of its own then.
    pub jobs: Option<Vec<String>>,
}

/// What one partition did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartitionReport {
    /// Its name.
    pub name: String,
    /// Plain output, line by line.
    pub lines: Vec<String>,
    /// `ready`: TSC ticks since the loader's start, and ticks per microsecond.
    pub ready: Option<(u64, u64)>,
    /// Programs that ended, with their codes, in order.
    pub exits: Vec<(String, i64)>,
    /// Code of `done`.
    pub done: Option<i64>,
    /// Message of a kernel panic.
    pub parked: Option<String>,
}

impl PartitionReport {
    /// Microseconds from the loader's start until the root task had started its programs.
    pub fn ready_us(&self) -> Option<f64> {
        self.ready.map(|(ticks, mhz)| ticks as f64 / mhz.max(1) as f64)
    }

    fn finished(&self) -> bool {
        self.done.is_some() || self.parked.is_some()
    }
}

/// A refusal of the loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Stable code, see `docs/boot.md`.
    pub code: String,
    /// What is wrong.
    pub text: String,
    /// Names of the partitions on whose consoles it appeared; empty for the last-resort port only.
    pub seen_on: Vec<String>,
}

/// Why a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every partition that was waited for finished.
    Finished,
    /// The loader refused to boot.
    Refused,
    /// The emulator ended by itself.
    MachineEnded(ExitStatus),
    /// The time was over.
    Timeout,
}

/// A run, finished or so far.
#[derive(Clone, Debug)]
pub struct Report {
    /// One entry per partition, in the order of the members.
    pub partitions: Vec<PartitionReport>,
    /// The loader's refusal, if any.
    pub refusal: Option<Refusal>,
    /// Output of consoles that belong to nobody.
    pub strays: Vec<String>,
    /// Why it ended; of a run that has not, that the time was over.
    pub end: End,
    /// How the emulator exited, if it did so by itself.
    pub status: Option<ExitStatus>,
    /// What it said last in that case.
    pub last_words: String,
    /// Wall-clock time since the start.
    pub elapsed: Duration,
}

impl Report {
    /// The partition called `name`.
    pub fn partition(&self, name: &str) -> Option<&PartitionReport> {
        self.partitions.iter().find(|partition| partition.name == name)
    }

    /// Exit status of the run as a program: 0 if there were no problems, [`PARKED_CODE`] after a kernel panic, the code
    /// of the first partition that ended with another than 0, else 1.
    pub fn status_code(&self, members: &[Member]) -> u8 {
        if self.problems(members).is_empty() {
            return 0;
        }
        let parked = self.partitions.iter().any(|partition| partition.parked.is_some()).then_some(PARKED_CODE);
        let code =
            parked.or_else(|| self.partitions.iter().filter_map(|partition| partition.done).find(|&code| code != 0));
        // As a shell would see it; never 0 for a failure.
        code.map_or(1, |code| (code & 0xff) as u8).max(1)
    }

    /// Everything that went wrong, one sentence each; empty for a successful run.
    pub fn problems(&self, members: &[Member]) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(refusal) = &self.refusal {
            problems.push(format!("the loader refused to boot: {} {}", refusal.code, refusal.text));
        }
        for (partition, member) in self.partitions.iter().zip(members) {
            let name = &partition.name;
            if let Some(text) = &partition.parked {
                problems.push(format!("partition {name}: its kernel panicked (code {PARKED_CODE}): {text}"));
            } else if let Some(code) = partition.done.filter(|&code| code != 0) {
                let culprits = partition.exits.iter().filter(|(_, code)| *code != 0);
                let culprits: Vec<_> = culprits.map(|(program, code)| format!("{program} {code}")).collect();
                problems.push(format!("partition {name}: ended with code {code} ({})", culprits.join(", ")));
            } else if !partition.finished() && self.refusal.is_none() && waited_for(member) {
                let state = if partition.ready.is_some() { "still at work" } else { "never became ready" };
                problems.push(format!("partition {name}: {state} at the end"));
            }
        }
        match self.end {
            End::MachineEnded(status) if self.refusal.is_none() => {
                let why = if status.success() { "the machine reset itself" } else { "the emulator ended by itself" };
                let said = self.last_words.lines().map(|line| format!("\n  {line}")).collect::<String>();
                problems.push(format!("{why} ({status}){said}"));
            }
            End::Timeout if members.iter().any(waited_for) => {
                problems.push(format!("time over after {:.0} s", self.elapsed.as_secs_f64()));
            }
            _ => {}
        }
        problems
    }
}

fn waited_for(member: &Member) -> bool {
    member.work == Work::Finite && member.console.is_some()
}

/// How far to follow a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To its end.
    Finished,
    /// Until every partition with a console is ready; the machine runs on.
    Ready,
}

/// A run that is followed in as many pieces as one likes; what has been said of a line when one piece ends belongs to the
/// next.
#[derive(Debug)]
pub struct Session<'a> {
    members: &'a [Member],
    consoles: &'a [Option<usize>],
    lines: Vec<Lines>,
    begin: Instant,
    report: Report,
}

impl<'a> Session<'a> {
    /// A run that begins now. `consoles` says, for each console of the machine, which member it belongs to.
    pub fn new(members: &'a [Member], consoles: &'a [Option<usize>]) -> Self {
        let lines = consoles.iter().map(|_| Lines::default()).collect();
        Self { members, consoles, lines, begin: Instant::now(), report: Report::new(members) }
    }

    /// Follows `running` to its end, as far as `until` says, or for `patience`; what happened so far. `observe` sees every
    /// line as it arrives.
    ///
    /// # Errors
    /// When the emulator's process cannot be waited for.
    pub fn follow(
        &mut self,
        running: &mut Running,
        patience: Duration,
        until: Until,
        mut observe: impl FnMut(Option<usize>, &Line),
    ) -> Result<&Report> {
        let mut deadline = Instant::now() + patience;
        loop {
            match running.next(deadline)? {
                Next::Output { console, bytes } => {
                    let lines = self.lines.get_mut(console).map(|lines| lines.feed(&bytes)).unwrap_or_default();
                    self.take(console, lines, &mut observe);
                    if until == Until::Ready && self.report.ready(self.members) {
                        break;
                    }
                    if self.report.end == End::Timeout
                        && let Some(over) = self.report.over(self.members)
                    {
                        self.report.end = over;
                        let grace = if over == End::Refused { LAST_BREATH } else { LAST_WORDS };
                        deadline = deadline.min(Instant::now() + grace);
                    }
                }
                Next::Ended(status) => {
                    if self.report.end == End::Timeout {
                        self.report.end = End::MachineEnded(status);
                    }
                    self.report.status = Some(status);
                    self.report.last_words = running.last_words();
                    break;
                }
                Next::Timeout => break,
            }
        }
        self.report.elapsed = self.begin.elapsed();
        Ok(&self.report)
    }

    /// Ends it: of a line that was begun nothing more is expected.
    pub fn finish(mut self, mut observe: impl FnMut(Option<usize>, &Line)) -> Report {
        for console in 0..self.lines.len() {
            let rest = self.lines.get_mut(console).and_then(Lines::finish);
            self.take(console, rest, &mut observe);
        }
        self.report
    }

    fn take(
        &mut self,
        console: usize,
        lines: impl IntoIterator<Item = Line>,
        observe: &mut impl FnMut(Option<usize>, &Line),
    ) {
        let owner = self.consoles.get(console).copied().flatten();
        for (owner, line) in lines.into_iter().flat_map(|line| route(self.members, owner, line)) {
            observe(owner, &line);
            self.report.take(self.members, owner, line);
        }
    }
}

/// Follows `running` in one piece, as [`Session`] does.
///
/// # Errors
/// As [`Session::follow`].
pub fn watch(
    running: &mut Running,
    members: &[Member],
    consoles: &[Option<usize>],
    patience: Duration,
    until: Until,
    mut observe: impl FnMut(Option<usize>, &Line),
) -> Result<Report> {
    let mut session = Session::new(members, consoles);
    session.follow(running, patience, until, &mut observe)?;
    Ok(session.finish(observe))
}

/// Whom a line of the console of `owner` concerns: members that were merged share one.
fn route(members: &[Member], owner: Option<usize>, line: Line) -> Vec<(Option<usize>, Line)> {
    let shared = owner.and_then(|index| members.get(index)).filter(|member| member.jobs.is_some());
    let Some(port) = shared.map(|member| member.console) else { return vec![(owner, line)] };
    let sharing = members.iter().enumerate().filter(|(_, member)| member.console == port);
    let home = |program: &str| {
        let (home, own) = program.split_once(manifest::MERGED)?;
        let (index, _) = sharing.clone().find(|(_, member)| member.name == home)?;
        Some((Some(index), own.to_owned()))
    };
    match line {
        Line::Text(text) => match text.split_once(": ").and_then(|(speaker, text)| Some((home(speaker)?.0, text))) {
            Some((home, text)) => vec![(home, Line::Text(text.to_owned()))],
            None => vec![(owner, Line::Text(text))],
        },
        Line::Record(Record::Exit { program, code }) => {
            let (home, program) = home(&program).unwrap_or((owner, program));
            vec![(home, Line::Record(Record::Exit { program, code }))]
        }
        Line::Record(Record::Done { code }) => {
            let busy = sharing.filter(|(_, member)| member.work == Work::Finite);
            busy.map(|(index, _)| (Some(index), Line::Record(Record::Done { code }))).collect()
        }
        Line::Record(record) => sharing.map(|(index, _)| (Some(index), Line::Record(record.clone()))).collect(),
    }
}

impl Report {
    /// Nothing has been said yet.
    fn new(members: &[Member]) -> Self {
        let partition = |member: &Member| PartitionReport { name: member.name.clone(), ..Default::default() };
        Self {
            partitions: members.iter().map(partition).collect(),
            refusal: None,
            strays: Vec::new(),
            end: End::Timeout,
            status: None,
            last_words: String::new(),
            elapsed: Duration::ZERO,
        }
    }

    fn take(&mut self, members: &[Member], owner: Option<usize>, line: Line) {
        let jobs = owner.and_then(|index| members.get(index)?.jobs.as_deref());
        let partition = owner.and_then(|index| self.partitions.get_mut(index));
        match (line, partition) {
            (Line::Record(Record::Refuse { code, text }), partition) => {
                let refusal = self.refusal.get_or_insert(Refusal { code, text, seen_on: Vec::new() });
                refusal.seen_on.extend(partition.map(|partition| partition.name.clone()));
            }
            (Line::Text(text), None) => self.strays.push(text),
            (Line::Record(record), None) => self.strays.push(format!("{record:?}")),
            (Line::Text(text), Some(partition)) => partition.lines.push(text),
            (Line::Record(record), Some(partition)) => match record {
                Record::Ready { ticks, mhz } => partition.ready = partition.ready.or(Some((ticks, mhz))),
                Record::Exit { program, code } => {
                    partition.exits.push((program, code));
                    let ended = |job: &String| partition.exits.iter().any(|(program, _)| program == job);
                    if let Some(jobs) = jobs
                        && jobs.iter().all(ended)
                    {
                        let mut codes = partition.exits.iter().filter(|(program, _)| jobs.contains(program));
                        let code = codes.find(|(_, code)| *code != 0).map_or(0, |(_, code)| *code);
                        partition.done = partition.done.or(Some(code));
                    }
                }
                Record::Done { code } => partition.done = partition.done.or(Some(code)),
                Record::Park { text } => partition.parked = Some(partition.parked.take().unwrap_or(text)),
                Record::Refuse { .. } => {}
            },
        }
    }

    fn ready(&self, members: &[Member]) -> bool {
        let mut audible = self.partitions.iter().zip(members).filter(|(_, member)| member.console.is_some());
        audible.all(|(partition, _)| partition.ready.is_some())
    }

    /// Why nothing more is expected, if so.
    fn over(&self, members: &[Member]) -> Option<End> {
        if self.refusal.is_some() {
            return Some(End::Refused);
        }
        let mut awaited = self.partitions.iter().zip(members).filter(|(_, member)| waited_for(member)).peekable();
        (awaited.peek().is_some() && awaited.all(|(partition, _)| partition.finished())).then_some(End::Finished)
    }
}

#[cfg(test)]
mod tests;
