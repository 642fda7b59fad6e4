//! Links the binary where root tasks and programs belong; a host build needs nothing.

fn main() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../runtime/user.ld");
    println!("cargo:rerun-if-changed={script}");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        println!("cargo:rustc-link-arg-bins=-T{script}");
    }
}
