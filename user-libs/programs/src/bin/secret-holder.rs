//! Test: acts as its secret says.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::secret::holder);
