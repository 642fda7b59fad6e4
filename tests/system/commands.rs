//! The commands as a user types them: what they print, and their exit statuses.

use crate::Pace::{Quick, Slow};
use crate::Tests;
use anyhow::{Result, ensure};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};
use xtask::artifacts::cargo;
use xtask::workspace::Scratch;

/// The signal of who writes into a pipe without a reader.
const SIGPIPE: i32 = 13;

pub fn add(tests: &mut Tests) {
    tests.add("commands/check_refuses_with_code_and_place", Quick, |_| {
        let scratch = Scratch::new()?;
        let file = scratch.path().join("bad.toml");
        let good = text(&xtask(&["generate", "--cores", "2"])?);
        std::fs::write(&file, good.replace("cores = [1]", "cores = [0]"))?;
        let output = xtask(&["check", &file.display().to_string()])?;
        ensure!(output.status.code() == Some(2), "exit status {:?}", output.status);
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        for part in ["skerry::core::taken", "cores = [0]", "a core has one owner", "help:"] {
            ensure!(report.contains(part), "no `{part}` in\n{report}");
        }
        Ok(())
    });
    tests.add("commands/check_prints_what_generate_made", Quick, |_| {
        let scratch = Scratch::new()?;
        let file = scratch.path().join("eight.toml");
        std::fs::write(&file, xtask(&["generate", "--cores", "8", "--memory", "16M"])?.stdout)?;
        let output = xtask(&["check", &file.display().to_string()])?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        for part in ["8 partitions", "memory map", "core map", "doorbells"] {
            ensure!(text(&output).contains(part), "no `{part}` in\n{}", text(&output));
        }
        Ok(())
    });
    tests.add("commands/who_reads_may_stop_early", Quick, |_| {
        let mut check = command(&["check", "tests/systems/exit-codes.toml"]);
        let mut check = check.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        drop(check.stdout.take());
        let output = check.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        // A pipe without a reader is an end like another, or a signal.
        let ended = output.status.success() || output.status.signal() == Some(SIGPIPE);
        ensure!(ended && !said.contains("panicked"), "{}: {said}", output.status);
        Ok(())
    });
    tests.add("commands/run_exits_as_the_programs_do", Quick, |_| {
        let output = xtask(&["run", "tests/systems/exit-codes.toml"])?;
        ensure!(output.status.code() == Some(7), "exit status {:?}:\n{}", output.status, text(&output));
        let output = xtask(&["run", "tests/systems/kernel-panic.toml"])?;
        ensure!(output.status.code() == Some(101), "exit status {:?}:\n{}", output.status, text(&output));
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(said.contains("its kernel panicked"), "{said}");
        Ok(())
    });
    tests.add("commands/run_agrees_with_the_host", Quick, |_| {
        let output = xtask(&["run", "--input", "README.md", "--top", "5"])?;
        ensure!(output.status.success(), "{}{}", text(&output), String::from_utf8_lossy(&output.stderr));
        ensure!(text(&output).contains("host agrees: "), "{}", text(&output));
        ensure!(!text(&output).contains('\u{1b}'), "colours in a pipe:\n{}", text(&output));
        Ok(())
    });
    tests.add("commands/bench_is_no_worse_than_its_baseline", Slow, |_| {
        let output = xtask(&["bench", "--only", "icount", "--quick", "--compare", "tests/bench/baseline.json"])?;
        ensure!(output.status.success(), "{}{}", text(&output), String::from_utf8_lossy(&output.stderr));
        Ok(())
    });
}

fn xtask(words: &[&str]) -> Result<Output> {
    Ok(command(words).output()?)
}

fn command(words: &[&str]) -> Command {
    let mut command = cargo();
    command.args(["run", "--quiet", "--package", "skerry-xtask", "--"]).args(words);
    command
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
