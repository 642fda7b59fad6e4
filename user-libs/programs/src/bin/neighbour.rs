//! Rings its next neighbour and waits for the previous one.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::neighbour::neighbour);
