//! Test: says what it did when, so that two runs can be compared.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::secret::witness);
