//! Test: tells what it hears from the holder of a secret.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::secret::friend);
