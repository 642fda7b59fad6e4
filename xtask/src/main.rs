//! `cargo xtask`: every task of the project behind one command. Here is the command line only; the work is in
//! `commands/`, and what both these and the system tests need is in the library.

mod commands;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Check, boot and test Skerry systems.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a system file: print its memory, cores, channels and doorbells, or say what is wrong with it.
    Check(commands::check::Arguments),
    /// Print a system of N partitions in which every core rings its neighbour and reports.
    Generate(commands::generate::Arguments),
    /// Print the JSON schema of system files.
    Schema,
    /// Boot a system in an emulator (without a file: the four-core word-count pipeline).
    Run(commands::run::Arguments),
    /// Write a CD image that boots a system on a real PC (BIOS or UEFI), in QEMU or in Bochs.
    Image(commands::image::Arguments),
    /// Run every test: format, lints, host tests, system tests in QEMU.
    Test(commands::test::Arguments),
    /// Look for inputs that break something, guided by coverage: system calls of a whole instance, and every parser.
    Fuzz(commands::fuzz::Arguments),
    /// Say which tools are there, and get those that are missing.
    Doctor,
    /// Count the instructions of every hot operation; report next to seL4, compare with a baseline.
    Bench(commands::bench::Arguments),
    /// Climb the assurance ladder: run the check behind every claim, and say what is open.
    Assure(commands::assure::Arguments),
    /// Plant small mistakes all over the kernel's layers and list those that no host test notices.
    Mutate(commands::mutate::Arguments),
}

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    if matches!(command, Command::Check(_) | Command::Generate(_) | Command::Schema) {
        // Who reads the output of these may stop early. The others write to programs that may die, and must hear of it.
        sigpipe::reset();
    }
    let outcome = match command {
        Command::Check(arguments) => commands::check::check(&arguments),
        Command::Generate(arguments) => commands::generate::generate(&arguments),
        Command::Schema => commands::generate::schema(),
        Command::Run(arguments) => commands::run::run(&arguments),
        Command::Image(arguments) => commands::image::image(&arguments),
        Command::Test(arguments) => commands::test::test(&arguments),
        Command::Fuzz(arguments) => commands::fuzz::fuzz(&arguments),
        Command::Doctor => commands::doctor::doctor(),
        Command::Bench(arguments) => commands::bench::bench(&arguments),
        Command::Assure(arguments) => commands::assure::assure(&arguments),
        Command::Mutate(arguments) => commands::mutate::mutate(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("{}error:{} {error:#}", commands::BAD, commands::PLAIN);
            ExitCode::FAILURE
        }
    }
}
