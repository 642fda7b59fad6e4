//! Answers `ping`.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::ping::pong);
