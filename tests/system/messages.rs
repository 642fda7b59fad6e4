//! What crosses partitions: doorbells that are never lost, channels that survive any peer; and what reaches the host.

use crate::Pace::Quick;
use crate::{Tests, forms};
use anyhow::{Context, Result, ensure};
use tests::lab::Lab;

pub fn add(tests: &mut Tests) {
    tests.add_in(forms::ALL, "doorbells/a_million_none_lost", Quick, doorbell_storm);
    tests.add_in(forms::ALL, "channels/malicious_peer", Quick, malicious_peer);
    tests.add_in(forms::ALL, "programs/exit_codes", Quick, exit_codes);
    tests.add_in(forms::ONE_PARTITION, "programs/arguments_and_files", Quick, files);
}

fn doorbell_storm(lab: &Lab) -> Result<()> {
    let run = lab.boot(&lab.system("doorbell-storm")?)?;
    run.succeeded()?;
    let sent = run.lines("sender")?.iter().any(|line| line.contains("1000000 rings sent"));
    ensure!(sent, run.failure("the sender did not report a million rings"));
    let heard = run.lines("receiver")?.iter().find_map(|line| line.strip_suffix(" heard, the last one among them"));
    let heard = heard.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
    let heard = heard.with_context(|| run.failure("the receiver did not report").to_string())?;
    ensure!((1..=1_000_000).contains(&heard), run.failure("more doorbells were heard than rung"));
    eprintln!("doorbell storm: 1000000 rung, {heard} heard, the last among them");
    Ok(())
}

fn malicious_peer(lab: &Lab) -> Result<()> {
    let run = lab.boot(&lab.system("malicious-peer")?)?;
    run.succeeded()?;
    let noticed = run.lines("victim")?.iter().any(|line| line.contains("survived"));
    ensure!(noticed, run.failure("the victim did not notice the lie"));
    Ok(())
}

fn exit_codes(lab: &Lab) -> Result<()> {
    let run = lab.boot(&lab.system("exit-codes")?)?;
    let done = |name: &str| run.report.partition(name).and_then(|partition| partition.done);
    ensure!(done("failing") == Some(7), run.failure("the failing partition's code is not 7"));
    ensure!(done("serving") == Some(0), run.failure("the serving partition did not finish without its service"));
    ensure!(!run.report.problems(&run.members).is_empty(), run.failure("the run counts as a success"));
    Ok(())
}

fn files(lab: &Lab) -> Result<()> {
    let run = lab.boot(&lab.system("files")?)?;
    run.succeeded()?;
    let size =
        |name| std::fs::metadata(xtask::workspace::root().join("tests/systems").join(name)).map(|data| data.len());
    let expected = [
        "argument one".to_owned(),
        "argument two words".to_owned(),
        format!("file licence: {} bytes", size("files.toml")?),
        format!("file exit-codes.toml: {} bytes", size("exit-codes.toml")?),
    ];
    for line in &expected {
        ensure!(run.lines("holder")?.contains(line), run.failure(&format!("`{line}` was not printed")));
    }
    Ok(())
}
