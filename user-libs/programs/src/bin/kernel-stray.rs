//! Test: makes its kernel instance touch an address that is not its own.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::kernel::stray);
