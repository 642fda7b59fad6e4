//! Says hello and lists what it was given.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::simple::hello);
