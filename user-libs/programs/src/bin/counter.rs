//! Third stage of the pipeline: words become counts.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::pipeline::counter::run);
