//! Test: ends with the exit code it is given.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::simple::exit_code);
