//! Comes next.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the tool with the arguments behind its name.
pub fn main(_args: Vec<OsString>) -> ExitCode {
    unimplemented!("comes within minutes")
}
