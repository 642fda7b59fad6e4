//! `cargo xtask generate` and `cargo xtask schema`: text on standard output.

use anyhow::Result;
use clap::Args;
use std::process::ExitCode;

/// Options of `generate`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Partitions, one core each.
    #[arg(long)]
    cores: u32,
    /// Memory of each partition.
    #[arg(long, default_value = "8M")]
    memory: String,
}

/// Prints a generated system.
pub fn generate(arguments: &Arguments) -> Result<ExitCode> {
    print!("{}", partition_config::generate(arguments.cores, &arguments.memory)?);
    Ok(ExitCode::SUCCESS)
}

/// Prints the schema.
pub fn schema() -> Result<ExitCode> {
    println!("{}", partition_config::schema_json().trim_end());
    Ok(ExitCode::SUCCESS)
}
