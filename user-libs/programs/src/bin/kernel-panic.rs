//! Test: makes its kernel instance panic.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::kernel::panic);
