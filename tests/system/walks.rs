//! Page tables of running systems, judged from the outside while the machine is stopped.

use crate::Pace::{Quick, Slow};
use crate::{Tests, forms};
use anyhow::{Context, Result, ensure};
use manifest::mitigations;
use partition_config::Plan;
use tests::isolation::Rule;
use tests::lab::{Examination, Lab, PATIENCE, examine, with_mitigations};
use xtask::engine::{Engine, Inspection};
use xtask::launch::Start;
use xtask::workspace::systems_dir;

pub fn add(tests: &mut Tests) {
    for name in ["one-core", "ping-pong", "pipeline"] {
        let forms = if name == "one-core" { forms::ONE_PARTITION } else { forms::ALL };
        tests.add_in(forms, format!("page_tables/{name}"), Quick, move |lab| {
            isolated(lab, &lab.file(systems_dir().join(format!("{name}.toml")), None)?)
        });
    }
    tests.add_in(forms::ALL, "page_tables/isolated/ping-pong", Quick, |lab| {
        let plan = lab.file(systems_dir().join("ping-pong.toml"), None)?;
        isolated(lab, &with_mitigations(plan, mitigations::ALL))
    });
    tests.add_in(forms::ALL, "page_tables/isolated/that_it_is_off_is_noticed", Quick, |lab| {
        let plan = lab.file(systems_dir().join("ping-pong.toml"), None)?;
        let (off, on) = (with_mitigations(plan.clone(), 0), with_mitigations(plan, mitigations::KPTI));
        let found = examined(lab, &off, &on)?.violations;
        ensure!(found.iter().any(|violation| violation.rule == Rule::GateOnly), "nothing was noticed: {found:?}");
        Ok(())
    });
    tests.add_in(forms::ALL, "page_tables/16_cores", Slow, |lab| isolated(lab, &lab.generated(16)?));
    tests.add_in(forms::SEVERAL_KERNELS, "page_tables/a_wrong_plan_is_noticed", Quick, |lab| {
        let plan = lab.generated(2)?;
        // Judged by a plan in which the partitions have each other's memory, a sound system must look broken.
        let mut exchanged = plan.clone();
        let first = std::mem::take(&mut exchanged.partitions[0].memory);
        exchanged.partitions[0].memory = std::mem::replace(&mut exchanged.partitions[1].memory, first);
        let found = examined(lab, &plan, &exchanged)?.violations;
        ensure!(found.iter().any(|violation| violation.rule == Rule::KernelInSlice), "nothing was noticed: {found:?}");
        Ok(())
    });
}

fn isolated(lab: &Lab, plan: &Plan) -> Result<()> {
    let Examination { violations, spaces, user_mappings, kernel_mappings, .. } = examined(lab, plan, plan)?;
    eprintln!("{}: {spaces} address spaces, {user_mappings} user and {kernel_mappings} kernel mappings", plan.name);
    let text: Vec<_> = violations.iter().map(ToString::to_string).collect();
    ensure!(text.is_empty(), "isolation is broken:\n{}", text.join("\n"));
    // In each partition at least the kernel's own tables and the root task's.
    let count = plan.partitions.len();
    ensure!(spaces >= 2 * count, "only {spaces} address spaces of {count} partitions were seen");
    ensure!(user_mappings >= count, "only {user_mappings} user mappings were seen");
    Ok(())
}

/// Boots `plan`, examines it several times while it runs, and judges it by `allowed`.
fn examined(lab: &Lab, plan: &Plan, allowed: &Plan) -> Result<Examination> {
    let start = Start { inspection: Inspection::On, ..Start::on(Engine::Qemu) };
    let mut started = lab.start(plan, &start)?;
    Lab::until_ready(&mut started, plan, PATIENCE)?;
    examine(started.running.inspector().context("the machine has no monitor")?, allowed, 5)
}
