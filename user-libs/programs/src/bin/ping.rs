//! Measures round trips over a channel; `pong` is the other end.
#![cfg_attr(target_os = "none", no_std, no_main)]

runtime::entry!(programs::ping::ping);
