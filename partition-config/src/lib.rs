//! The system file: read, checked in full, placed in memory, and flattened into a manifest and an archive.
//!
//! ```text
//! TOML ──schema──▶ File ──check──▶ Plan ──archive──▶ system manifest, partition manifests, files
//!                          │   └──merge──▶ Plan (fewer, larger partitions: SMP, clustered)
//!                          └─────▶ Report (every mistake, each with a code, a place, a reason and a way out)
//! ```
//!
//! The file is described in `docs/partition-file.md`. Tests: beside the code; `tests/refusals.rs` shows every refusal,
//! `tests/properties.rs` that what is accepted is disjoint and decodes to what was meant, `tests/systems.rs` that the
//! ready systems are valid.
#![forbid(unsafe_code)]

pub mod archive;
mod check;
pub mod code;
pub mod devices;
pub mod diagnostic;
pub mod elf;
pub mod generate;
pub mod images;
pub mod merge;
pub mod need;
pub mod place;
pub mod plan;
pub mod read;
pub mod report;
pub mod schema;
pub mod size;
pub mod writer;

pub use archive::Archive;
pub use check::check;
pub use code::Code;
pub use diagnostic::{Finding, Report};
pub use generate::{GenerateError, generate};
pub use images::{DiskImages, Images, Overrides, StubImages};
pub use merge::MergeError;
pub use plan::{Console, Lifetime, Partition, Plan, RootKind};
pub use schema::schema_json;
