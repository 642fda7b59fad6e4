//! CD images: GRUB (BIOS and UEFI) starting the loader by multiboot2, with the archive as its module.

use crate::workspace::Scratch;
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

/// GRUB's script. The video modules are left out on purpose: nothing of Skerry draws.
const SCRIPT: &str = "set timeout=0\nset default=0\nset gfxpayload=text\nmenuentry \"Skerry\" {\n  \
                      multiboot2 /boot/skerry-loader\n  module2 /boot/skerry-archive archive\n  boot\n}\n";

/// Writes a bootable image of `loader` and `archive` to `to`.
///
/// # Errors
/// When a file cannot be written or `grub-mkrescue` fails; its output is in the message.
pub fn write(loader: &[u8], archive: &[u8], to: &Path) -> Result<()> {
    let scratch = Scratch::new()?;
    let tree = scratch.path().join("iso");
    fs::create_dir_all(tree.join("boot/grub"))?;
    fs::write(tree.join("boot/skerry-loader"), loader)?;
    fs::write(tree.join("boot/skerry-archive"), archive)?;
    fs::write(tree.join("boot/grub/grub.cfg"), SCRIPT)?;
    let output = Command::new("grub-mkrescue")
        .arg("-o")
        .arg(to)
        .args(["--locales=", "--fonts=", "--themes="])
        .arg(&tree)
        .env("TMPDIR", scratch.path())
        .output()
        .context("cannot run grub-mkrescue")?;
    ensure!(output.status.success(), "grub-mkrescue failed:\n{}", String::from_utf8_lossy(&output.stderr).trim());
    ensure!(to.exists(), "grub-mkrescue wrote no image");
    Ok(())
}
