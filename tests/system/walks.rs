//! Page tables of running systems, judged from the outside while the machine is stopped.

use crate::Pace::{Quick, Slow};
use crate::Tests;
use anyhow::{Context, Result, ensure};
use partition_config::Plan;
use tests::lab::{Lab, PATIENCE, examine};
use xtask::engine::{Engine, Inspection};
use xtask::images::Inputs;
use xtask::launch::Start;
use xtask::workspace::systems_dir;

pub fn add(tests: &mut Tests) {
    for name in ["one-core", "ping-pong", "pipeline"] {
        tests.add(format!("page_tables/{name}"), Quick, move |lab| {
            isolated(lab, &lab.file(systems_dir().join(format!("{name}.toml")), &Inputs::default())?)
        });
    }
    tests.add("page_tables/16_cores", Slow, |lab| isolated(lab, &lab.generated(16)?));
    tests.add("page_tables/a_wrong_plan_is_noticed", Quick, |lab| {
        let plan = lab.generated(2)?;
        // Judged by a plan in which the partitions have each other's memory, a sound system must look broken.
        let mut exchanged = plan.clone();
        let first = std::mem::take(&mut exchanged.partitions[0].memory);
        exchanged.partitions[0].memory = std::mem::replace(&mut exchanged.partitions[1].memory, first);
        let found = violations(lab, &plan, &exchanged)?;
        ensure!(found.iter().any(|text| text.contains("KernelInSlice")), "nothing was noticed: {found:?}");
        Ok(())
    });
}

fn isolated(lab: &Lab, plan: &Plan) -> Result<()> {
    let found = violations(lab, plan, plan)?;
    ensure!(found.is_empty(), "isolation is broken:\n{}", found.join("\n"));
    Ok(())
}

/// Boots `plan`, examines it several times while it runs, and judges it by `allowed`.
fn violations(lab: &Lab, plan: &Plan, allowed: &Plan) -> Result<Vec<String>> {
    let start = Start { inspection: Inspection::On, ..Start::on(Engine::Qemu) };
    let mut started = lab.start(plan, &start)?;
    let count = plan.partitions.len();
    Lab::until_ready(&mut started, plan, PATIENCE)?;
    let inspector = started.running.inspector().context("the machine has no monitor")?;
    let found = examine(inspector, allowed, 5)?;
    ensure!(found.spaces >= count, "only {} address spaces of {count} partitions were seen", found.spaces);
    eprintln!("{}: {} address spaces in 5 stops, {} mappings at the last", plan.name, found.spaces, found.mappings);
    Ok(found.violations.iter().map(ToString::to_string).collect())
}
