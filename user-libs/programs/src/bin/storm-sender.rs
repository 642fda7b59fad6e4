//! Test: rings a doorbell a million times.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::storm::sender);
