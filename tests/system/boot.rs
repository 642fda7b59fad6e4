//! Booting on 1 to 64 cores: every instance gets ready, every core's ring reaches its neighbour, and nobody waits for
//! anybody.

use crate::Pace::{Quick, Slow};
use crate::{Tests, forms};
use anyhow::{Result, ensure};
use partition_config::Archive;
use std::time::Duration;
use tests::lab::Lab;
use xtask::engine::Engine;
use xtask::form::Form;
use xtask::launch::Start;

/// 64 virtual CPUs on the two of a small host.
const LONG_PATIENCE: Duration = Duration::from_secs(400);

pub fn add(tests: &mut Tests) {
    tests.add("boots/archive_in_the_way", Quick, archive_in_the_way);
    for cores in [1, 2, 3, 4, 8, 16, 32, 64] {
        let pace = if cores > 8 { Slow } else { Quick };
        // One kernel runs on at most 16 cores.
        let forms = match cores {
            1 => forms::ONE_PARTITION,
            2..=16 => forms::ALL,
            17..=32 => forms::SEVERAL_KERNELS,
            _ => &[Form::default()],
        };
        tests.add_in(forms, format!("boots/{cores}_cores"), pace, move |lab| boots(lab, cores));
    }
}

/// The loader moves an archive that lies where a partition will be.
fn archive_in_the_way(lab: &Lab) -> Result<()> {
    let plan = lab.generated(2)?;
    let archive = Archive { load_base: plan.partitions[1].memory[0].base, ..plan.archive() };
    lab.boot_archive(&plan, &archive, &Start::on(Engine::Qemu))?.succeeded()?;
    Ok(())
}

fn boots(lab: &Lab, cores: u32) -> Result<()> {
    let plan = lab.generated(cores)?;
    let run = lab.boot_with(&plan, &Start::on(Engine::Qemu), LONG_PATIENCE)?;
    run.succeeded()?;
    let times: Vec<f64> = run.report.partitions.iter().filter_map(|partition| partition.ready_us()).collect();
    ensure!(times.len() == cores as usize, run.failure("a partition never said that it was ready"));
    let last = times.iter().copied().fold(0.0, f64::max);
    eprintln!("{cores} partitions of 8 MiB: the last was ready {:.1} ms after the loader's start", last / 1000.0);
    Ok(())
}
