//! Test: computes for a while, or for ever.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::simple::spinner);
