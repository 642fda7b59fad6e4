//! Orders of taking that the compiler refuses, with what it says. (New text: `TRYBUILD=overwrite cargo test -p skerry-sync`.)
#![cfg(not(feature = "explore"))]

#[test]
fn what_is_out_of_order_does_not_build() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/order/upwards.rs");
    cases.compile_fail("tests/order/refused_*.rs");
}
