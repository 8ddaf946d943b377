//! A disk that is soon full.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

/// A small disk; unmounted when dropped. Mounting it needs root.
#[derive(Debug)]
pub struct SmallDisk {
    path: PathBuf,
    bytes: usize,
}

impl SmallDisk {
    /// Mounts a disk of so many MiB.
    #[must_use]
    pub fn mount(path: PathBuf, mib: usize) -> Self {
        std::fs::create_dir_all(&path).expect("a mount point");
        let size = format!("size={mib}m");
        let args = ["-t", "tmpfs", "-o", &size, "none"];
        let _ = run(Command::new("mount").args(args).arg(&path), "").success();
        Self { path, bytes: mib << 20 }
    }

    /// Makes room, so many MiB in all.
    pub fn grow(&self, mib: usize) {
        let size = format!("remount,size={mib}m");
        let _ = run(Command::new("mount").args(["-o", &size]).arg(&self.path), "").success();
    }

    /// Leaves no room.
    pub fn fill(&self) {
        let mut size = self.bytes;
        while size > 0 {
            let filled = std::fs::write(self.path.join(format!("full-{size}")), vec![1; size]);
            if filled.is_err() {
                size /= 2;
            } else {
                break;
            }
        }
        let _ = std::fs::write(self.path.join("rest"), vec![1; self.bytes]);
    }

    /// Where it is mounted.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}
