//! CD images: GRUB (BIOS and UEFI) starting the loader by multiboot2, with the archive as its module.

use crate::workspace::Scratch;
use anyhow::{Context, Result, ensure};
use partition_config::Plan;
use partition_config::devices::FRAMEBUFFER;
use std::fs;
use std::path::Path;
use std::process::Command;

/// What GRUB is to leave on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// Text, where the machine can: GRUB's video modules are not loaded.
    Text,
    /// A framebuffer in the mode that GRUB chooses, where the machine has one.
    Framebuffer,
}

impl Screen {
    /// What a system needs: a framebuffer if one of its partitions owns it.
    pub fn of(plan: &Plan) -> Self {
        let is_owned = plan.partitions.iter().any(|it| it.owns.iter().any(|name| name == FRAMEBUFFER));
        if is_owned { Self::Framebuffer } else { Self::Text }
    }

    /// GRUB's script. `multiboot2` chooses a mode for the loader, which can do with any: what it chose is replaced.
    fn script(self) -> String {
        // Of GRUB's drivers those that ask the firmware: others know a few adapters of emulators.
        let (modules, mode) = match self {
            Self::Text => ("", "text"),
            Self::Framebuffer => {
                ("if [ $grub_platform = efi ]; then insmod efi_gop; insmod efi_uga; else insmod vbe; fi\n", "auto")
            }
        };
        format!(
            "set timeout=0\nset default=0\n{modules}menuentry \"Skerry\" {{\n  multiboot2 /boot/skerry-loader\n  \
             module2 /boot/skerry-archive archive\n  set gfxpayload={mode}\n  boot\n}}\n"
        )
    }
}

/// Writes a bootable image of `loader` and `archive` to `to`, which leaves `screen`.
///
/// # Errors
/// When a file cannot be written or `grub-mkrescue` fails; its output is in the message.
pub fn write(loader: &[u8], archive: &[u8], screen: Screen, to: &Path) -> Result<()> {
    let scratch = Scratch::new()?;
    let tree = scratch.path().join("iso");
    let folder = tree.join("boot/grub");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let script = screen.script();
    let files = [("skerry-loader", loader), ("skerry-archive", archive), ("grub/grub.cfg", script.as_bytes())];
    for (name, content) in files {
        let path = tree.join("boot").join(name);
        fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))?;
    }
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
