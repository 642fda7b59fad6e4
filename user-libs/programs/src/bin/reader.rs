//! First stage of the pipeline: streams its file.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::pipeline::reader::run);
