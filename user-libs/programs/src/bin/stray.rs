//! Test: touches an address that is not its own.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::simple::stray);
