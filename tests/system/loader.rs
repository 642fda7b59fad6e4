//! The end of the loader, watched from outside: nothing of a kernel has run before the word is stored that releases the
//! cores; from then on no core writes anything of the loader's but its own image; and of that image nothing stays mapped.

use crate::Pace::Quick;
use crate::Tests;
use anyhow::{Context, Result, bail, ensure};
use object::{Object, ObjectSegment, ObjectSymbol};
use partition_config::Plan;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;
use tests::debugger::{Debugger, Stop};
use tests::lab::{Lab, PATIENCE, examine};
use tests::walk::PhysicalMemory;
use xtask::engine::qmp::Ram;
use xtask::engine::{Engine, Inspection};
use xtask::launch::{Start, Started};
use xtask::workspace::systems_dir;

const PAGE: u64 = 4096;

pub fn add(tests: &mut Tests) {
    for name in ["ping-pong", "pipeline"] {
        tests.add(format!("loader/is_gone/{name}"), Quick, move |lab| {
            let plan = lab.file(systems_dir().join(format!("{name}.toml")), None)?;
            is_gone(lab, &plan)
        });
    }
    tests.add("loader/what_it_writes_before_is_noticed", Quick, |lab| {
        let plan = lab.file(systems_dir().join("ping-pong.toml"), None)?;
        let mut watched = Watched::start(lab, &plan)?;
        let before = watched.pages()?;
        watched.until_release()?;
        let image = image(lab)?;
        let written = changed(&before, &watched.pages()?, &image);
        for partition in &plan.partitions {
            let mut slices = partition.memory.iter().map(|range| range.base..range.end());
            let seen = slices.any(|slice| written.iter().any(|page| slice.contains(page)));
            ensure!(seen, "nobody was seen to write the slice of {}", partition.name);
        }
        Ok(())
    });
    tests.add("loader/what_stays_mapped_is_noticed", Quick, |lab| {
        let plan = lab.file(systems_dir().join("ping-pong.toml"), None)?;
        let mut started = lab.start(&plan, &Start { inspection: Inspection::On, ..Start::on(Engine::Qemu) })?;
        Lab::until_ready(&mut started, &plan, PATIENCE)?;
        // As if the loader had been where a kernel is.
        let slice = plan.partitions.first().and_then(|it| it.memory.first()).context("a slice")?;
        let found = mapped(&mut started, &plan, &(slice.base..slice.base + PAGE))?;
        ensure!(!found.is_empty(), "nothing was noticed");
        Ok(())
    });
}

fn is_gone(lab: &Lab, plan: &Plan) -> Result<()> {
    let mut watched = Watched::start(lab, plan)?;
    watched.until_release()?;
    let image = image(lab)?;
    let cores = plan.partitions.iter().flat_map(|partition| &partition.cores).count();
    for core in 0..cores {
        let at = watched.debugger.registers(core)?;
        ensure!(
            at.cs & 3 == 0 && image.contains(&at.rip),
            "core {core} is at {:#x} when the cores are released",
            at.rip
        );
    }
    let before = watched.pages()?;
    // The boot processor wakes the others, which stand still until it is their turn.
    for core in 0..cores {
        let stop = watched.debugger.run_alone(core)?;
        let at = watched.debugger.registers(core)?;
        ensure!(stop.core == core && at.rip == watched.entry, "core {core} stops at {:#x}: {stop:?}", at.rip);
        let written = changed(&before, &watched.pages()?, &image);
        ensure!(written.is_empty(), "on its way into its kernel core {core} wrote pages {written:x?}");
    }
    watched.debugger.pass(watched.entry)?;
    watched.debugger.detach()?;
    let Watched { mut started, .. } = watched;
    Lab::until_ready(&mut started, plan, PATIENCE)?;
    let found = mapped(&mut started, plan, &image)?;
    ensure!(found.is_empty(), "of the loader's image {image:x?} there is mapped: {found:x?}");
    Ok(())
}

/// A machine that stands still at its first instruction.
struct Watched {
    started: Started,
    debugger: Debugger,
    /// Where every kernel begins.
    entry: u64,
    /// The loader's word that lets all cores go.
    released: u64,
}

impl Watched {
    fn start(lab: &Lab, plan: &Plan) -> Result<Self> {
        let (started, mut debugger) = Debugger::start(lab, plan)?;
        let entries = plan.partitions.iter().map(|partition| Ok(object::File::parse(&*partition.kernel)?.entry()));
        let mut entries = entries.collect::<Result<Vec<u64>>>()?;
        entries.dedup();
        let &[entry] = entries.as_slice() else { bail!("kernels begin at {entries:x?}") };
        let loader = lab.artifacts().loader()?;
        let loader = object::File::parse(&*loader)?;
        let mut symbols = loader.symbols();
        let released = symbols.find(|symbol| symbol.name().is_ok_and(|name| name.contains("8RELEASED")));
        let released = released.context("the loader has no RELEASED")?.address();
        debugger.stop_at(entry)?;
        debugger.stop_behind_write(released)?;
        Ok(Self { started, debugger, entry, released })
    }

    /// Runs until the word is stored; no kernel may begin before.
    fn until_release(&mut self) -> Result<()> {
        loop {
            let Stop { core, written } = self.debugger.run()?;
            ensure!(written.is_some(), "core {core} comes to its kernel before the cores are released");
            // When the loader begins it makes its variables zero.
            if self.debugger.memory(core, self.released, 4)? != [0; 4] {
                return Ok(());
            }
        }
    }

    /// What is in each page of RAM below 2 GiB.
    fn pages(&mut self) -> Result<Vec<u64>> {
        let ram: Ram = self.started.running.inspector().context("the machine has no monitor")?.ram()?;
        let content = |page: [u64; 512]| {
            let mut hasher = DefaultHasher::new();
            page.hash(&mut hasher);
            hasher.finish()
        };
        Ok((0..).step_by(PAGE as usize).map_while(|at| ram.page(at)).map(content).collect())
    }
}

/// Where the loader's image is: physical, and as it is mapped while it runs.
fn image(lab: &Lab) -> Result<Range<u64>> {
    let bytes = lab.artifacts().loader()?;
    let file = object::File::parse(&*bytes)?;
    let ends = |segment: object::Segment<'_, '_>| (segment.address(), segment.address() + segment.size());
    let (starts, ends): (Vec<u64>, Vec<u64>) = file.segments().map(ends).unzip();
    let (start, end) = (starts.into_iter().min(), ends.into_iter().max());
    Ok(start.context("an empty loader")? & !(PAGE - 1)..end.context("an empty loader")?.next_multiple_of(PAGE))
}

/// Pages that changed, but for those of `image`.
fn changed(before: &[u64], after: &[u64], image: &Range<u64>) -> Vec<u64> {
    let pages = before.iter().zip(after).zip((0..).step_by(PAGE as usize));
    pages.filter(|((a, b), _)| a != b).map(|(_, page)| page).filter(|page| !image.contains(page)).collect()
}

/// What of the physical `range` is mapped by anybody at five moments.
fn mapped(started: &mut Started, plan: &Plan, range: &Range<u64>) -> Result<Vec<Range<u64>>> {
    let found = examine(started.running.inspector().context("the machine has no monitor")?, plan, 5)?;
    ensure!(found.spaces >= 2 * plan.partitions.len(), "only {} address spaces were seen", found.spaces);
    let meets = |reached: &Range<u64>| reached.start < range.end && range.start < reached.end;
    Ok(found.reached.into_iter().filter(meets).collect())
}
