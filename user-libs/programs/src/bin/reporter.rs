//! Last stage of the pipeline: prints the most frequent words.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::pipeline::reporter::run);
