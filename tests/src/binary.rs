//! The program under test.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The checkout's root.
#[must_use]
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the checkout")
}

/// The release build: `OTTLA_BIN` if that is set, else built here and now.
#[must_use]
pub fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(binary) = std::env::var_os("OTTLA_BIN") {
            return binary.into();
        }
        let status = Command::new(env!("CARGO"))
            .args(["build", "--release", "--quiet", "--package", "ottla"])
            .current_dir(root())
            .status()
            .expect("cargo runs");
        assert!(status.success(), "the release build failed");
        let target = std::env::var_os("CARGO_TARGET_DIR");
        target.map_or_else(|| root().join("target"), PathBuf::from).join("release/ottla")
    });
    &BINARY
}
