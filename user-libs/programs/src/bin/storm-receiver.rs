//! Test: hears `storm-sender`, and loses nothing that matters.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::storm::receiver);
