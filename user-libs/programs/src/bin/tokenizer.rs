//! Second stage of the pipeline: text becomes words.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::pipeline::tokenizer::run);
